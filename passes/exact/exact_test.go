package exact_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
)

// exactNet builds small networks in the vocabulary of exporters.
type exactNet struct {
	ir.Builder
	*rand.Rand
	t *testing.T
}

func (g *exactNet) scalar(x float64) *ir.Value { return g.Const(ir.Scalar(ir.F32, x)) }

func (g *exactNet) floats(f func(i int) float32, shape ...int) *ir.Value {
	data := make([]float32, ir.T(ir.F32, shape...).Elems())
	for i := range data {
		data[i] = f(i)
	}
	return g.Const(ir.FloatTensor(data, shape...))
}

// vec is a number for every channel of v, to go along its axis 1.
func (g *exactNet) vec(v *ir.Value, f func(c int) float32) *ir.Value {
	shape := slices.Repeat([]int{1}, v.Type.Rank())
	shape[1] = v.Type.Shape[1]
	return g.floats(f, shape...)
}

func (g *exactNet) signs(shape ...int) *ir.Value {
	return g.floats(func(int) float32 { return float32(1 - 2*g.IntN(2)) }, shape...)
}

// conv has binary weights, a kernel of 3 on every axis, and padding 1.
func (g *exactNet) conv(x *ir.Value, o, groups int) *ir.Value {
	return g.Op(ir.Conv, map[string]any{"pad": []int{1, 1, 1, 1, 1, 1}, "groups": groups}, x, g.signs(o, x.Type.Shape[1]/groups, 3, 3, 3))
}

func (g *exactNet) point(x *ir.Value, o int) *ir.Value {
	return g.Op(ir.Conv, nil, x, g.signs(o, x.Type.Shape[1], 1, 1, 1))
}

// norm is a batch norm of slopes of both signs about the given value.
func (g *exactNet) norm(x *ir.Value, about float32) *ir.Value {
	c := x.Type.Shape[1]
	param := func(f func(i int) float32) *ir.Value { return g.floats(f, c) }
	return g.Op(ir.BatchNorm, nil, x,
		param(func(i int) float32 { return []float32{1, -0.7, 0.3, -2}[i%4] }),
		param(func(i int) float32 { return float32(g.NormFloat64()) }),
		param(func(i int) float32 { return about + float32(g.NormFloat64()) }),
		param(func(i int) float32 { return 0.5 + 3*g.Float32() }))
}

func (g *exactNet) bits(x *ir.Value) *ir.Value {
	return g.Op(ir.Cast, map[string]any{"to": "f32"}, g.Op(ir.Greater, nil, x, g.scalar(0)))
}

func (g *exactNet) signed(x *ir.Value) *ir.Value {
	return g.Op(ir.Where, nil, g.Op(ir.GreaterOrEqual, nil, x, g.scalar(0)), g.scalar(1), g.scalar(-1))
}

func (g *exactNet) pool(x *ir.Value) *ir.Value {
	return g.Op(ir.MaxPool, map[string]any{"kernel": []int{1, 2, 2}, "stride": []int{1, 2, 2}}, x)
}

// levels is DoReFa's activation of k levels above 0, from 0 to 1.
func (g *exactNet) levels(x *ir.Value, k int) *ir.Value {
	n := g.scalar(float64(k))
	return g.Op(ir.Div, nil, g.Op(ir.Round, nil, g.Op(ir.Mul, nil, g.Op(ir.Clip, nil, x, g.scalar(0), g.scalar(1)), n)), n)
}

// build makes a module of one u8 input [1,4,3,6,6], which net gets as small
// whole numbers in f32.
func (g *exactNet) build(net func(x *ir.Value) *ir.Value) *ir.Module {
	in := &ir.Value{Type: ir.T(ir.U8, 1, 4, 3, 6, 6)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: in}}}
	g.F = f
	x := g.Op(ir.Cast, map[string]any{"to": "f32"}, in)
	y := net(x)
	if g.Err != nil {
		g.t.Fatal(g.Err)
	}
	f.Results = []ir.Port{{Name: "y", Value: y}}
	f.RemoveDead()
	return &ir.Module{Name: "net", Level: ir.Source, Funcs: []*ir.Func{f}}
}

// lowered compiles a copy of m and checks that it computes what m does: the same
// numbers to the bit but for floats, which may be 1e-5 off.
func lowered(t *testing.T, m *ir.Module) (*ir.Module, *passes.Result) {
	t.Helper()
	c := m.Clone()
	res, err := passes.Run(context.Background(), c, pipeline.Default(), passes.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for k := range 6 {
		in := ir.RandomInputs(m.Main(), rng, k)
		for _, x := range in {
			for i := range x.Ints() {
				if k > 1 {
					x.Ints()[i] %= int64(2 + k)
				}
			}
		}
		want, err := ir.Eval(context.Background(), m.Main(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ir.Eval(context.Background(), c.Main(), ir.ConvertInputs(c.Main(), in), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if d := ir.Compare(want[i], got[i]); d != "" {
				t.Fatalf("input %d, result %d: %s\n%s", k, i, d, ir.PrintFunc(c.Main()))
			}
		}
	}
	return c, res
}

// floatLayers lists the operations that are still float, and outputs are not.
func floatLayers(m *ir.Module, res *passes.Result) []string {
	var list []string
	for _, e := range report.NewLedger(m, report.Certificates(m, res.Records)).Entries {
		if e.Kind == "float" && !e.Output {
			list = append(list, e.Op+" "+e.Shape)
		}
	}
	return list
}

// TestSurroundings: whatever stands around a convolution, its norm and its
// activation, they become integers and comparisons.
func TestSurroundings(t *testing.T) {
	t.Parallel()
	first := func(g *exactNet, x *ir.Value) *ir.Value { return g.bits(g.norm(g.conv(x, 4, 1), 0)) }
	cases := map[string]func(g *exactNet, x *ir.Value) *ir.Value{
		"pool before the norm": func(g *exactNet, x *ir.Value) *ir.Value { return g.bits(g.norm(g.pool(g.conv(x, 8, 1)), 5)) },
		"pool behind the norm": func(g *exactNet, x *ir.Value) *ir.Value { return g.bits(g.pool(g.norm(g.conv(x, 8, 1), 5))) },
		"pools around norms": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.norm(g.pool(g.norm(g.pool(g.norm(g.conv(x, 8, 1), 5)), 0)), 1))
		},
		"signs of a pool": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.Op(ir.Sign, nil, g.pool(g.norm(g.conv(x, 8, 1), 5)))
		},
		"pool of a bias": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.conv(x, 8, 1)
			return g.bits(g.norm(g.pool(g.Op(ir.Add, nil, z, g.vec(z, func(c int) float32 { return float32(c) / 3 }))), 5))
		},
		"pool with padding": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.Op(ir.MaxPool, map[string]any{"kernel": []int{2, 3, 3}, "stride": []int{1, 2, 2}, "pad": []int{1, 1, 1, 0, 1, 1}}, g.conv(x, 8, 1))
			return g.bits(g.norm(z, 5))
		},
		"a fork in front of the norm": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.pool(g.conv(x, 8, 1))
			return g.Op(ir.Max, nil, g.bits(g.norm(z, 5)), g.bits(g.norm(z, -5)))
		},
		"a fork behind the norm": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.norm(g.conv(x, 8, 1), 0)
			return g.Op(ir.Mul, nil, g.bits(z), g.bits(g.Op(ir.Sub, nil, z, g.scalar(1))))
		},
		"an additive residual": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.norm(g.Op(ir.Add, nil, g.conv(x, 4, 1), g.conv(x, 4, 1)), 3))
		},
		"a residual of bits": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.norm(g.Op(ir.Add, nil, x, g.bits(g.norm(g.conv(x, 4, 1), 0))), 1))
		},
		"mean": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.norm(g.Op(ir.GlobalAveragePool, nil, x), 0.5))
		},
		"mean of a norm": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.Op(ir.Sub, nil, g.Op(ir.ReduceMean, map[string]any{"axes": []int{2, 3, 4}}, g.norm(g.conv(x, 4, 1), 0)), g.scalar(0.1)))
		},
		"average under a window": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.norm(g.Op(ir.AveragePool, map[string]any{"kernel": []int{2, 2, 2}, "stride": []int{1, 2, 2}}, x), 0.5))
		},
		"largest of a channel": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.norm(g.Op(ir.GlobalMaxPool, nil, g.conv(x, 8, 1)), 9))
		},
		"concatenated sums": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.norm(g.Op(ir.Concat, map[string]any{"axis": 1}, g.conv(x, 3, 1), g.conv(x, 5, 1)), 2))
		},
		"concatenated along time": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.norm(g.Op(ir.Concat, map[string]any{"axis": 2}, g.conv(x, 3, 1), g.conv(x, 3, 1)), 2))
		},
		"concatenated types": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.norm(g.Op(ir.Concat, map[string]any{"axis": 1}, g.conv(x, 3, 1), x), 1))
		},
		"concatenated encodings into a convolution": func(g *exactNet, x *ir.Value) *ir.Value {
			y := g.Op(ir.Concat, map[string]any{"axis": 1}, x, g.signed(g.norm(g.conv(x, 3, 1), 0)))
			return g.bits(g.norm(g.conv(y, 4, 1), 0))
		},
		"sliced sums": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.Op(ir.Slice, map[string]any{"axes": []int{1, 3}, "starts": []int{1, 1}, "ends": []int{6, 5}, "steps": []int{2, 1}}, g.conv(x, 8, 1))
			return g.bits(g.norm(z, 1))
		},
		"sliced norms": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.Op(ir.Slice, map[string]any{"axes": []int{1}, "starts": []int{2}, "ends": []int{7}}, g.norm(g.conv(x, 8, 1), 1))
			return g.bits(g.Op(ir.Sub, nil, z, g.vec(z, func(c int) float32 { return float32(c) / 7 })))
		},
		"split norms": func(g *exactNet, x *ir.Value) *ir.Value {
			n := g.Node(ir.Split, map[string]any{"axis": 1, "sizes": []int{4, 4}}, g.norm(g.conv(x, 8, 1), 1))
			return g.Op(ir.Max, nil, g.bits(n.Results[0]), g.bits(n.Results[1]))
		},
		"depth to space": func(g *exactNet, x *ir.Value) *ir.Value {
			y := g.Op(ir.Reshape, map[string]any{"shape": []int{1, 8, 3 * 6, 6}}, g.norm(g.conv(x, 8, 1), 1))
			y = g.Op(ir.DepthToSpace, map[string]any{"blocksize": 2}, y)
			return g.bits(g.Op(ir.Sub, nil, g.Op(ir.Relu, nil, y), g.scalar(0.5)))
		},
		"gathered frames": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.Op(ir.Gather, map[string]any{"axis": 2}, g.norm(g.conv(x, 4, 1), 1), g.Const(ir.IntTensor(ir.I64, []int64{2, 0}, 2)))
			return g.bits(z)
		},
		"depthwise": func(g *exactNet, x *ir.Value) *ir.Value { return g.bits(g.norm(g.conv(x, 8, 4), 0)) },
		"strided and dilated": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.Op(ir.Conv, map[string]any{"stride": []int{1, 2, 3}, "dilation": []int{1, 2, 1}, "pad": []int{2, 0, 1, 0, 2, 1}}, x, g.signs(6, 4, 2, 3, 2))
			return g.bits(g.norm(z, 0))
		},
		"zeros around signs": func(g *exactNet, x *ir.Value) *ir.Value {
			y := g.signed(g.norm(g.conv(x, 4, 1), 0))
			return g.bits(g.norm(g.conv(y, 4, 2), 0))
		},
		"a pad of zeros around signs": func(g *exactNet, x *ir.Value) *ir.Value {
			y := g.Op(ir.Pad, map[string]any{"pads": []int{1, 0, 2, 1, 1, 0}, "axes": []int{2, 3, 4}}, g.signed(g.norm(g.conv(x, 4, 1), 0)))
			return g.bits(g.norm(g.Op(ir.Conv, nil, y, g.signs(3, 4, 2, 2, 2)), 0))
		},
		"a pad of -1": func(g *exactNet, x *ir.Value) *ir.Value {
			y := g.Op(ir.Pad, map[string]any{"pads": []int{1, 1, 1, 1, 1, 1}, "axes": []int{2, 3, 4}}, g.signed(g.norm(g.conv(x, 4, 1), 0)), g.scalar(-1))
			return g.bits(g.norm(g.Op(ir.Conv, nil, y, g.signs(3, 4, 3, 3, 3)), 0))
		},
		"a pad of ones around bits": func(g *exactNet, x *ir.Value) *ir.Value {
			y := g.Op(ir.Pad, map[string]any{"pads": []int{1, 1, 1, 1, 1, 1}, "axes": []int{2, 3, 4}}, x, g.scalar(1))
			return g.bits(g.norm(g.Op(ir.Conv, nil, y, g.signs(3, 4, 3, 3, 3)), 0))
		},
		"a mirrored pad": func(g *exactNet, x *ir.Value) *ir.Value {
			y := g.Op(ir.Pad, map[string]any{"pads": []int{1, 1, 1, 1}, "axes": []int{3, 4}, "mode": "reflect"}, x)
			return g.bits(g.norm(g.Op(ir.Conv, nil, y, g.signs(3, 4, 1, 3, 3)), 0))
		},
		"a linear chain": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.norm(g.point(g.conv(g.point(x, 8), 8, 2), 4), 0))
		},
		"whole biases in a linear chain": func(g *exactNet, x *ir.Value) *ir.Value {
			bias := func(z *ir.Value) *ir.Value {
				return g.Op(ir.Add, nil, z, g.vec(z, func(c int) float32 { return float32(c%3 - 1) }))
			}
			return g.bits(g.norm(bias(g.point(bias(g.conv(bias(g.point(x, 8)), 8, 2)), 4)), 0.5))
		},
	}
	for name, net := range cases {
		t.Run(name, func(t *testing.T) {
			g := &exactNet{Rand: rand.New(rand.NewPCG(1, 2)), t: t}
			m := g.build(func(x *ir.Value) *ir.Value { return net(g, first(g, x)) })
			c, res := lowered(t, m)
			if f := floatLayers(c, res); len(f) > 0 {
				t.Errorf("float: %s\n%s", strings.Join(f, ", "), ir.PrintFunc(c.Main()))
			}
		})
	}
}

// TestRealChains: scales and biases that are no whole numbers leave integers and
// comparisons too, of class ideal.
func TestRealChains(t *testing.T) {
	t.Parallel()
	scaled := func(g *exactNet, w *ir.Value, f func(o int) float32) *ir.Value {
		shape := slices.Repeat([]int{1}, w.Type.Rank())
		shape[0] = w.Type.Shape[0]
		return g.Op(ir.Mul, nil, w, g.floats(f, shape...))
	}
	pad := map[string]any{"pad": []int{1, 1, 1, 1, 1, 1}, "groups": 2}
	bias := func(g *exactNet, o int) *ir.Value {
		return g.floats(func(int) float32 { return float32(g.NormFloat64()) * 3 }, o)
	}
	cases := map[string]func(g *exactNet, x *ir.Value) *ir.Value{
		"scaled video": func(g *exactNet, x *ir.Value) *ir.Value {
			return g.bits(g.norm(g.conv(g.Op(ir.Div, nil, x, g.scalar(255)), 8, 1), 0))
		},
		"normalised video, padded": func(g *exactNet, x *ir.Value) *ir.Value {
			y := g.Op(ir.Div, nil, g.Op(ir.Sub, nil, g.Op(ir.Div, nil, x, g.scalar(7)), g.scalar(0.45)), g.scalar(0.23))
			return g.bits(g.norm(g.conv(y, 8, 1), 0))
		},
		"one scale a layer": func(g *exactNet, x *ir.Value) *ir.Value {
			one := func(int) float32 { return 0.37 }
			z := g.Op(ir.Conv, nil, x, scaled(g, g.signs(8, 4, 1, 1, 1), one))
			z = g.Op(ir.Conv, pad, z, scaled(g, g.signs(8, 4, 3, 3, 3), one))
			return g.bits(g.norm(g.Op(ir.Conv, nil, z, scaled(g, g.signs(5, 8, 1, 1, 1), func(o int) float32 { return 0.1 + float32(o) })), 0))
		},
		"powers of two": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.Op(ir.Conv, nil, x, scaled(g, g.signs(8, 4, 1, 1, 1), func(o int) float32 { return []float32{0.25, 0.5, 1, 2}[o%4] }))
			return g.bits(g.norm(g.point(z, 5), 0))
		},
		"biases in a linear chain": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.Op(ir.Conv, nil, x, g.signs(8, 4, 1, 1, 1), bias(g, 8))
			z = g.Op(ir.Conv, pad, z, g.signs(8, 4, 3, 3, 3), bias(g, 8))
			return g.bits(g.norm(g.Op(ir.Conv, nil, z, g.signs(5, 8, 1, 1, 1), bias(g, 5)), 0))
		},
		"biases under strides and pools": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.Op(ir.Conv, nil, x, g.signs(8, 4, 1, 1, 1), bias(g, 8))
			z = g.Op(ir.Conv, map[string]any{"stride": []int{1, 2, 1}, "pad": []int{1, 2, 1, 0, 1, 2}, "dilation": []int{1, 1, 2}}, z, g.signs(6, 8, 2, 3, 2), bias(g, 6))
			return g.bits(g.norm(g.pool(z), 0))
		},
		"few bits behind biases": func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.Op(ir.Conv, nil, x, g.signs(8, 4, 1, 1, 1), bias(g, 8))
			return g.bits(g.norm(g.point(g.levels(g.norm(g.conv(z, 4, 1), 0), 3), 4), 0))
		},
	}
	for name, net := range cases {
		t.Run(name, func(t *testing.T) {
			g := &exactNet{Rand: rand.New(rand.NewPCG(5, 6)), t: t}
			c, res := lowered(t, g.build(func(x *ir.Value) *ir.Value { return net(g, x) }))
			if f := floatLayers(c, res); len(f) > 0 {
				t.Errorf("float: %s\n%s", strings.Join(f, ", "), ir.PrintFunc(c.Main()))
			}
			ideal := false
			for _, cert := range report.Certificates(c, res.Records) {
				ideal = ideal || cert.Class == passes.Ideal
				check, err := cert.Check(&cert)
				if err != nil || len(check.Faults) > 0 {
					t.Errorf("%s: the certificate does not hold: %v %v", cert.Layer, err, check)
				}
			}
			if !ideal {
				t.Error("no layer is of class ideal")
			}
		})
	}
}

// TestLevels: activations of 1 to 8 bits in the surroundings of binary ones.
func TestLevels(t *testing.T) {
	t.Parallel()
	around := map[string]func(g *exactNet, z *ir.Value, act func(*ir.Value) *ir.Value) *ir.Value{
		"plain": func(g *exactNet, z *ir.Value, act func(*ir.Value) *ir.Value) *ir.Value { return act(g.norm(z, 0)) },
		"pool first": func(g *exactNet, z *ir.Value, act func(*ir.Value) *ir.Value) *ir.Value {
			return act(g.norm(g.pool(z), 5))
		},
		"pool between": func(g *exactNet, z *ir.Value, act func(*ir.Value) *ir.Value) *ir.Value {
			return act(g.pool(g.norm(z, 5)))
		},
		"pool behind": func(g *exactNet, z *ir.Value, act func(*ir.Value) *ir.Value) *ir.Value {
			return g.pool(act(g.norm(z, 0)))
		},
		"relu": func(g *exactNet, z *ir.Value, act func(*ir.Value) *ir.Value) *ir.Value {
			return act(g.Op(ir.Relu, nil, g.norm(z, 0)))
		},
		"sliced": func(g *exactNet, z *ir.Value, act func(*ir.Value) *ir.Value) *ir.Value {
			return act(g.Op(ir.Slice, map[string]any{"axes": []int{1}, "starts": []int{1}, "ends": []int{7}}, g.norm(z, 0)))
		},
		"concatenated": func(g *exactNet, z *ir.Value, act func(*ir.Value) *ir.Value) *ir.Value {
			return act(g.Op(ir.Concat, map[string]any{"axis": 1}, g.norm(z, 0), g.norm(z, 1)))
		},
		"a fork": func(g *exactNet, z *ir.Value, act func(*ir.Value) *ir.Value) *ir.Value {
			y := g.norm(z, 0)
			return g.Op(ir.Concat, map[string]any{"axis": 1}, act(y), act(g.Op(ir.Neg, nil, y)))
		},
		"scaled weights": func(g *exactNet, z *ir.Value, act func(*ir.Value) *ir.Value) *ir.Value {
			return act(g.norm(g.Op(ir.Mul, nil, z, g.vec(z, func(c int) float32 { return 0.3 + float32(c) })), 0))
		},
	}
	for name, net := range around {
		for bits := 1; bits <= 8; bits++ {
			g := &exactNet{Rand: rand.New(rand.NewPCG(7, uint64(bits))), t: t}
			m := g.build(func(x *ir.Value) *ir.Value {
				z := g.conv(g.bits(g.norm(g.conv(x, 4, 1), 0)), 8, 2)
				y := net(g, z, func(v *ir.Value) *ir.Value { return g.levels(v, 1<<bits-1) })
				return g.bits(g.norm(g.conv(y, 4, 1), 0))
			})
			c, res := lowered(t, m)
			if f := floatLayers(c, res); len(f) > 0 {
				t.Errorf("%s, %d bits: float: %s\n%s", name, bits, strings.Join(f, ", "), ir.PrintFunc(c.Main()))
			}
		}
	}
}

// TestScaledChain: sums of integers under unlike scales stay float, and the
// ledger says what that means for the comparison behind them.
func TestScaledChain(t *testing.T) {
	t.Parallel()
	g := &exactNet{Rand: rand.New(rand.NewPCG(9, 10)), t: t}
	c, res := lowered(t, g.build(func(x *ir.Value) *ir.Value {
		w := g.Op(ir.Mul, nil, g.signs(8, 4, 1, 1, 1), g.floats(func(int) float32 { return 0.1 + g.Float32() }, 8, 1, 1, 1, 1))
		return g.bits(g.norm(g.point(g.Op(ir.Conv, nil, x, w), 5), 0))
	}))
	for _, e := range report.NewLedger(c, report.Certificates(c, res.Records)).Entries {
		if e.Op == "step" && (e.Class != "ideal" || !strings.Contains(e.Why, "no certificate")) {
			t.Errorf("%+v", e)
		}
	}
	if f := floatLayers(c, res); len(f) == 0 {
		t.Error("no float layer: the test has lost its subject")
	}
}

// TestReassociate: a linear chain through one channel is one convolution, whose
// weights are binary; through several it stays as it is, since the product's
// weights would have no kernel on planes.
func TestReassociate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		convs int // that are left behind the first layer
		net   func(g *exactNet, x *ir.Value) *ir.Value
	}{
		"point by point":                  {1, func(g *exactNet, x *ir.Value) *ir.Value { return g.point(g.point(x, 1), 8) }},
		"wide by point, which costs more": {2, func(g *exactNet, x *ir.Value) *ir.Value { return g.point(g.conv(x, 1, 1), 8) }},
		"point by wide, strided": {1, func(g *exactNet, x *ir.Value) *ir.Value {
			return g.Op(ir.Conv, map[string]any{"stride": []int{1, 2, 2}, "pad": []int{0, 1, 1, 1, 0, 1}}, g.point(x, 1), g.signs(3, 1, 1, 2, 2))
		}},
		"equal groups": {1, func(g *exactNet, x *ir.Value) *ir.Value {
			y := g.Op(ir.Conv, map[string]any{"groups": 2}, x, g.signs(2, 2, 1, 1, 1))
			return g.Op(ir.Conv, map[string]any{"groups": 2}, y, g.signs(6, 1, 1, 1, 1))
		}},
		"several channels": {2, func(g *exactNet, x *ir.Value) *ir.Value { return g.point(g.point(x, 3), 8) }},
		"two readers": {3, func(g *exactNet, x *ir.Value) *ir.Value {
			z := g.point(x, 1)
			return g.Op(ir.Concat, map[string]any{"axis": 1}, g.point(z, 4), g.point(z, 4))
		}},
		"two wide ones": {2, func(g *exactNet, x *ir.Value) *ir.Value { return g.conv(g.conv(x, 1, 1), 8, 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			g := &exactNet{Rand: rand.New(rand.NewPCG(13, 14)), t: t}
			m, _ := lowered(t, g.build(func(x *ir.Value) *ir.Value {
				return g.bits(g.norm(c.net(g, g.bits(g.norm(g.conv(x, 4, 1), 0))), 0))
			}))
			convs := 0
			for _, n := range m.Main().Nodes {
				if n.Is(ir.BConv) || n.Is(ir.IConv) {
					convs++
				}
			}
			if convs-1 != c.convs {
				t.Errorf("%d convolutions, expected %d\n%s", convs-1, c.convs, ir.PrintFunc(m.Main()))
			}
		})
	}
}

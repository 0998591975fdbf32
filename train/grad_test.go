package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// net builds a small function for gradient checks: every constant made with
// param is trained.
type net struct {
	ir.Builder
	r         *rand.Rand
	x         *ir.Value
	trainable map[string]ParamKind
}

func newNet(seed uint64, shape ...int) *net {
	n := &net{r: rand.New(rand.NewPCG(seed, 9)), trainable: map[string]ParamKind{}}
	x := &ir.Value{Type: ir.T(ir.F32, shape...)}
	n.F = &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	// The gradient of the input is that of a parameter that it is multiplied with.
	n.x = n.Op(ir.Mul, nil, x, n.param("x scale", shape...))
	return n
}

func (n *net) param(name string, shape ...int) *ir.Value {
	t := ir.NewTensor(ir.T(ir.F32, shape...))
	for i := range t.Floats() {
		t.Floats()[i] = float32(n.r.NormFloat64())
	}
	n.trainable[name] = KindWeight
	n.Loc = ir.Loc{Name: name}
	v := n.Const(t)
	n.Loc = ir.Loc{Name: "after " + name}
	return v
}

// positive makes a parameter of numbers from 0.5 to 1.5.
func (n *net) positive(name string, shape ...int) *ir.Value {
	v := n.param(name, shape...)
	for i := range v.Def.Const.Floats() {
		v.Def.Const.Floats()[i] = 0.5 + n.r.Float32()
	}
	return v
}

// statistic makes a running statistic of a norm.
func (n *net) statistic(name string, kind ParamKind, channels int) *ir.Value {
	v := n.positive(name, channels)
	n.trainable[name] = kind
	return v
}

func (n *net) ints(v ...int64) *ir.Value { return n.Const(ir.IntTensor(ir.I64, v, len(v))) }

func (n *net) scalar(v float64) *ir.Value { return n.Const(ir.Scalar(ir.F32, v)) }

// trainer makes the trainer of a net with results.
func (n *net) trainer(t *testing.T, units int, results ...*ir.Value) *Trainer {
	t.Helper()
	if n.Err != nil {
		t.Fatal(n.Err)
	}
	for i, v := range results {
		name := "y"
		if i > 0 {
			name = "aux" + string(rune('0'+i))
		}
		n.F.Results = append(n.F.Results, ir.Port{Name: name, Value: v})
	}
	m := &ir.Module{Name: "net", Level: ir.Source, Funcs: []*ir.Func{n.F}}
	tr, err := New(m, Options{Batch: units * n.F.Params[0].Value.Type.Shape[0], Threads: 2, Trainable: n.trainable})
	if err != nil {
		t.Fatal(err)
	}
	in := tr.graph.inputs[0]
	for i := range in.data {
		in.data[i] = float32(n.r.NormFloat64())
	}
	return tr
}

// probe is sum r*y over all heads, r fixed random numbers.
func (tr *Trainer) probe(t *testing.T, r [][]float32) float64 {
	t.Helper()
	if err := tr.graph.forward(); err != nil {
		t.Fatal(err)
	}
	s := 0.0
	for i, h := range tr.heads {
		for j, v := range tr.graph.all(h.logits) {
			s += float64(v) * float64(r[i][j])
		}
	}
	return s
}

// check compares the gradient of every parameter, along random directions, with
// differences.
func check(t *testing.T, tr *Trainer) {
	t.Helper()
	g := tr.graph
	g.training = true
	r := rand.New(rand.NewPCG(5, 5))
	weights := make([][]float32, len(tr.heads))
	for i, h := range tr.heads {
		weights[i] = make([]float32, len(g.all(h.logits)))
		for j := range weights[i] {
			weights[i][j] = float32(r.NormFloat64())
		}
	}
	tr.probe(t, weights)
	for i, h := range tr.heads {
		vec.Add(g.gradOf(h.logits), weights[i])
	}
	for _, v := range g.params {
		clear(v.param.Grad)
		v.grad = v.param.Grad
	}
	g.backward()
	for _, v := range g.params {
		v.grad = nil
	}
	for _, p := range tr.params {
		if p.Statistic {
			continue
		}
		for range 3 {
			d := make([]float64, len(p.Data))
			analytic, size := 0.0, 0.0
			for i := range d {
				d[i] = r.NormFloat64()
				analytic += float64(p.Grad[i]) * d[i]
				size += float64(p.Grad[i]) * float64(p.Grad[i])
			}
			saved := append([]float32{}, p.Data...)
			slope := func(eps float64) float64 {
				at := func(e float64) float64 {
					for i := range p.Data {
						p.Data[i] = float32(float64(saved[i]) + e*d[i])
					}
					return tr.probe(t, weights)
				}
				return (at(eps) - at(-eps)) / (2 * eps)
			}
			const eps = 5e-4
			numeric := (4*slope(eps) - slope(2*eps)) / 3
			copy(p.Data, saved)
			if diff := math.Abs(analytic - numeric); !(diff <= 1e-2*math.Sqrt(size)+1e-3) {
				t.Errorf("%s: gradient %v, differences say %v (norm %.3g)", p.Name, analytic, numeric, math.Sqrt(size))
			}
			if size == 0 {
				t.Errorf("%s: no gradient", p.Name)
			}
		}
	}
	for class, list := range g.free {
		seen := map[*float32]bool{}
		for _, b := range list {
			if p := &b[:1][0]; seen[p] {
				t.Errorf("a buffer of 2^%d is free twice", class)
			} else {
				seen[p] = true
			}
		}
	}
}

type attrs = map[string]any

// smoothFunctions are the elementwise functions of one float operand that are
// not constant between jumps.
func smoothFunctions() []*ir.Op {
	var list []*ir.Op
	for _, op := range ir.Ops() {
		if op.Kind != ir.Elementwise || len(op.Operands) != 1 || op.Operands[0].Variadic || op.Flat || op == ir.Cast {
			continue
		}
		if _, err := op.Infer(&ir.Node{Op: op, Args: []*ir.Value{{Type: ir.T(ir.F32, 1)}}}); err == nil {
			list = append(list, op)
		}
	}
	return list
}

// TestRules: every function that has a slope has a rule, which TestGradients
// checks.
func TestRules(t *testing.T) {
	for _, op := range smoothFunctions() {
		if rules[op] == nil {
			t.Errorf("%s has no gradient rule", op)
		}
	}
}

func TestGradients(t *testing.T) {
	cases := []struct {
		name  string
		shape []int
		build func(n *net) []*ir.Value
	}{
		{"conv3d", []int{1, 3, 3, 4, 5}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Conv, attrs{"pad": []int{1, 1, 1, 1, 1, 1}}, n.x, n.param("w", 9, 3, 3, 3, 3), n.param("b", 9))}
		}},
		{"conv3d stride", []int{1, 2, 5, 7, 6}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Conv, attrs{"pad": []int{1, 2, 0, 1, 1, 1}, "stride": []int{1, 2, 3}}, n.x, n.param("w", 4, 2, 3, 3, 2))}
		}},
		{"conv3d dilation", []int{2, 2, 5, 7, 6}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Conv, attrs{"pad": []int{1, 2, 3, 0, 2, 1}, "stride": []int{2, 1, 2}, "dilation": []int{1, 2, 3}}, n.x, n.param("w", 4, 2, 2, 3, 2))}
		}},
		{"conv large pad", []int{1, 2, 4, 4}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Conv, attrs{"pad": []int{3, 2, 3, 4}, "stride": []int{2, 1}}, n.x, n.param("w", 3, 2, 2, 2))}
		}},
		{"conv3d grouped", []int{1, 16, 2, 3, 9}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Conv, attrs{"pad": []int{1, 1, 1, 1, 1, 1}, "groups": 2}, n.x, n.param("w", 16, 8, 3, 3, 3))}
		}},
		{"depthwise", []int{1, 5, 6, 7}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Conv, attrs{"pad": []int{1, 1, 1, 1}, "groups": 5}, n.x, n.param("w", 10, 1, 3, 3), n.param("b", 10))}
		}},
		{"pointwise", []int{2, 10, 5, 7}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Conv, nil, n.x, n.param("w", 12, 10, 1, 1))}
		}},
		{"conv3d rows of 8", []int{1, 3, 3, 4, 16}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Conv, attrs{"pad": []int{1, 1, 1, 1, 1, 1}}, n.x, n.param("w", 9, 3, 3, 3, 3), n.param("b", 9))}
		}},
		{"conv3d rows of 8, stride", []int{1, 2, 3, 8, 16}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Conv, attrs{"pad": []int{1, 1, 1, 1, 1, 1}, "stride": []int{1, 2, 2}}, n.x, n.param("w", 4, 2, 3, 3, 3))}
		}},
		{"pointwise, channels a page apart", []int{1, 3, 32, 32}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Conv, nil, n.x, n.param("w", 5, 3, 1, 1))}
		}},
		{"max_pool of pairs", []int{1, 2, 4, 32}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.MaxPool, attrs{"kernel": []int{2, 2}, "stride": []int{2, 2}}, n.x)}
		}},
		{"conv1d", []int{1, 3, 70}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Conv, attrs{"pad": []int{2, 2}}, n.x, n.param("w", 4, 3, 5))}
		}},
		{"gemm", []int{2, 7}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Gemm, attrs{"trans_b": true, "alpha": 0.5, "beta": 2.0}, n.x, n.param("w", 9, 7), n.param("b", 9))}
		}},
		{"gemm trans_a", []int{1, 14}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Gemm, attrs{"trans_a": true}, n.Op(ir.Reshape, attrs{"shape": []int{7, 2}}, n.x), n.param("w", 7, 9))}
		}},
		{"matmul", []int{1, 3, 7}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.MatMul, nil, n.x, n.param("w", 7, 5)), n.Op(ir.MatMul, nil, n.param("left", 2, 4, 3), n.x)}
		}},
		{"matmul of data", []int{2, 3, 4}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.MatMul, nil, n.x, n.Op(ir.Transpose, attrs{"perm": []int{0, 2, 1}}, n.x)), n.Op(ir.MatMul, nil, n.x, n.param("v", 4))}
		}},
		{"batch_norm", []int{2, 3, 4, 5}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.BatchNorm, nil, n.x, n.param("scale", 3), n.param("bias", 3), n.statistic("mean", KindMean, 3), n.statistic("var", KindVariance, 3))}
		}},
		{"batch_norm on running statistics", []int{1, 3, 4}, func(n *net) []*ir.Value {
			p := []*ir.Value{n.param("scale", 3), n.param("bias", 3), n.statistic("mean", KindMean, 3), n.statistic("var", KindVariance, 3)}
			y := n.Op(ir.BatchNorm, nil, append([]*ir.Value{n.x}, p...)...)
			return []*ir.Value{n.Op(ir.BatchNorm, nil, append([]*ir.Value{n.Op(ir.Tanh, nil, y)}, p...)...)}
		}},
		{"max_pool", []int{1, 2, 4, 6, 6}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.MaxPool, attrs{"kernel": []int{2, 3, 2}, "stride": []int{2, 2, 2}, "pad": []int{0, 1, 0, 0, 1, 0}}, n.x), n.Op(ir.GlobalMaxPool, nil, n.x)}
		}},
		{"average_pool", []int{1, 2, 6, 7}, func(n *net) []*ir.Value {
			p := attrs{"kernel": []int{3, 2}, "stride": []int{2, 2}, "pad": []int{1, 0, 1, 1}, "count_include_pad": true}
			q := attrs{"kernel": []int{3, 2}, "stride": []int{2, 2}, "pad": []int{1, 0, 1, 1}}
			return []*ir.Value{n.Op(ir.AveragePool, p, n.x), n.Op(ir.AveragePool, q, n.x), n.Op(ir.GlobalAveragePool, nil, n.x)}
		}},
		{"reductions", []int{1, 3, 4, 5}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.ReduceMean, attrs{"axes": []int{2, 3}}, n.x), n.Op(ir.ReduceSum, attrs{"axes": []int{1, 3}, "keepdims": false}, n.x), n.Op(ir.ReduceMean, nil, n.x),
				n.Op(ir.ReduceMax, attrs{"axes": []int{1, 3}}, n.x), n.Op(ir.ReduceMin, attrs{"axes": []int{2}, "keepdims": false}, n.x)}
		}},
		{"unary", []int{1, 40}, func(n *net) []*ir.Value {
			positive := n.Op(ir.Add, nil, n.Op(ir.Abs, nil, n.x), n.scalar(0.5))
			small := n.Op(ir.Mul, nil, n.Op(ir.Tanh, nil, n.x), n.scalar(0.8))
			ys := []*ir.Value{n.Op(ir.LeakyRelu, attrs{"alpha": 0.1}, n.x), n.Op(ir.Clip, nil, n.x, n.scalar(-0.5), n.scalar(1))}
			for _, op := range smoothFunctions() {
				x := n.x
				switch op {
				case ir.Sqrt, ir.Log, ir.Reciprocal:
					x = positive
				case ir.Asin, ir.Acos, ir.Atanh:
					x = small
				case ir.Acosh:
					x = n.Op(ir.Add, nil, positive, n.scalar(1))
				}
				ys = append(ys, n.Op(op, nil, x))
			}
			return ys
		}},
		{"binary", []int{1, 3, 2, 4}, func(n *net) []*ir.Value {
			c, p := n.param("channel", 1, 3, 1, 1), n.positive("last", 4)
			return []*ir.Value{n.Op(ir.Add, nil, n.x, c), n.Op(ir.Sub, nil, c, n.x), n.Op(ir.Mul, nil, n.x, c), n.Op(ir.Div, nil, n.x, p), n.Op(ir.Max, nil, n.x, p), n.Op(ir.Min, nil, c, n.x),
				n.Op(ir.Max, nil, n.x, c, p), n.Op(ir.Sum, nil, n.x, c, p)}
		}},
		{"where", []int{1, 3, 4}, func(n *net) []*ir.Value {
			c := n.Const(ir.IntTensor(ir.Bool, []int64{1, 0, 1}, 3, 1))
			return []*ir.Value{n.Op(ir.Where, nil, c, n.x, n.param("other", 1, 4))}
		}},
		{"views", []int{1, 3, 4, 5}, func(n *net) []*ir.Value {
			split := n.Node(ir.Split, attrs{"axis": 1, "sizes": []int{1, 2}}, n.x)
			return []*ir.Value{n.Op(ir.Transpose, attrs{"perm": []int{0, 2, 3, 1}}, n.x), n.Op(ir.Slice, attrs{"starts": []int{-1, 1}, "ends": []int{-100, 4}, "axes": []int{2, 3}, "steps": []int{-2, 1}}, n.x),
				split.Results[0], split.Results[1], n.Op(ir.Reshape, attrs{"shape": []int{3, 20}}, n.x), n.Op(ir.Unsqueeze, attrs{"axes": []int{0}}, n.x),
				n.Op(ir.Gather, attrs{"axis": 2}, n.x, n.ints(3, 0, 3, -2)), n.Op(ir.Expand, attrs{"shape": []int{2, 3, 4, 5}}, n.x)}
		}},
		{"concat and pad", []int{1, 3, 4}, func(n *net) []*ir.Value {
			return []*ir.Value{n.Op(ir.Concat, attrs{"axis": 2}, n.x, n.param("other", 1, 3, 2), n.x), n.Op(ir.Pad, attrs{"pads": []int{1, 0, 2, 0, 3, 1}}, n.x, n.scalar(2)),
				n.Op(ir.CumSum, attrs{"axis": 1}, n.x), n.Op(ir.CumSum, attrs{"axis": -1, "reverse": true}, n.x)}
		}},
		{"softmax", []int{1, 3, 4}, func(n *net) []*ir.Value {
			y := n.Op(ir.Softmax, attrs{"axis": 1}, n.x)
			z := n.Op(ir.LogSoftmax, attrs{"axis": 2}, n.x)
			return []*ir.Value{n.Op(ir.Neg, nil, y), n.Op(ir.Neg, nil, z)}
		}},
		{"lstm", []int{4, 2, 5}, func(n *net) []*ir.Value {
			l := n.Node(ir.LSTM, attrs{"hidden": 3, "direction": "bidirectional"}, n.x, n.param("w", 2, 12, 5), n.param("r", 2, 12, 3), n.param("b", 2, 24), nil, n.param("h0", 2, 2, 3), n.param("c0", 2, 2, 3))
			return slices.Clone(l.Results)
		}},
		{"lstm batch first", []int{2, 4, 5}, func(n *net) []*ir.Value {
			l := n.Node(ir.LSTM, attrs{"hidden": 3, "direction": "reverse", "layout": 1}, n.x, n.param("w", 1, 12, 5), n.param("r", 1, 12, 3))
			return slices.Clone(l.Results[:2])
		}},
		{"gates", []int{1, 3, 4}, func(n *net) []*ir.Value { // polynomials of numbers between 0 and 1
			b := n.Op(ir.Sigmoid, nil, n.x)
			s := n.Op(ir.Sigmoid, nil, n.param("select", 1, 3, 1))
			or := n.Op(ir.Sub, nil, n.Op(ir.Add, nil, b, s), n.Op(ir.Mul, nil, b, s))
			return []*ir.Value{or, n.Op(ir.Add, nil, n.Op(ir.Mul, nil, s, or), n.Op(ir.Mul, nil, n.Op(ir.Sub, nil, n.scalar(1), s), b))}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := newNet(uint64(len(c.name)), c.shape...)
			results := c.build(n)
			for i, v := range results { // all heads have as many logits
				if n.Err == nil {
					flat := n.Op(ir.Reshape, attrs{"shape": []int{1, v.Type.Elems()}}, v)
					results[i] = n.Op(ir.MatMul, nil, flat, n.Const(mixing(n.r, v.Type.Elems(), 12)))
				}
			}
			check(t, n.trainer(t, 3, results...))
		})
	}
}

// mixing is a fixed random matrix that makes logits of any result.
func mixing(r *rand.Rand, rows, cols int) *ir.Tensor {
	t := ir.NewTensor(ir.T(ir.F32, rows, cols))
	for i := range t.Floats() {
		t.Floats()[i] = float32(r.NormFloat64())
	}
	return t
}

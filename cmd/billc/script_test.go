package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/tests/golden/script"
)

// TestMain makes billc a command of the scripts: the test binary itself. Beside
// it there are broken-billc, which has passes that do not work; tamper, which
// changes a number in a program and seals it again; and floatnet, which writes a
// float network.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"billc": main, "broken-billc": brokenMain, "tamper": tamper, "floatnet": floatNet})
}

// TestScripts runs testdata/*.txtar; -update rewrites what they compare with.
func TestScripts(t *testing.T) {
	testscript.Run(t, script.Params("testdata", ""))
}

// brokenMain is billc with passes that claim to be exact and are not.
func brokenMain() {
	each := func(op *ir.Op, change func(f *ir.Func, i int)) func(*passes.Context, *ir.Module) error {
		return func(_ *passes.Context, m *ir.Module) error {
			f := m.Main()
			for _, n := range slices.Clone(f.Nodes) {
				if n.Is(op) {
					change(f, slices.Index(f.Nodes, n))
				}
			}
			return nil
		}
	}
	registry.Register(&passes.Pass{Name: "wrong-relu", Doc: "Makes relu abs.", Run: each(ir.Relu, func(f *ir.Func, i int) {
		f.Nodes[i].Op = ir.Lookup("abs")
	})})
	registry.Register(&passes.Pass{Name: "wrong-threshold", Packed: true, Doc: "Moves the first threshold of integer convolutions.", Run: each(ir.IConv, func(f *ir.Func, i int) {
		if t := ir.ConstOf(f.Nodes[i].Arg(2)); t != nil {
			wrong := ir.IntTensor(t.Type.DType, slices.Clone(t.Ints()), t.Type.Shape...)
			wrong.Ints()[0] += 1000
			f.Nodes[i].Args[2] = ir.NewConst(wrong, f.Nodes[i].Loc).Result()
			f.Nodes = slices.Insert(f.Nodes, i, f.Nodes[i].Args[2].Def)
		}
	})})
	registry.Register(&passes.Pass{Name: "panic-pool", Doc: "Panics.", Run: each(ir.MaxPool, func(*ir.Func, int) { panic("no pools") })})
	registry.Register(&passes.Pass{Name: "drop-relu", Doc: "Removes a relu that is still read.", Run: each(ir.Relu, func(f *ir.Func, i int) {
		f.Nodes = slices.Delete(f.Nodes, i, i+1)
	})})
	registry.Register(&passes.Pass{Name: "refuse-relu", Doc: "Refuses a relu.", Run: func(_ *passes.Context, m *ir.Module) error {
		for _, n := range m.Main().Nodes {
			if n.Is(ir.Relu) {
				return fmt.Errorf("%s: a relu of %s", n.Loc, n.In(0))
			}
		}
		return nil
	}})
	main()
}

// tamper FROM TO threshold|weight|certificate LAYER copies a program with one
// number of a layer changed and the checksum made anew.
func tamper() {
	from, to, what, layer := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	data, err := os.ReadFile(from)
	check(err)
	img, err := billb.Decode(data)
	check(err)
	i := slices.IndexFunc(img.Code, func(in billb.Instr) bool {
		return in.Name == layer && (in.Op == billb.OpBConv || in.Op == billb.OpIConv || in.Op == billb.OpThreshold)
	})
	if i < 0 {
		check(fmt.Errorf("no layer %q", layer))
	}
	in := img.Code[i]
	change := func(id int) {
		img.Consts[id].Data = slices.Clone(img.Consts[id].Data)
		img.Consts[id].Data[0] ^= 1
	}
	switch {
	case what == "certificate":
		certs, err := report.DecodeCertificates(img.Certificate)
		check(err)
		for k := range certs {
			if certs[k].Layer == layer {
				certs[k].Channels[0].T++
			}
		}
		img.Certificate = report.EncodeCertificates(certs)
	case what == "weight":
		change(in.Const[0])
	case in.Op == billb.OpThreshold:
		change(in.Const[0])
	default:
		change(in.Const[1])
	}
	data, err = img.Encode()
	check(err)
	check(os.WriteFile(to, data, 0o666))
}

// floatNet FILE writes an untrained float network as text: a video stem, a
// residual block, a pool, another convolution, an LSTM and a linear layer.
func floatNet() {
	rng := rand.New(rand.NewPCG(3, 5))
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "clip", Value: &ir.Value{Type: ir.T(ir.F32, 1, 3, 4, 8, 8)}}}}
	b := &ir.Builder{F: f}
	random := func(shift, scale float32, shape ...int) *ir.Value {
		v := make([]float32, ir.T(ir.F32, shape...).Elems())
		for i := range v {
			v[i] = shift + scale*float32(rng.NormFloat64())
		}
		return b.Const(ir.FloatTensor(v, shape...))
	}
	conv := func(name string, x *ir.Value, out int) *ir.Value {
		b.Loc.Name = name
		in := x.Type.Shape[1]
		y := b.Op(ir.Conv, map[string]any{"pad": []int{1, 1, 1, 1, 1, 1}}, x, random(0, 0.2, out, in, 3, 3, 3))
		b.Loc.Name = name + ".bn"
		variance := make([]float32, out)
		for i := range variance {
			variance[i] = 0.5 + rng.Float32()
		}
		return b.Op(ir.BatchNorm, nil, y, random(1, 0.1, out), random(0, 0.1, out), random(0, 0.1, out), b.Const(ir.FloatTensor(variance, out)))
	}
	relu := func(name string, x *ir.Value) *ir.Value {
		b.Loc.Name = name
		return b.Op(ir.Relu, nil, x)
	}
	x := relu("stem.act", conv("stem", f.Params[0].Value, 8))
	y := conv("block", x, 8)
	b.Loc.Name = "block.add"
	x = relu("block.act", b.Op(ir.Add, nil, y, x))
	b.Loc.Name = "pool"
	x = b.Op(ir.MaxPool, map[string]any{"kernel": []int{1, 2, 2}, "stride": []int{1, 2, 2}}, x)
	x = relu("top.act", conv("top", x, 16))
	b.Loc.Name = "mean"
	x = b.Op(ir.ReduceMean, map[string]any{"axes": []int{3, 4}, "keepdims": false}, x)
	b.Loc.Name = "steps"
	x = b.Op(ir.Transpose, map[string]any{"perm": []int{2, 0, 1}}, x)
	b.Loc.Name = "lstm"
	cell := b.Node(ir.LSTM, map[string]any{"hidden": 6}, x, random(0, 0.3, 1, 24, 16), random(0, 0.3, 1, 24, 6))
	check(b.Err)
	b.Loc.Name = "state"
	x = b.Op(ir.Squeeze, map[string]any{"axes": []int{0}}, cell.Results[1])
	b.Loc.Name = "fc"
	f.Results = []ir.Port{{Name: "logits", Value: b.Op(ir.MatMul, nil, x, random(0, 0.5, 6, 3))}}
	check(b.Err)
	check(bill.WriteFile(os.Args[1], &ir.Module{Name: "floatnet", Level: ir.Source, Funcs: []*ir.Func{f}}))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

package ops_test

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
)

// direct says how a node that the code generator does not emit is one
// instruction, so that the instruction can be compared all the same.
var direct = map[string]func(n *ir.Node) (ints []int64, floats []float64){
	"arg_max": func(n *ir.Node) ([]int64, []float64) {
		a, _ := ir.Axis(n.Int("axis"), n.In(0).Rank())
		return []int64{int64(a), flag(n.Bool("select_last"))}, nil
	},
	"average_pool": func(n *ir.Node) ([]int64, []float64) {
		k := n.In(0).Rank() - 2
		v := append(list(n, "kernel", k, 1), list(n, "stride", k, 1)...)
		v = append(append(v, list(n, "pad", 2*k, 0)...), list(n, "dilation", k, 1)...)
		return append(v, flag(n.Bool("count_include_pad"))), nil
	},
	"elu":        func(n *ir.Node) ([]int64, []float64) { return nil, []float64{n.Float("alpha")} },
	"reciprocal": func(n *ir.Node) ([]int64, []float64) { return nil, nil },
	"recode":     func(n *ir.Node) ([]int64, []float64) { return nil, nil },
	"gather_elements": func(n *ir.Node) ([]int64, []float64) {
		a, _ := ir.Axis(n.Int("axis"), n.In(0).Rank())
		return []int64{int64(a)}, nil
	},
	"pad": func(n *ir.Node) ([]int64, []float64) {
		v := list(n, "pads", n.In(0).Rank(), 0)
		return append(v, int64(slices.Index([]string{"constant", "reflect", "edge", "wrap"}, n.Str("mode")))), nil
	},
	"rnn": func(n *ir.Node) ([]int64, []float64) {
		v := []int64{int64(slices.Index([]string{"forward", "reverse", "bidirectional"}, n.Str("direction"))), int64(n.Int("layout"))}
		names := []string{"Relu", "Tanh", "Sigmoid", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu", "Softsign", "Softplus"}
		for _, a := range n.Strs("activations") {
			v = append(v, int64(slices.Index(names, a)))
		}
		return v, []float64{n.Float("clip")}
	},
	"bipolar_quant":     func(n *ir.Node) ([]int64, []float64) { return nil, nil },
	"quant":             quantInts,
	"trunc_quant":       quantInts,
	"quantize_linear":   func(n *ir.Node) ([]int64, []float64) { return nil, nil },
	"dequantize_linear": func(n *ir.Node) ([]int64, []float64) { return nil, nil },
	"quant_lstm_cell": func(n *ir.Node) ([]int64, []float64) {
		v := []int64{flag(n.Bool("batch_first")), flag(n.Bool("reverse_input")), flag(n.Bool("cifg"))}
		for i := range 11 {
			v = append(v, int64(n.Ints("signed")[i]), int64(n.Ints("narrow")[i]), rounding[n.Strs("rounding")[i]])
		}
		return v, nil
	},
}

var rounding = map[string]int64{"ROUND": 0, "HALF_EVEN": 0, "CEIL": 1, "FLOOR": 2, "UP": 3, "DOWN": 4, "ROUND_TO_ZERO": 4, "HALF_UP": 5, "HALF_DOWN": 6}

func quantInts(n *ir.Node) ([]int64, []float64) {
	return []int64{flag(n.Bool("signed")), flag(n.Bool("narrow")), rounding[n.Str("rounding")]}, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func list(n *ir.Node, name string, k int, fill int64) []int64 {
	out := make([]int64, k)
	for i := range out {
		out[i] = fill
		if v := n.Ints(name); i < len(v) {
			out[i] = int64(v[i])
		}
	}
	return out
}

// image is a function whose nodes all are constants or in direct, nil when one
// is not.
func image(m *ir.Module) *runtime.Image {
	img := &runtime.Image{Name: m.Name}
	ids := map[*ir.Value]int{} // operands
	buffer := func(v *ir.Value) int {
		e, _ := runtime.ParseElem(v.Type.DType.String())
		b := runtime.Buffer{Elem: e, Shape: v.Type.Shape, Offset: img.Arena}
		size, err := b.Size()
		if err != nil {
			panic(err)
		}
		img.Arena += (size + 63) / 64 * 64
		img.Buffers = append(img.Buffers, b)
		ids[v] = len(img.Buffers) - 1
		return ids[v]
	}
	port := func(p ir.Port, id int) runtime.Port {
		return runtime.Port{Name: p.Name, Elem: img.Buffers[id].Elem, Shape: p.Value.Type.Shape, Buffer: id}
	}
	f := m.Main()
	for _, p := range f.Params {
		img.Inputs = append(img.Inputs, port(p, buffer(p.Value)))
	}
	for _, n := range f.Nodes {
		if n.Const != nil {
			e, _ := runtime.ParseElem(n.Const.Type.DType.String())
			img.Consts = append(img.Consts, runtime.Const{Elem: e, Shape: n.Const.Type.Shape, Data: n.Const.Data()})
			ids[n.Result()] = runtime.ConstOperand(len(img.Consts) - 1)
			continue
		}
		op, ok := runtime.LookupOpcode(n.Op.Name)
		if direct[n.Op.Name] == nil || !ok {
			return nil
		}
		in := runtime.Instr{Op: op, Name: n.Op.Name}
		in.Ints, in.Floats = direct[n.Op.Name](n)
		for i, a := range n.Args {
			if n.Is("quant_lstm_cell") && i >= 3 {
				if ids[a] >= 0 {
					return nil
				}
				in.Const = append(in.Const, -2-ids[a])
				continue
			}
			id := -1
			if a != nil {
				id = ids[a]
			}
			if (n.Is("quantize_linear") || n.Is("dequantize_linear")) && i > 0 && id < -1 {
				along(img, id, n)
			}
			in.In = append(in.In, id)
		}
		for _, r := range n.Results {
			in.Out = append(in.Out, buffer(r))
		}
		img.Code = append(img.Code, in)
	}
	for _, r := range f.Results {
		if ids[r.Value] < 0 {
			return nil
		}
		img.Outputs = append(img.Outputs, port(r, ids[r.Value]))
	}
	return img
}

// along gives a constant of one element an index on the node's axis the shape
// under which it broadcasts.
func along(img *runtime.Image, id int, n *ir.Node) {
	c := &img.Consts[-2-id]
	if len(c.Shape) != 1 || c.Shape[0] == 1 {
		return
	}
	a, _ := ir.Axis(n.Int("axis"), n.In(0).Rank())
	shape := make([]int, n.In(0).Rank())
	for i := range shape {
		shape[i] = 1
	}
	shape[a] = c.Shape[0]
	c.Shape = shape
}

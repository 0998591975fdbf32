package onnx

import (
	"slices"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/ir"
)

// exports maps every operation onto ONNX, the inverse of handlers for those
// that have an operator of their own.
var exports = map[*ir.Op]func(e *exporter, n *ir.Node){}

func init() {
	for op, form := range sourceExports {
		exports[op] = func(e *exporter, n *ir.Node) { e.source(n, form(e, n)) }
	}
	for op, f := range logicExports {
		exports[op] = f
	}
	for op, f := range lstmExports {
		exports[op] = f
	}
	for _, op := range ir.Ops() { // what is left is one operator on the same operands
		if exports[op] == nil && op.Onnx != "" && len(op.Attrs) == 0 && op != ir.Const {
			exports[op] = func(e *exporter, n *ir.Node) { e.source(n, asIs()) }
		}
	}
}

// form is the part of an operator that is not its data operands.
type form struct {
	domain   string // "" for the default one
	attrs    []*onnxpb.Attribute
	operands []string                     // after the data operands
	arrange  func(data []string) []string // puts all operands in order instead
}

func asIs(attrs ...*onnxpb.Attribute) form { return form{attrs: attrs} }

// source exports a node as the one operator that it came from or could have
// come from.
func (e *exporter) source(n *ir.Node, f form) {
	d := n.Result().Type.DType
	data := dataOperands(n)
	asNumbers := data != nil && !d.IsFloat() && d != ir.Bool && slices.ContainsFunc(data, e.travelsAsNumbers)
	from := d
	if len(n.Args) > 0 && n.Args[0] != nil {
		from = n.In(0).DType
	}
	over, ok := operatorType(n.Op, from)
	if !ok && !asNumbers {
		e.failf("ONNX has no %s over %s", n.Op.Onnx, from)
	}
	recast := over != from && !asNumbers
	var inputs []string
	for _, a := range n.Args {
		switch {
		case asNumbers && slices.Contains(data, a) && a != nil:
			inputs = append(inputs, e.num(a))
		case recast && a != nil && a.Type.DType == from:
			inputs = append(inputs, e.cast(e.native(a), over))
		default:
			inputs = append(inputs, e.native(a))
		}
	}
	if f.arrange != nil {
		inputs = f.arrange(inputs)
	}
	inputs = append(inputs, f.operands...)
	var outputs []string
	for range n.Results {
		outputs = append(outputs, unique(e.names, e.loc))
	}
	e.node(f.domain, n.Op.Onnx, inputs, outputs, f.attrs...)
	for i, r := range n.Results {
		switch {
		case asNumbers:
			e.slots[r] = &slot{num: outputs[i]}
		case recast && r.Type.DType == from:
			e.slots[r] = &slot{native: e.cast(outputs[i], from)}
		default:
			e.slots[r] = &slot{native: outputs[i]}
		}
	}
}

// dataOperands lists the operands whose elements an operation only takes, in
// whatever form they travel; nil for an operation that does more, or that has
// a value of its own for no elements.
func dataOperands(n *ir.Node) []*ir.Value {
	if !takesElements(n) {
		return nil
	}
	var data []*ir.Value
	for i, a := range n.Args {
		if !n.Op.Operand(i).Index {
			data = append(data, a)
		}
	}
	return data
}

// takesElements reports whether every element of a result is one of an operand,
// or a fill of 0.
func takesElements(n *ir.Node) bool {
	return n.Op.Takes() && (n.Op.Kind != ir.Reduces || n.In(0).Elems() > 0)
}

// travelsAsNumbers reports whether a value is there as float32 numbers rather
// than in its own type.
func (e *exporter) travelsAsNumbers(v *ir.Value) bool {
	if v == nil {
		return false
	}
	if v.Type.DType.IsLogic() {
		return true
	}
	s := e.slots[v]
	return s != nil && s.native == "" && s.num != ""
}

// sourceExports give attributes and shape-like operands their names and places
// in ONNX.
var sourceExports = map[*ir.Op]func(e *exporter, n *ir.Node) form{
	ir.Elu:        func(e *exporter, n *ir.Node) form { return asIs(attrFloat("alpha", n.Float("alpha"))) },
	ir.LeakyRelu:  func(e *exporter, n *ir.Node) form { return asIs(attrFloat("alpha", n.Float("alpha"))) },
	ir.Softmax:    axisAttr,
	ir.LogSoftmax: axisAttr,
	ir.Concat:     axisAttr,
	ir.Gather:     axisAttr,
	ir.HardSigmoid: func(e *exporter, n *ir.Node) form {
		return asIs(attrFloat("alpha", n.Float("alpha")), attrFloat("beta", n.Float("beta")))
	},
	ir.GatherElements: axisAttr,
	ir.GatherND:       func(e *exporter, n *ir.Node) form { return asIs(attrInt("batch_dims", n.Int("batch_dims"))) },
	ir.Mod:            func(e *exporter, n *ir.Node) form { return asIs(attrInt("fmod", b2i(n.Bool("fmod")))) },
	ir.TopK: func(e *exporter, n *ir.Node) form {
		f := asIs(attrInt("axis", n.Int("axis")), attrInt("largest", b2i(n.Bool("largest"))))
		f.operands = []string{e.ints([]int{n.Int("k")})}
		return f
	},
	ir.Scatter: func(e *exporter, n *ir.Node) form {
		f := asIs()
		if r := n.Str("reduction"); r != "none" {
			f = asIs(attrString("reduction", r))
		}
		f.arrange = func(in []string) []string {
			return []string{in[0], e.emit("Unsqueeze", []string{in[1], e.ints([]int{1})}), in[2]}
		}
		return f
	},
	ir.Cast: func(e *exporter, n *ir.Node) form {
		code, err := dtypeOf(n.Result().Type.DType)
		if err != nil {
			e.failf("%w", err)
		}
		return asIs(attrInt("to", int(code)))
	},
	ir.Gemm: func(e *exporter, n *ir.Node) form {
		return asIs(attrFloat("alpha", n.Float("alpha")), attrFloat("beta", n.Float("beta")), attrInt("transA", b2i(n.Bool("trans_a"))), attrInt("transB", b2i(n.Bool("trans_b"))))
	},

	ir.Conv:        convForm,
	ir.ConvInteger: convForm,
	ir.QLinearConv: convForm,
	ir.MaxPool:     poolForm,
	ir.AveragePool: func(e *exporter, n *ir.Node) form {
		f := poolForm(e, n)
		f.attrs = append(f.attrs, attrInt("count_include_pad", b2i(n.Bool("count_include_pad"))))
		return f
	},
	ir.BatchNorm: func(e *exporter, n *ir.Node) form { return asIs(attrFloat("epsilon", n.Float("epsilon"))) },

	ir.ReduceMax:  reduceForm,
	ir.ReduceMean: reduceForm,
	ir.ReduceMin:  reduceForm,
	ir.ReduceProd: reduceForm,
	ir.ReduceSum:  reduceForm,
	ir.ArgMax: func(e *exporter, n *ir.Node) form {
		return asIs(attrInt("axis", n.Int("axis")), attrInt("keepdims", b2i(n.Bool("keepdims"))), attrInt("select_last_index", b2i(n.Bool("select_last"))))
	},

	ir.Reshape: func(e *exporter, n *ir.Node) form {
		shape := n.Ints("shape")
		f := form{operands: in(e.ints(shape))}
		if slices.Contains(shape, 0) {
			f.attrs = []*onnxpb.Attribute{attrInt("allowzero", 1)}
		}
		return f
	},
	ir.Expand:    func(e *exporter, n *ir.Node) form { return form{operands: in(e.ints(n.Ints("shape")))} },
	ir.Tile:      func(e *exporter, n *ir.Node) form { return form{operands: in(e.ints(n.Ints("repeats")))} },
	ir.Squeeze:   func(e *exporter, n *ir.Node) form { return form{operands: in(e.intsIf(n.Ints("axes")))} },
	ir.Unsqueeze: func(e *exporter, n *ir.Node) form { return form{operands: in(e.ints(n.Ints("axes")))} },
	ir.Transpose: func(e *exporter, n *ir.Node) form { return asIs(attrInts("perm", n.Ints("perm"))) },
	ir.Split: func(e *exporter, n *ir.Node) form {
		return form{attrs: []*onnxpb.Attribute{attrInt("axis", n.Int("axis"))}, operands: in(e.ints(n.Ints("sizes")))}
	},
	ir.Slice: func(e *exporter, n *ir.Node) form {
		return form{operands: in(e.ints(n.Ints("starts")), e.ints(n.Ints("ends")), e.intsIf(n.Ints("axes")), e.intsIf(n.Ints("steps")))}
	},
	ir.Pad: padForm,
	ir.CumSum: func(e *exporter, n *ir.Node) form {
		f := asIs(attrInt("reverse", b2i(n.Bool("reverse"))))
		f.operands = in(e.ints([]int{n.Int("axis")}))
		return f
	},
	ir.DepthToSpace: func(e *exporter, n *ir.Node) form {
		return asIs(attrInt("blocksize", n.Int("blocksize")), attrString("mode", n.Str("mode")))
	},
	ir.Resize: resizeForm,

	ir.LSTM: func(e *exporter, n *ir.Node) form {
		return recurrentForm(e, n, attrInt("input_forget", b2i(n.Bool("input_forget"))))
	},
	ir.GRU: func(e *exporter, n *ir.Node) form {
		return recurrentForm(e, n, attrInt("linear_before_reset", b2i(n.Bool("linear_before_reset"))))
	},
	ir.RNN: func(e *exporter, n *ir.Node) form { return recurrentForm(e, n) },

	ir.QuantizeLinear: func(e *exporter, n *ir.Node) form {
		f := axisAttr(e, n)
		if n.Has("to") {
			code, _ := dtypeOf(n.Result().Type.DType)
			f.attrs = append(f.attrs, attrInt("output_dtype", int(code)))
		}
		return f
	},
	ir.DequantizeLinear: axisAttr,
	ir.BipolarQuant:     func(e *exporter, n *ir.Node) form { return e.qonnx() },
	ir.Quant:            quantForm,
	ir.TruncQuant:       quantForm,
	ir.QuantLSTMCell:    quantLSTMForm,
}

// intsIf is ints, or an operand left out for an empty list.
func (e *exporter) intsIf(v []int) string {
	if len(v) == 0 {
		return ""
	}
	return e.ints(v)
}

func axisAttr(e *exporter, n *ir.Node) form { return asIs(attrInt("axis", n.Int("axis"))) }

func windowForm(n *ir.Node) []*onnxpb.Attribute {
	return []*onnxpb.Attribute{attrInts("strides", n.Ints("stride")), attrInts("pads", n.Ints("pad")), attrInts("dilations", n.Ints("dilation"))}
}

func convForm(e *exporter, n *ir.Node) form {
	return asIs(append(windowForm(n), attrInt("group", n.Int("groups")))...)
}

func poolForm(e *exporter, n *ir.Node) form {
	return asIs(append(windowForm(n), attrInts("kernel_shape", n.Ints("kernel")), attrInt("ceil_mode", b2i(n.Bool("ceil"))))...)
}

// reduceForm: the axes of sums are an operand; those of other reductions are
// one from operator set 18 on.
func reduceForm(e *exporter, n *ir.Node) form {
	f := asIs(attrInt("keepdims", b2i(n.Bool("keepdims"))))
	if n.Is(ir.ReduceSum) || e.opsets[""] >= 18 {
		f.operands = in(e.intsIf(n.Ints("axes")))
	} else {
		f.attrs = append(f.attrs, attrInts("axes", n.Ints("axes")))
	}
	return f
}

// padForm: the sizes come before the value, the last data operand, and the axes
// behind it.
func padForm(e *exporter, n *ir.Node) form {
	f := asIs(attrString("mode", n.Str("mode")))
	f.arrange = func(data []string) []string {
		data = append(data, "")
		return in(data[0], e.ints(n.Ints("pads")), data[1], e.intsIf(n.Ints("axes")))
	}
	return f
}

func resizeForm(e *exporter, n *ir.Node) form {
	f := asIs(attrString("mode", "nearest"), attrString("coordinate_transformation_mode", n.Str("coordinates")), attrString("nearest_mode", n.Str("nearest")))
	if s := n.Floats("scales"); len(s) > 0 {
		t := ir.NewTensor(ir.T(ir.F32, len(s)))
		for i, v := range s {
			t.Floats()[i] = float32(v)
		}
		f.operands = in("", e.shared(e.loc+".scales", t))
	} else {
		f.operands = in("", "", e.ints(n.Ints("sizes")))
	}
	return f
}

// recurrentForm is that of a recurrent layer. ONNX always has input weights: those
// that pick its sums from an input that has them already are ones in the diagonal.
func recurrentForm(e *exporter, n *ir.Node, more ...*onnxpb.Attribute) form {
	attrs := append(more,
		attrInt("hidden_size", n.In(2).Shape[2]),
		attrString("direction", n.Str("direction")),
		attrStrings("activations", n.Strs("activations")),
		attrFloats("activation_alpha", n.Floats("activation_alpha")),
		attrFloats("activation_beta", n.Floats("activation_beta")),
	)
	if clip := n.Float("clip"); clip != 0 {
		attrs = append(attrs, attrFloat("clip", clip))
	}
	if layout := n.Int("layout"); layout != 0 {
		attrs = append(attrs, attrInt("layout", layout))
	}
	f := asIs(attrs...)
	if n.Arg(1) != nil {
		return f
	}
	d, rows, in := n.In(2).Shape[0], n.In(2).Shape[1], n.In(0).Shape[2]
	pick := ir.NewTensor(ir.T(n.In(0).DType, d, rows, in))
	for i := range d * rows {
		pick.SetFloat(i*in+i, 1)
	}
	f.arrange = func(data []string) []string {
		data[1] = e.initializer(e.loc+".w", pick)
		return data
	}
	return f
}

// qonnxDomain is the domain of quantizers that ONNX itself does not have.
const qonnxDomain = "qonnx.custom_op.general"

// qonnx declares the domain.
func (e *exporter) qonnx(attrs ...*onnxpb.Attribute) form {
	e.opsets[qonnxDomain] = max(e.opsets[qonnxDomain], 1)
	return form{domain: qonnxDomain, attrs: attrs}
}

func quantForm(e *exporter, n *ir.Node) form {
	f := e.qonnx(attrInt("signed", b2i(n.Bool("signed"))), attrInt("narrow", b2i(n.Bool("narrow"))), attrString("rounding_mode", n.Str("rounding")))
	if n.Is(ir.TruncQuant) && n.Arg(4) == nil { // the first version has no scale of the result
		f.arrange = func(data []string) []string { return slices.Delete(data, 4, 5) }
	} else if n.Is(ir.TruncQuant) {
		e.opsets[qonnxDomain] = 2
	}
	return f
}

func quantLSTMForm(e *exporter, n *ir.Node) form {
	attrs := []*onnxpb.Attribute{
		attrInt("batch_first", b2i(n.Bool("batch_first"))), attrInt("reverse_input", b2i(n.Bool("reverse_input"))), attrInt("cifg", b2i(n.Bool("cifg"))),
	}
	for i, q := range lstmQuantizers {
		attrs = append(attrs, attrInt(q+"_signed", n.Ints("signed")[i]), attrInt(q+"_narrow", n.Ints("narrow")[i]), attrString(q+"_rounding_mode", n.Strs("rounding")[i]))
	}
	return e.qonnx(attrs...)
}

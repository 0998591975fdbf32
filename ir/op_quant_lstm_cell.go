package ir

import (
	"fmt"
	"math"
)

// The quantizers of a quant_lstm_cell, in the order of its operands.
const (
	quantOutput = iota
	quantCellState
	quantInputAcc
	quantForgetAcc
	quantCellAcc
	quantOutputAcc
	quantInputSigmoid
	quantForgetSigmoid
	quantCellTanh
	quantOutputSigmoid
	quantHiddenTanh
	quantizerCount
)

var quantizerNames = [quantizerCount]string{"output", "cell_state", "input_acc", "forget_acc", "cell_acc", "output_acc",
	"input_sigmoid", "forget_sigmoid", "cell_tanh", "output_sigmoid", "hidden_tanh"}

// The first operands of the weights, biases and quantizers of a quant_lstm_cell.
const (
	quantLSTMInput  = 3
	quantLSTMHidden = 7
	quantLSTMBias   = 11
	quantLSTMParams = 15
)

var QuantLSTMCell = register(&Op{
	Name: "quant_lstm_cell",
	Doc: "A quantized LSTM over S steps; gates in the order i f c o, Q a quantizer as in quant, (x) the elementwise product. A step:\n" +
		"  i = Q_input_sigmoid(sigmoid(Q_input_acc(Wii x + Whi h + bi)))\n" +
		"  f = Q_forget_sigmoid(sigmoid(Q_forget_acc(Wif x + Whf h + bf))), or Q_input_sigmoid(1) - i with cifg\n" +
		"  g = Q_cell_tanh(tanh(Q_cell_acc(Wic x + Whc h + bc)))\n" +
		"  o = Q_output_sigmoid(sigmoid(Q_output_acc(Wio x + Who h + bo)))\n" +
		"  C = Q_cell_state(Q_cell_state(f (x) c) + Q_cell_state(i (x) g))\n" +
		"  H = Q_output(o (x) Q_hidden_tanh(tanh(C)))\n" +
		"y[t] belongs to x[t], in reverse too.",
	Onnx:     "QuantLSTMCell",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Recurs,
	Operands: quantLSTMOperands(),
	Results:  []Param{{Name: "y", Doc: "[S,B,H]: every step's hidden state"}, {Name: "y_h", Doc: "[B,H]: the last hidden state"}, {Name: "y_c", Doc: "[B,H]: the last cell state"}},
	Attrs: []Attr{
		{Name: "batch_first", Kind: KBool, Default: false, Doc: "x is [B,S,I] and y [B,S,H]"},
		{Name: "reverse_input", Kind: KBool, Default: false, Doc: "the last step comes first"},
		{Name: "cifg", Kind: KBool, Default: false, Doc: "the forget gate is coupled to the input gate"},
		{Name: "signed", Kind: KInts, Default: []int{1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1}, Doc: "1 for quantizers with signed integers, in the order of the operands"},
		{Name: "narrow", Kind: KInts, Default: make([]int, quantizerCount), Doc: "1 for quantizers with a narrow range, in the order of the operands"},
		{Name: "rounding", Kind: KStrings, Default: []string{"ROUND", "ROUND", "ROUND", "ROUND", "ROUND", "ROUND", "ROUND", "ROUND", "ROUND", "ROUND", "ROUND"},
			Doc: "every quantizer's rounding: " + roundingDoc},
	},
	Infer: func(n *Node) ([]Type, error) {
		_, types, err := quantLSTMGeometry(n)
		return types, err
	},
	Eval: func(n *Node, in []*Tensor) ([]*Tensor, error) {
		c, types, err := quantLSTMGeometry(n)
		if err != nil {
			return nil, err
		}
		c.quantizers(n, in)
		return c.eval(n, in, types), nil
	},
	Work: func(n *Node) int {
		c, _, err := quantLSTMGeometry(n)
		if err != nil {
			return 0
		}
		return c.work()
	},
	Reads: func(n *Node, result, operand int) []Read {
		c, _, err := quantLSTMGeometry(n)
		if err != nil {
			return make([]Read, n.In(operand).Rank())
		}
		return c.reads(n, result, operand)
	},
	Example: `
  %1 = const [1, -1] : f32[2,1,1]
  %2 = const [0] : f32[1,1]
  %3 = const [0.5] : f32[1,1]
  %4 = const [0] : f32[]
  %5 = const [0.0625] : f32[]
  %6 = const [8] : f32[]
  %7, %8, %9 = quant_lstm_cell %1, %2, %2, %3, %3, %3, %3, %3, %3, %3, %3, %4, %4, %4, %4, %5, %4, %6, %5, %4, %6, %5, %4, %6, %5, %4, %6, %5, %4, %6, %5, %4, %6, %5, %4, %6, %5, %4, %6, %5, %4, %6, %5, %4, %6, %5, %4, %6 : f32[2,1,1], f32[1,1], f32[1,1]
  return %7 "y", %8 "y_h", %9 "y_c"`,
})

func quantLSTMOperands() []Param {
	p := []Param{{Name: "x", Doc: "[S,B,I] float"}, {Name: "h0", Doc: "initial hidden state, broadcasts to [B,H]"}, {Name: "c0", Doc: "initial cell state, broadcasts to [B,H]"}}
	for _, side := range []string{"i", "h"} {
		for _, g := range []string{"i", "f", "c", "o"} {
			doc := "[H,I]: input weights"
			if side == "h" {
				doc = "[H,H]: recurrent weights"
			}
			p = append(p, Param{Name: "w_" + side + g, Doc: doc})
		}
	}
	for _, g := range []string{"i", "f", "c", "o"} {
		p = append(p, Param{Name: "b_" + g, Doc: "bias, broadcasts to [H]"})
	}
	for _, q := range quantizerNames {
		p = append(p, Param{Name: q + "_scale", Doc: "one number"}, Param{Name: q + "_zeropt", Doc: "one number"}, Param{Name: q + "_bits", Doc: "one number"})
	}
	return p
}

// quantLSTM is the geometry of a quant_lstm_cell and, for evaluation, its
// quantizers as functions.
type quantLSTM struct {
	recurrence
	q [quantizerCount]func(x float64) float64
}

// quantLSTMGeometry checks operands and attributes and returns the types of the
// results.
func quantLSTMGeometry(n *Node) (*quantLSTM, []Type, error) {
	x, w := n.In(0), n.In(quantLSTMHidden)
	if !x.DType.IsFloat() || x.Rank() != 3 {
		return nil, nil, fmt.Errorf("x is %s, expected floats with 3 axes", x)
	}
	if w.Rank() != 2 {
		return nil, nil, fmt.Errorf("%s is %s, expected 2 axes", n.Op.Operands[quantLSTMHidden].Name, w)
	}
	c := &quantLSTM{recurrence: recurrence{dirs: 1, gates: 4, in: x.Shape[2], hidden: w.Shape[0]}}
	c.steps, c.batch, c.batchFirst = x.Shape[0], x.Shape[1], n.Bool("batch_first")
	if c.batchFirst {
		c.steps, c.batch = c.batch, c.steps
	}
	c.reverse[0] = n.Bool("reverse_input")
	for g := range 4 {
		if err := expectType(n, quantLSTMInput+g, T(x.DType, c.hidden, c.in)); err != nil {
			return nil, nil, err
		}
		if err := expectType(n, quantLSTMHidden+g, T(x.DType, c.hidden, c.hidden)); err != nil {
			return nil, nil, err
		}
		if err := broadcastsTo(n, quantLSTMBias+g, []int{c.hidden}); err != nil {
			return nil, nil, err
		}
	}
	for i := 1; i < quantLSTMInput; i++ {
		if err := broadcastsTo(n, i, []int{c.batch, c.hidden}); err != nil {
			return nil, nil, err
		}
	}
	for i := quantLSTMParams; i < len(n.Args); i++ {
		if p := n.In(i); !isNumber(p.DType) || p.Elems() != 1 {
			return nil, nil, fmt.Errorf("%s is %s, expected one number", n.Op.Operands[i].Name, p)
		}
	}
	if s, r, names := n.Ints("signed"), n.Ints("narrow"), n.Strs("rounding"); len(s) != quantizerCount || len(r) != quantizerCount || len(names) != quantizerCount {
		return nil, nil, fmt.Errorf("%d of signed, %d of narrow and %d of rounding, expected %d each", len(s), len(r), len(names), quantizerCount)
	}
	for _, name := range n.Strs("rounding") {
		if err := checkRounding(name); err != nil {
			return nil, nil, err
		}
	}
	y := T(x.DType, c.steps, c.batch, c.hidden)
	if c.batchFirst {
		y = T(x.DType, c.batch, c.steps, c.hidden)
	}
	state := T(x.DType, c.batch, c.hidden)
	return c, []Type{y, state, state}, nil
}

// quantizers makes the quantizers from their operands.
func (c *quantLSTM) quantizers(n *Node, in []*Tensor) {
	for i := range c.q {
		q := &quantizer{n.In(0).DType, n.Ints("signed")[i] != 0, n.Ints("narrow")[i] != 0, roundings[n.Strs("rounding")[i]]}
		p := in[quantLSTMParams+3*i:]
		scale, zero, bits := p[0].Float(0), p[1].Float(0), p[2].Float(0)
		c.q[i] = func(x float64) float64 { return q.grid(x, scale, zero, bits) }
	}
}

// eval runs all sequences. All arithmetic is rounded to x's type.
func (c *quantLSTM) eval(n *Node, in []*Tensor, types []Type) []*Tensor {
	y, yh, yc := NewTensor(types[0]), NewTensor(types[1]), NewTensor(types[2])
	q := &quantizer{dtype: types[0].DType}
	coupled := n.Bool("cifg")
	var at [quantLSTMParams][]int // strides of the states and biases in [B,H]
	for i := range at {
		if i > 0 && i < quantLSTMInput || i >= quantLSTMBias {
			at[i] = broadcastStrides(in[i].Type.Shape, []int{c.batch, c.hidden})
		}
	}
	c.sequences(func(_, b int) {
		h, cell, next := make([]float64, c.hidden), make([]float64, c.hidden), make([]float64, c.hidden)
		for j := range c.hidden {
			h[j] = in[1].Float(b*at[1][0] + j*at[1][1])
			cell[j] = in[2].Float(b*at[2][0] + j*at[2][1])
		}
		x := make([]float64, c.in)
		for i := range c.steps {
			t := c.stepOrder(0, i, c.steps)
			for k := range x {
				x[k] = in[0].Float(c.xAt(t, b) + k)
			}
			for j := range c.hidden {
				gate := func(g, acc int) float64 {
					z := q.cut(c.product(q, in[quantLSTMInput+g], j, x) + c.product(q, in[quantLSTMHidden+g], j, h))
					return c.q[acc](q.cut(z + in[quantLSTMBias+g].Float(j*at[quantLSTMBias+g][1])))
				}
				input := c.q[quantInputSigmoid](q.cut(sigmoid(gate(0, quantInputAcc))))
				var forget float64
				if coupled {
					forget = q.cut(c.q[quantInputSigmoid](1) - input)
				} else {
					forget = c.q[quantForgetSigmoid](q.cut(sigmoid(gate(1, quantForgetAcc))))
				}
				g := c.q[quantCellTanh](q.cut(math.Tanh(gate(2, quantCellAcc))))
				output := c.q[quantOutputSigmoid](q.cut(sigmoid(gate(3, quantOutputAcc))))
				kept := c.q[quantCellState](q.cut(forget * cell[j]))
				added := c.q[quantCellState](q.cut(input * g))
				cell[j] = c.q[quantCellState](q.cut(kept + added))
				next[j] = c.q[quantOutput](q.cut(output * c.q[quantHiddenTanh](q.cut(math.Tanh(cell[j])))))
			}
			copy(h, next)
			for j := range h {
				y.SetFloat(c.yAt(t, 0, b)+j, h[j])
			}
		}
		for j := range h {
			yh.SetFloat(b*c.hidden+j, h[j])
			yc.SetFloat(b*c.hidden+j, cell[j])
		}
	})
	return []*Tensor{y, yh, yc}
}

// product is row j of a weight matrix times v, the sum in order from 0.
func (c *quantLSTM) product(q *quantizer, w *Tensor, j int, v []float64) float64 {
	var s float64
	for k, x := range v {
		s = q.cut(s + q.cut(w.Float(j*len(v)+k)*x))
	}
	return s
}

// reads is what an element of a result reads of an operand.
func (c *quantLSTM) reads(n *Node, result, operand int) []Read {
	r := make([]Read, n.In(operand).Rank())
	batch := 0 // the axis of a result
	if result == 0 && !c.batchFirst {
		batch = 1
	}
	switch {
	case operand == 0:
		steps, x := 0, 1
		if c.batchFirst {
			steps, x = 1, 0
		}
		r[x] = same(batch)
		if result == 0 {
			r[steps] = timeRead(c.reverse[0], steps)
		}
	case operand < quantLSTMInput && len(r) == 2 && n.In(operand).Shape[0] == c.batch:
		r[0] = same(batch)
	}
	return r
}

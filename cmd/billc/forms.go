package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
)

// elementKinds are the kinds of elements that billc ops tells apart.
var elementKinds = []struct {
	name  string
	types []ir.DType
}{{"float", []ir.DType{ir.F32}}, {"integer", []ir.DType{ir.I32, ir.U8, ir.I8}}, {"bit", []ir.DType{ir.SBit, ir.Bit, ir.Bool}}}

// forms says which elements an operator computes with: those that all of the
// operations that it becomes take and, where it becomes a single one, those of the
// operations that passes put in its place, in brackets.
func forms(o onnx.OperatorInfo) string {
	var list []string
	for _, k := range elementKinds {
		var as []string
		for _, op := range ir.Ops() {
			if len(o.IR) == 1 && slices.Contains(op.Of, o.IR[0]) && takesAny(op, k.types) {
				as = append(as, op.Name)
			}
		}
		direct := len(o.IR) > 0 && !slices.ContainsFunc(o.IR, func(op *ir.Op) bool { return !takesAny(op, k.types) })
		switch {
		case direct:
			list = append(list, k.name)
		case len(as) > 0:
			list = append(list, fmt.Sprintf("%s (%s)", k.name, strings.Join(as, ", ")))
		}
	}
	return strings.Join(list, ", ")
}

func takesAny(op *ir.Op, types []ir.DType) bool {
	return slices.ContainsFunc(types, func(d ir.DType) bool { return takes(op, d) })
}

// takes reports whether an operation takes elements of a type in place of those of
// its example's data: the first operand that is no condition.
func takes(op *ir.Op, d ir.DType) bool {
	n := example(op)
	if n == nil || len(n.Args) == 0 {
		return false
	}
	data := n.Args[0].Type.DType
	for _, a := range n.Args {
		if data == ir.Bool && a != nil {
			data = a.Type.DType
		}
	}
	args := slices.Clone(n.Args)
	for i, a := range args {
		if a != nil && a.Type.DType == data {
			args[i] = ir.NewConst(sample(a.Type.With(d)), n.Loc).Result()
		}
	}
	_, err := ir.NewNode(op, args, n.Attrs, n.Loc)
	return err == nil
}

// sample is a tensor of ones.
func sample(t ir.Type) *ir.Tensor {
	x := ir.NewTensor(t)
	for i := range x.Len() {
		x.SetFloat(i, 1)
	}
	return x
}

// example is the node of an operation's example that applies it.
func example(op *ir.Op) *ir.Node {
	for _, level := range []ir.Level{ir.Source, ir.Logic, ir.Packed} {
		if op.Levels&level == 0 {
			continue
		}
		text := fmt.Sprintf("bill 1\nmodule \"example\" level=%s\n\nfunc @main() {%s\n}\n", level, op.Example)
		m, err := bill.Parse("example", []byte(text), nil)
		if err != nil {
			return nil
		}
		for _, n := range m.Main().Nodes {
			if n.Is(op) {
				return n
			}
		}
	}
	return nil
}

package onnx

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

// Sequences exist at import only: a list of values whose length is known. In the
// tables of values a placeholder without a type stands for it.
var sequenceOps = map[string]handler{
	"ConcatFromSequence": {1, 1, concatFromSequence},
	"SequenceAt":         {2, 2, sequenceAt},
	"SequenceConstruct":  {1, many, func(c *call) []*ir.Value { return one(c.sequence(c.args)) }},
	"SequenceEmpty":      {0, 0, sequenceEmpty},
	"SequenceErase":      {1, 2, sequenceErase},
	"SequenceInsert":     {2, 3, sequenceInsert},
	"SequenceLength":     {1, 1, sequenceLength},
	"SplitToSequence":    {1, 2, splitToSequence},
}

// takesSequences are the further operators that pass sequences on.
var takesSequences = map[string]bool{"Identity": true, "If": true, "Loop": true}

// sequence returns the placeholder of a list.
func (c *call) sequence(list []*ir.Value) *ir.Value {
	if len(list) > maxNodes {
		c.unsupportedf("a sequence of %d elements", len(list))
	}
	v := new(ir.Value)
	c.imp.sequences[v] = slices.Clone(list)
	return v
}

// elements returns the list behind input i.
func (c *call) elements(i int) []*ir.Value {
	list, ok := c.imp.sequences[c.args[i]]
	if !ok {
		c.failf("input %d, %q, is a tensor, expected a sequence", i, c.Inputs[i])
	}
	return list
}

// place returns the position in a sequence that input i holds; negative ones
// count from the back, and without the input it is the default.
func (c *call) place(i, size, def int) int {
	at := def
	if c.in(i) != nil {
		t := c.constIn(i, "position in the sequence")
		if t.Len() != 1 || !t.HoldsInts() {
			c.failf("the position is %s, expected one integer", t.Type)
		}
		at = int(t.Int(0))
	}
	if at < 0 {
		at += size
	}
	if at < 0 || at >= size {
		c.failf("position %d is out of range, expected 0 to %d", at, size-1)
	}
	return at
}

func sequenceEmpty(c *call) []*ir.Value {
	c.has("dtype") // of elements to come
	return one(c.sequence(nil))
}

func sequenceInsert(c *call) []*ir.Value {
	list := c.elements(0)
	return one(c.sequence(slices.Insert(slices.Clone(list), c.place(2, len(list)+1, len(list)), c.args[1])))
}

func sequenceErase(c *call) []*ir.Value {
	list := c.elements(0)
	at := c.place(1, len(list), len(list)-1)
	return one(c.sequence(slices.Delete(slices.Clone(list), at, at+1)))
}

func sequenceAt(c *call) []*ir.Value {
	list := c.elements(0)
	return one(list[c.place(1, len(list), 0)])
}

func sequenceLength(c *call) []*ir.Value {
	return one(c.scalar(ir.I64, float64(len(c.elements(0)))))
}

// concatFromSequence joins the elements along an axis, or along a new one.
func concatFromSequence(c *call) []*ir.Value {
	list := slices.Clone(c.elements(0))
	if len(list) == 0 {
		c.failf("the sequence is empty")
	}
	a := attrs{"axis": c.int("axis", 0)}
	if c.bool("new_axis", false) {
		for i, v := range list {
			list[i] = c.emit(ir.Unsqueeze, attrs{"axes": []int{c.int("axis", 0)}}, v)
		}
	}
	return one(c.emit(ir.Concat, a, list...))
}

// splitToSequence cuts x along an axis into pieces of one size or of given
// ones, or without them into single elements, whose axis goes without keepdims.
func splitToSequence(c *call) []*ir.Value {
	x := c.typ(0)
	axis := c.axis(c.int("axis", 0), x.Rank())
	size := x.Shape[axis]
	var sizes []int
	drop := c.in(1) == nil && !c.bool("keepdims", true)
	each := 1
	if c.in(1) != nil {
		t := c.constIn(1, "sizes")
		if !t.HoldsInts() {
			c.failf("the sizes are %s, expected integers", t.Type)
		}
		if sizes = toInts(t.Ints()); t.Type.Rank() == 0 {
			sizes, each = nil, int(t.Int(0))
		}
	}
	if sizes == nil {
		if each < 1 || size/each > maxNodes {
			c.failf("pieces of %d of axis %d of %s", each, axis, x)
		}
		for left := size; left > 0; left -= each {
			sizes = append(sizes, min(each, left))
		}
	}
	if len(sizes) == 0 {
		return one(c.sequence(nil))
	}
	parts := slices.Clone(c.node(ir.Split, attrs{"axis": axis, "sizes": sizes}, c.args[0]).Results)
	if drop {
		for i, v := range parts {
			parts[i] = c.emit(ir.Squeeze, attrs{"axes": []int{axis}}, v)
		}
	}
	return one(c.sequence(parts))
}

package onnx

import (
	"math"
	"slices"

	"github.com/billnet/billnet/ir"
)

// maxPoolIndices is the position of the largest element in every window, the
// first of equals, counted over all of x; storage_order=1 counts the last spatial
// axis slowest. It compares the elements at one place of the window after the
// other.
func (c *call) maxPoolIndices() *ir.Value {
	x := c.args[0]
	rank := x.Type.Rank()
	k, a := rank-2, c.poolAttrs()
	at := func(name string, i, def int) int {
		if list := a[name].([]int); len(list) > 0 {
			return list[i]
		}
		return def
	}
	out := c.emit(ir.MaxPool, a, x).Type.Shape
	pads := make([]int, 2*rank)
	for i := range k {
		stride, dil, kernel := at("stride", i, 1), at("dilation", i, 1), at("kernel", i, 1)
		pads[2+i] = at("pad", i, 0)
		end := (out[2+i]-1)*stride + (kernel-1)*dil + 1 // of the last window
		pads[rank+2+i] = max(0, end-pads[2+i]-x.Type.Shape[2+i])
	}
	lowest := math.Inf(-1)
	if d := x.Type.DType; !d.IsFloat() {
		lo, _ := d.Range()
		lowest = float64(lo)
	}
	places := c.constant(c.spatialIndex(x.Type.Shape[2:], c.int("storage_order", 0) == 1))
	values := c.emit(ir.Pad, attrs{"pads": pads}, x, c.like(x, lowest))
	places = c.emit(ir.Pad, attrs{"pads": pads}, places, c.scalar(ir.I64, -1))
	var best, where *ir.Value
	tap := make([]int, k)
	for {
		cut := attrs{"axes": axesFrom(2, rank), "starts": []int{}, "ends": []int{}, "steps": []int{}}
		for i, t := range tap {
			start := t * at("dilation", i, 1)
			cut["starts"] = append(cut["starts"].([]int), start)
			cut["ends"] = append(cut["ends"].([]int), start+(out[2+i]-1)*at("stride", i, 1)+1)
			cut["steps"] = append(cut["steps"].([]int), at("stride", i, 1))
		}
		v, p := c.emit(ir.Slice, cut, values), c.emit(ir.Slice, cut, places)
		if best == nil {
			best, where = v, c.emit(ir.Expand, attrs{"shape": out}, p)
		} else {
			// An element of x beats one of the padding even if it is the lowest there is.
			padding := c.op(ir.Less, where, c.scalar(ir.I64, 0))
			better := c.op(ir.Or, c.op(ir.Greater, v, best), c.op(ir.And, padding, c.op(ir.GreaterOrEqual, v, best)))
			best, where = c.op(ir.Where, better, v, best), c.op(ir.Where, better, p, where)
		}
		if !nextIndex(tap, a["kernel"].([]int)) {
			break
		}
	}
	area := elems(x.Type.Shape[2:])
	maps := c.tensor(ir.T(ir.I64, append(slices.Clone(x.Type.Shape[:2]), ones(k)...)...))
	for i := range maps.Ints() {
		maps.Ints()[i] = int64(i * area)
	}
	return c.op(ir.Add, where, c.constant(maps))
}

// spatialIndex numbers the positions of a map in row-major order, or with the
// last axis slowest.
func (c *call) spatialIndex(shape []int, columns bool) *ir.Tensor {
	t := c.tensor(ir.T(ir.I64, append([]int{1, 1}, shape...)...))
	strides := rowMajor(shape)
	weight := slices.Clone(strides)
	if columns {
		weight = reversed(rowMajor(reversed(shape)))
	}
	for i := range t.Ints() {
		for a, s := range strides {
			t.Ints()[i] += int64(i / s % shape[a] * weight[a])
		}
	}
	return t
}

// nextIndex counts index up in row-major order; it reports false after the last.
func nextIndex(index, shape []int) bool {
	for a := len(index) - 1; a >= 0; a-- {
		if index[a]++; index[a] < shape[a] {
			return true
		}
		index[a] = 0
	}
	return false
}

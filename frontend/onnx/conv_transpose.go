package onnx

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

// convTranspose is the convolution of x, with stride-1 zeros between its
// elements, with the mirrored kernel: an element at position i adds its kernel at
// i*stride - pad. Weights are [in, out/groups, kernel...].
func convTranspose(c *call) []*ir.Value {
	x, w := c.args[0], c.args[1]
	kernel := c.kernelOf(w.Type)
	k, groups := len(kernel), c.int("group", 1)
	if x.Type.Rank() != k+2 || groups < 1 || x.Type.Shape[1] != w.Type.Shape[0] || x.Type.Shape[1]%groups != 0 {
		c.failf("x is %s, weights are %s in %d groups, expected [N,C,...] and [C,out/groups,kernel...]", x.Type, w.Type, groups)
	}
	stride, dilation := c.spread("strides", k), c.spread("dilations", k)
	begin, end := c.transposedPads(x.Type.Shape[2:], kernel, stride, dilation)
	pads := make([]int, 2*(k+2))
	for a := range k {
		reach := (kernel[a] - 1) * dilation[a]
		pads[2+a], pads[k+4+a] = reach-begin[a], reach-end[a]
	}
	x = c.emit(ir.Pad, attrs{"pads": pads}, c.stretch(x, stride))
	args := []*ir.Value{x, c.mirrored(w, groups)}
	if b := c.in(2); b != nil {
		args = append(args, b)
	}
	return one(c.emit(ir.Conv, attrs{"stride": []int{}, "dilation": dilation, "pad": []int{}, "groups": groups}, args...))
}

// spread returns a list of k positive numbers, ones if there is none.
func (c *call) spread(name string, k int) []int {
	list := c.ints(name)
	if len(list) == 0 {
		return ones(k)
	}
	if len(list) != k {
		c.failf("%s are %v, expected %d numbers", name, list, k)
	}
	for _, v := range list {
		if v < 1 || v >= ir.MaxElems {
			c.failf("%s are %v, expected positive numbers", name, list)
		}
	}
	return list
}

// transposedPads returns what is cut off before and after every axis of the
// whole result, which has stride*(size-1) + (kernel-1)*dilation + 1 elements; a
// negative number adds zeros.
func (c *call) transposedPads(size, kernel, stride, dilation []int) (begin, end []int) {
	k := len(kernel)
	pads, extra, shape := c.ints("pads"), c.ints("output_padding"), c.ints("output_shape")
	if len(pads) == 0 {
		pads = make([]int, 2*k)
	}
	if len(extra) == 0 {
		extra = make([]int, k)
	}
	if len(shape) == k+2 {
		shape = shape[2:]
	}
	if len(pads) != 2*k || len(extra) != k || len(shape) != 0 && len(shape) != k {
		c.failf("pads %v, output_padding %v and output_shape %v do not fit %d axes", pads, extra, shape, k)
	}
	mode := c.str("auto_pad", "NOTSET")
	if len(shape) == 0 && (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
		for a := range k {
			shape = append(shape, size[a]*stride[a])
		}
	}
	begin, end = slices.Clone(pads[:k]), slices.Clone(pads[k:])
	for a := range k {
		if mode == "VALID" {
			begin[a], end[a] = 0, 0
		}
		if len(shape) == 0 {
			end[a] -= extra[a]
			continue
		}
		whole := stride[a]*(size[a]-1) + (kernel[a]-1)*dilation[a] + 1
		total := max(0, whole+extra[a]-shape[a])
		begin[a] = total / 2
		if mode != "SAME_UPPER" {
			begin[a] = total - total/2
		}
		end[a] = whole - begin[a] - shape[a]
	}
	return begin, end
}

// stretch puts stride-1 zeros between neighbours along the spatial axes.
func (c *call) stretch(x *ir.Value, stride []int) *ir.Value {
	for a, s := range stride {
		axis := a + 2
		size := x.Type.Shape[axis]
		if s == 1 || size < 2 {
			continue
		}
		shape := slices.Clone(x.Type.Shape)
		split := slices.Insert(slices.Clone(shape), axis+1, 1)
		pads := make([]int, 2*len(split))
		pads[len(split)+axis+1] = s - 1
		v := c.emit(ir.Pad, attrs{"pads": pads}, c.reshape(x, split))
		shape[axis] = size * s
		x = c.emit(ir.Slice, attrs{"axes": []int{axis}, "starts": []int{0}, "ends": []int{(size-1)*s + 1}}, c.reshape(v, shape))
	}
	return x
}

// mirrored turns weights [in, out/groups, kernel...] into [out, in/groups,
// kernel...] with the kernel reversed along every axis.
func (c *call) mirrored(w *ir.Value, groups int) *ir.Value {
	in, out, kernel := w.Type.Shape[0]/groups, w.Type.Shape[1], w.Type.Shape[2:]
	v := c.reshape(w, append([]int{groups, in, out}, kernel...))
	perm := []int{0, 2, 1}
	flip := attrs{"axes": []int{}, "starts": []int{}, "ends": []int{}, "steps": []int{}}
	add := func(name string, value int) { flip[name] = append(flip[name].([]int), value) }
	for a, d := range kernel {
		perm = append(perm, a+3)
		if d > 1 {
			add("axes", a+2)
			add("starts", d-1)
			add("ends", -d-1)
			add("steps", -1)
		}
	}
	v = c.reshape(c.emit(ir.Transpose, attrs{"perm": perm}, v), append([]int{groups * out, in}, kernel...))
	if len(flip["axes"].([]int)) == 0 {
		return v
	}
	return c.emit(ir.Slice, flip, v)
}

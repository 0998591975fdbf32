package onnx

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

var windowOps = map[string]handler{
	"AveragePool":       {1, 1, averagePool},
	"Conv":              {2, 3, conv},
	"ConvTranspose":     {2, 3, convTranspose},
	"GlobalAveragePool": {1, 1, plain(ir.GlobalAveragePool)},
	"GlobalMaxPool":     {1, 1, plain(ir.GlobalMaxPool)},
	"GlobalLpPool":      {1, 1, globalLpPool},
	"LpPool":            {1, 1, lpPool},
	"MaxPool":           {1, 1, maxPool},
}

// windowAttrs translates strides, dilations and padding of a window over the
// spatial axes of x, auto_pad resolved.
func (c *call) windowAttrs(x ir.Type, kernel []int) attrs {
	stride, dilation, pads := c.ints("strides"), c.ints("dilations"), c.ints("pads")
	mode := c.str("auto_pad", "NOTSET")
	switch mode {
	case "NOTSET", "":
	case "VALID":
		pads = nil
	case "SAME_UPPER", "SAME_LOWER":
		pads = c.samePads(x, kernel, stride, dilation, mode == "SAME_LOWER")
	default:
		c.failf("auto_pad is %q, expected NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode)
	}
	dilation = ofTaps(kernel, dilation)
	return attrs{"stride": shortStrides(x, stride, pads, kernel, dilation), "dilation": dilation, "pad": pads}
}

// ofTaps are dilations where they mean something: a single tap has none.
func ofTaps(kernel, dilation []int) []int {
	if len(dilation) != len(kernel) {
		return dilation // an error of the operation
	}
	out := slices.Clone(dilation)
	for i, k := range kernel {
		if k == 1 && out[i] > 0 {
			out[i] = 1
		}
	}
	return out
}

// shortStrides writes strides beyond a padded axis and the window, over which a
// window has at most one position, as long as the longer of both: bytecode holds 31
// bits.
func shortStrides(x ir.Type, stride, pads, kernel, dilation []int) []int {
	k := x.Rank() - 2
	if len(stride) != k || len(pads) != 0 && len(pads) != 2*k || len(kernel) != k || len(dilation) != 0 && len(dilation) != k {
		return stride // an error of the operation
	}
	out := slices.Clone(stride)
	for i := range out {
		reach := x.Shape[2+i]
		if len(pads) > 0 {
			reach += max(pads[i], 0) + max(pads[k+i], 0)
		}
		cover := kernel[i]
		if len(dilation) > 0 {
			cover = (kernel[i]-1)*dilation[i] + 1
		}
		out[i] = min(out[i], max(reach, cover, 1))
	}
	return out
}

// samePads pads so that the output has ceil(input/stride) positions; an odd
// one goes to the end, or with lower to the front.
func (c *call) samePads(x ir.Type, kernel, stride, dilation []int, lower bool) []int {
	k := len(kernel)
	if x.Rank() != k+2 || stride != nil && len(stride) != k && len(stride) != 0 || len(dilation) != 0 && len(dilation) != k {
		c.failf("kernel %v, strides %v, dilations %v do not fit %s", kernel, stride, dilation, x)
	}
	at := func(list []int, i int) int {
		v := 1
		if len(list) > 0 {
			v = list[i]
		}
		if v < 1 || v >= ir.MaxElems {
			c.failf("kernel %v, strides %v, dilations %v: sizes must be positive", kernel, stride, dilation)
		}
		return v
	}
	pads := make([]int, 2*k)
	for i, size := range x.Shape[2:] {
		s := at(stride, i)
		out := (size + s - 1) / s
		total := max(0, (out-1)*s+(at(kernel, i)-1)*at(dilation, i)+1-size)
		small, large := total/2, total-total/2
		if lower {
			small, large = large, small
		}
		pads[i], pads[k+i] = small, large
	}
	return pads
}

// kernelOf returns the spatial part of a convolution's weights.
func (c *call) kernelOf(w ir.Type) []int {
	if w.Rank() < 3 {
		c.failf("weights are %s, expected [out,in,kernel...]", w)
	}
	kernel := w.Shape[2:]
	if given := c.ints("kernel_shape"); len(given) > 0 && !ir.SameShape(given, kernel) {
		c.failf("kernel_shape is %v, but the weights are %s", given, w)
	}
	return kernel
}

func (c *call) convAttrs(x, w ir.Type) attrs {
	a := c.windowAttrs(x, c.kernelOf(w))
	a["groups"] = c.int("group", 1)
	return a
}

func conv(c *call) []*ir.Value {
	return one(c.emit(ir.Conv, c.convAttrs(c.typ(0), c.typ(1)), c.args...))
}

func (c *call) poolAttrs() attrs { return c.poolAttrsOf(c.typ(0)) }

func (c *call) poolAttrsOf(x ir.Type) attrs {
	kernel := c.ints("kernel_shape")
	a := c.windowAttrs(x, kernel)
	a["kernel"], a["ceil"] = kernel, c.bool("ceil_mode", false)
	return a
}

func maxPool(c *call) []*ir.Value {
	out := one(c.emit(ir.MaxPool, c.poolAttrs(), c.args[0]))
	if len(c.Outputs) > 1 && c.imp.needed[c.Outputs[1]] {
		out = append(out, c.maxPoolIndices())
	}
	return out
}

// globalLpPool is the p-norm over the spatial axes.
func globalLpPool(c *call) []*ir.Value {
	x := c.args[0]
	a := attrs{"axes": axesFrom(2, x.Type.Rank())}
	switch p := c.int("p", 2); p {
	case 1:
		return one(c.emit(ir.ReduceSum, a, c.op(ir.Abs, x)))
	case 2:
		return one(c.op(ir.Sqrt, c.emit(ir.ReduceSum, a, c.op(ir.Mul, x, x))))
	default:
		d := c.like(x, float64(p))
		sum := c.emit(ir.ReduceSum, a, c.op(ir.Pow, c.op(ir.Abs, x), d))
		return one(c.op(ir.Pow, sum, c.like(x, 1/float64(p))))
	}
}

// lpPool is the p-norm of every window, from its average with padding counted.
func lpPool(c *call) []*ir.Value {
	x := c.args[0]
	p := c.int("p", 2)
	if p < 1 {
		c.failf("p is %d, expected a positive number", p)
	}
	a := c.poolAttrs()
	a["count_include_pad"] = true
	if a["ceil"] == true {
		c.unsupportedf("with ceil_mode")
	}
	power := c.op(ir.Pow, c.op(ir.Abs, x), c.like(x, float64(p)))
	sum := c.op(ir.Mul, c.emit(ir.AveragePool, a, power), c.like(x, float64(elems(a["kernel"].([]int)))))
	return one(c.op(ir.Pow, sum, c.like(x, 1/float64(p))))
}

func averagePool(c *call) []*ir.Value {
	a := c.poolAttrs()
	a["count_include_pad"] = c.bool("count_include_pad", false)
	return one(c.emit(ir.AveragePool, a, c.args[0]))
}

package onnx

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

// Normalizations; all but that of batches are written out in the elementary operations of their
// definitions in ONNX.
var normOps = map[string]handler{
	"BatchNormalization":        {5, 5, batchNorm},
	"GroupNormalization":        {3, 3, groupNorm},
	"InstanceNormalization":     {3, 3, instanceNorm},
	"LayerNormalization":        {2, 3, layerNorm},
	"LpNormalization":           {1, 1, lpNorm},
	"LRN":                       {1, 1, localResponseNorm},
	"MeanVarianceNormalization": {1, 1, meanVarianceNorm},
	"RMSNormalization":          {2, 2, rmsNorm},
}

// axesFrom lists the axes of a rank from one on.
func axesFrom(axis, rank int) []int {
	var axes []int
	for a := axis; a < rank; a++ {
		axes = append(axes, a)
	}
	return axes
}

// batchNorm: in training mode it normalizes with the statistics of its own input,
// and returns the running ones.
func batchNorm(c *call) []*ir.Value {
	if !c.bool("spatial", true) {
		c.unsupportedf("with spatial=0")
	}
	a := attrs{"epsilon": c.float("epsilon", 1e-5)}
	if !c.bool("training_mode", false) {
		return one(c.emit(ir.BatchNorm, a, c.args...))
	}
	c.imp.report.notef("%s normalizes with the statistics of its own input, as in training; was the model meant to be exported in evaluation mode?", c.Node)
	x := c.args[0]
	axes := append([]int{0}, axesFrom(2, x.Type.Rank())...)
	mean := c.emit(ir.ReduceMean, attrs{"axes": axes}, x)
	dev := c.emit(ir.Sub, nil, x, mean)
	variance := c.emit(ir.ReduceMean, attrs{"axes": axes, "keepdims": false}, c.emit(ir.Mul, nil, dev, dev))
	mean = c.reshape(mean, variance.Type.Shape)
	keep := float64(float32(c.float("momentum", 0.9)))
	running := func(old, now *ir.Value) *ir.Value {
		d := old.Type.DType
		return c.emit(ir.Add, nil, c.emit(ir.Mul, nil, old, c.scalar(d, keep)), c.emit(ir.Mul, nil, now, c.scalar(d, 1-keep)))
	}
	y := c.emit(ir.BatchNorm, a, x, c.args[1], c.args[2], mean, variance)
	return []*ir.Value{y, running(c.args[3], mean), running(c.args[4], variance)}
}

// standardize is d/sqrt(mean(d*d) + epsilon) with d = x - mean(x) over axes; the
// mean and the reciprocal of the root are returned too.
func (c *call) standardize(x *ir.Value, axes []int, epsilon float64) (y, mean, invStd *ir.Value) {
	mean = c.emit(ir.ReduceMean, attrs{"axes": axes}, x)
	d := c.op(ir.Sub, x, mean)
	variance := c.emit(ir.ReduceMean, attrs{"axes": axes}, c.op(ir.Mul, d, d))
	std := c.op(ir.Sqrt, c.op(ir.Add, variance, c.scalar(x.Type.DType, epsilon)))
	return c.op(ir.Div, d, std), mean, c.op(ir.Reciprocal, std)
}

// stash gives x the type that a normalization computes in.
func (c *call) stash(x *ir.Value) *ir.Value {
	to := irTypes[DType(c.int("stash_type", int(Float32)))]
	if !to.IsFloat() {
		c.failf("stash_type %d is no float type", c.int("stash_type", 0))
	}
	if x.Type.DType == ir.F64 { // ONNX's definition would round to fewer bits than the input has
		to = ir.F64
	}
	return c.cast(x, to)
}

// layerNorm normalizes over the axes from one on and has the mean and the
// reciprocal of the standard deviation as further results.
func layerNorm(c *call) []*ir.Value {
	x := c.args[0]
	axes := axesFrom(c.axis(c.int("axis", -1), x.Type.Rank()), x.Type.Rank())
	y, mean, invStd := c.standardize(c.stash(x), axes, c.float("epsilon", 1e-5))
	y = c.op(ir.Mul, c.cast(y, x.Type.DType), c.args[1])
	if b := c.in(2); b != nil {
		y = c.op(ir.Add, y, b)
	}
	return []*ir.Value{y, mean, invStd}
}

// rmsNorm divides by the root of the mean square over the axes from one on.
func rmsNorm(c *call) []*ir.Value {
	x := c.args[0]
	axes := axesFrom(c.axis(c.int("axis", -1), x.Type.Rank()), x.Type.Rank())
	v := c.stash(x)
	square := c.emit(ir.ReduceMean, attrs{"axes": axes}, c.op(ir.Mul, v, v))
	root := c.op(ir.Sqrt, c.op(ir.Add, square, c.scalar(v.Type.DType, c.float("epsilon", 1e-5))))
	return one(c.op(ir.Mul, c.cast(c.op(ir.Div, v, root), x.Type.DType), c.args[1]))
}

// alongChannels gives a vector of channels the shape that broadcasts over a map
// [N,C,...] of a rank.
func (c *call) alongChannels(v *ir.Value, rank int) *ir.Value {
	return c.reshape(v, append([]int{v.Type.Elems()}, ones(rank-2)...))
}

func instanceNorm(c *call) []*ir.Value {
	x := c.args[0]
	rank := x.Type.Rank()
	if rank < 3 {
		c.failf("x is %s, expected [N,C,...] with spatial axes", x.Type)
	}
	y, _, _ := c.standardize(x, axesFrom(2, rank), c.float("epsilon", 1e-5))
	y = c.op(ir.Mul, y, c.alongChannels(c.args[1], rank))
	return one(c.op(ir.Add, y, c.alongChannels(c.args[2], rank)))
}

// groupNorm normalizes groups of channels. Scale and bias are those of groups
// up to version 20, of channels from then on.
func groupNorm(c *call) []*ir.Value {
	x := c.args[0]
	shape, groups := x.Type.Shape, c.int("num_groups", 0)
	if len(shape) < 2 || groups < 1 || shape[1]%groups != 0 {
		c.failf("%d groups do not divide the channels of %s", groups, x.Type)
	}
	split := append([]int{shape[0], groups, shape[1] / groups}, shape[2:]...)
	y, _, _ := c.standardize(c.reshape(c.stash(x), split), axesFrom(2, len(split)), c.float("epsilon", 1e-5))
	y = c.cast(y, x.Type.DType)
	perGroup := c.Version < 21 && c.typ(1).Elems() == groups
	affine := func(v *ir.Value) *ir.Value {
		if perGroup {
			return c.reshape(v, append([]int{groups}, ones(len(split)-2)...))
		}
		return c.alongChannels(v, len(shape))
	}
	if !perGroup {
		y = c.reshape(y, shape)
	}
	y = c.op(ir.Add, c.op(ir.Mul, y, affine(c.args[1])), affine(c.args[2]))
	return one(c.reshape(y, shape))
}

// lpNorm divides by the 1- or 2-norm along an axis; 0/0 is 0.
func lpNorm(c *call) []*ir.Value {
	x := c.args[0]
	a := attrs{"axes": []int{c.axis(c.int("axis", -1), x.Type.Rank())}}
	var norm *ir.Value
	switch p := c.int("p", 2); p {
	case 1:
		norm = c.emit(ir.ReduceSum, a, c.op(ir.Abs, x))
	case 2:
		norm = c.op(ir.Sqrt, c.emit(ir.ReduceSum, a, c.op(ir.Mul, x, x)))
	default:
		c.failf("p is %d, expected 1 or 2", p)
	}
	zero := c.scalar(x.Type.DType, 0)
	return one(c.op(ir.Where, c.op(ir.Equal, norm, zero), zero, c.op(ir.Div, x, norm)))
}

// meanVarianceNorm is (x - mean)/(sqrt(mean(x*x) - mean*mean) + 1e-9).
func meanVarianceNorm(c *call) []*ir.Value {
	x := c.args[0]
	axes := c.ints("axes")
	if !c.has("axes") {
		axes = []int{0, 2, 3}
	}
	a := attrs{"axes": axes}
	mean := c.emit(ir.ReduceMean, a, x)
	variance := c.op(ir.Sub, c.emit(ir.ReduceMean, a, c.op(ir.Mul, x, x)), c.op(ir.Mul, mean, mean))
	std := c.op(ir.Add, c.op(ir.Sqrt, variance), c.scalar(x.Type.DType, 1e-9))
	return one(c.op(ir.Div, c.op(ir.Sub, x, mean), std))
}

// localResponseNorm is x/(bias + alpha/size * the sum of squares of the size
// channels around)^beta.
func localResponseNorm(c *call) []*ir.Value {
	x := c.args[0]
	shape, size := x.Type.Shape, c.int("size", 0)
	if len(shape) < 2 || size < 1 || size >= ir.MaxElems {
		c.failf("size %d for %s, expected a positive size for [N,C,...]", size, x.Type)
	}
	size = min(size, 2*shape[1]+1) // further channels are all padding
	before, after := (size-1)/2, size/2
	pads := make([]int, 2*len(shape))
	pads[1], pads[len(shape)+1] = before, after
	square := c.emit(ir.Pad, attrs{"pads": pads}, c.op(ir.Mul, x, x))
	var sum *ir.Value
	for k := range size {
		part := c.emit(ir.Slice, attrs{"axes": []int{1}, "starts": []int{k}, "ends": []int{k + shape[1]}}, square)
		if sum == nil {
			sum = part
		} else {
			sum = c.op(ir.Add, sum, part)
		}
	}
	d := x.Type.DType
	factor := c.float("alpha", 1e-4) / float64(c.int("size", 0))
	base := c.op(ir.Add, c.op(ir.Mul, sum, c.scalar(d, factor)), c.scalar(d, c.float("bias", 1)))
	return one(c.op(ir.Div, x, c.op(ir.Pow, base, c.scalar(d, c.float("beta", 0.75)))))
}

// reversed returns the list from its end.
func reversed(list []int) []int {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

package onnx

import "github.com/billnet/billnet/ir"

var normOps = map[string]handler{
	"BatchNormalization": {5, 5, batchNorm},
}

// batchNorm: in training mode it normalizes with the statistics of its own input,
// and returns the running ones.
func batchNorm(c *call) []*ir.Value {
	if !c.bool("spatial", true) {
		c.unsupportedf("with spatial=0")
	}
	a := attrs{"epsilon": c.float("epsilon", 1e-5)}
	if !c.bool("training_mode", false) {
		return one(c.emit("batch_norm", a, c.args...))
	}
	c.imp.report.notef("%s normalizes with the statistics of its own input, as in training; was the model meant to be exported in evaluation mode?", c.Node)
	x := c.args[0]
	axes := []int{0}
	for i := 2; i < x.Type.Rank(); i++ {
		axes = append(axes, i)
	}
	mean := c.emit("reduce_mean", attrs{"axes": axes}, x)
	dev := c.emit("sub", nil, x, mean)
	variance := c.emit("reduce_mean", attrs{"axes": axes, "keepdims": false}, c.emit("mul", nil, dev, dev))
	mean = c.reshape(mean, variance.Type.Shape)
	keep := float64(float32(c.float("momentum", 0.9)))
	running := func(old, now *ir.Value) *ir.Value {
		d := old.Type.DType
		return c.emit("add", nil, c.emit("mul", nil, old, c.scalar(d, keep)), c.emit("mul", nil, now, c.scalar(d, 1-keep)))
	}
	y := c.emit("batch_norm", a, x, c.args[1], c.args[2], mean, variance)
	return []*ir.Value{y, running(c.args[3], mean), running(c.args[4], variance)}
}

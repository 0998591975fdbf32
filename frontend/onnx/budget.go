package onnx

import (
	"context"

	"github.com/billnet/billnet/ir"
)

// A model of a few hundred bytes can ask for any amount of work: loops in loops,
// ranges of millions of numbers, functions that call functions. One budget bounds
// what the import makes of the whole model beyond what its file holds.
const (
	maxWritten = 1 << 16 // operations, besides operatorShare for every node of the file
	maxMade    = 1 << 25 // bytes of constants that are computed, besides fileShare for every byte of the file

	operatorShare = 4
	fileShare     = 192
)

// budget is what the import has spent.
type budget struct {
	ctx     context.Context
	written int
	made    int
}

// spendNode accounts for an operation that a node becomes.
func (c *call) spendNode() {
	b := &c.imp.budget
	if b.written++; b.written > maxWritten+operatorShare*c.imp.model.nodes {
		c.unsupportedf("written out, the model has more than %d operations; loops of that many steps are too many", b.written-1)
	}
	if b.written%1024 == 0 {
		c.live()
	}
}

// spendBytes accounts for a constant that is computed.
func (c *call) spendBytes(t ir.Type) {
	if !c.imp.affords(t) {
		c.unsupportedf("the constants that are computed when the model is read take more than %d MB", c.imp.mostMade()>>20)
	}
}

// affords reports whether one more constant may be computed, and counts it.
func (imp *importer) affords(t ir.Type) bool {
	imp.budget.made += ir.Held(t)
	return imp.budget.made <= imp.mostMade()
}

func (imp *importer) mostMade() int { return maxMade + fileShare*imp.model.size }

// tensor returns a tensor of zeros for a constant that is computed.
func (c *call) tensor(t ir.Type) *ir.Tensor {
	if err := ir.CheckShape(t.Shape); err != nil {
		c.failf("%v", err)
	}
	c.spendBytes(t)
	return ir.NewTensor(t)
}

// live ends the handler when the context is done.
func (c *call) live() {
	if err := c.imp.budget.ctx.Err(); err != nil {
		panic(stop{err})
	}
}

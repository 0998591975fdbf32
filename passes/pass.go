package passes

import (
	"context"
	"fmt"

	"github.com/billnet/billnet/ir"
)

// Class says what a pass may do to the outputs.
type Class uint8

// The classes of passes.
const (
	Exact Class = iota // no output bit changes
	Ideal              // the result over the reals where the source's float sum has no defined order
	Lossy              // outputs may change
)

func (c Class) String() string { return [...]string{"exact", "ideal", "lossy"}[c] }

// Pass is one transformation of a module.
type Pass struct {
	Name    string
	Doc     string
	Class   Class
	Options []Option // what the pipeline's text may set; Run reads it from the context
	After   []string // passes that must have run before it when they are in the pipeline at all
	To      ir.Level // the level to which it leads; 0: modules stay at theirs
	Needs   *Pass    // leads to the lowest level that it takes; nil: the source level
	Ports   bool     // it changes parameters or results: outputs before and after can not be compared
	Packed  bool     // it takes modules of the packed level too, and keeps their layouts
	Run     func(c *Context, m *ir.Module) error
}

// Context is what passes share in one compilation.
type Context struct {
	Notes   []string // for the user: what was inferred or assumed
	Records Records  // for reports: what passes did

	ctx     context.Context
	clips   [][]*ir.Tensor // calibration inputs, each in the order of the main function's parameters
	options map[string]any // of the pass that runs
}

// Note records a sentence for the user.
func (c *Context) Note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// Record keeps what a pass did, a pointer to a type of the pass's own choice, for
// reports and for the passes that follow.
func (c *Context) Record(r any) { c.Records = append(c.Records, r) }

// Records are what passes recorded, in order, each a pointer.
type Records []any

// RecordsOf returns the records that are of type *T, in order.
func RecordsOf[T any](r Records) []*T {
	var list []*T
	for _, x := range r {
		if t, ok := x.(*T); ok {
			list = append(list, t)
		}
	}
	return list
}

// Ctx is the context of the run: a pass that takes long looks at it.
func (c *Context) Ctx() context.Context { return c.ctx }

// Clips returns the calibration inputs, each in the order of the main function's
// parameters. They are the pass's to read.
func (c *Context) Clips() [][]*ir.Tensor { return c.clips }

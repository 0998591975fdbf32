package passes

import (
	"context"
	"fmt"
	"sort"

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
	Run     func(c *Context, m *ir.Module) error
}

// Context is what passes share in one compilation.
type Context struct {
	Notes []string      // for the user: what was inferred or assumed
	Certs []Certificate // one for every thresholded layer

	Factorized []Factorization // what factorize-conv3d did to every layer
	Quantized  []Quantization  // what quantize and quantize-lstm did to every layer
	Binarized  []Binarization  // what binarize did to every layer and activation
	Gated      []Gating        // what insert-mux-or did to every residual

	layout *LayoutReport // what layout chose for the entry

	ctx     context.Context
	clips   [][]*ir.Tensor // calibration inputs, each in the order of the main function's parameters
	options map[string]any // of the pass that runs
}

// Note records a sentence for the user.
func (c *Context) Note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

var registry = map[string]*Pass{}

func register(p *Pass) *Pass {
	if registry[p.Name] != nil {
		panic("passes: " + p.Name + " is registered twice")
	}
	registry[p.Name] = p
	return p
}

// Register adds a pass, so that pipelines can name it. It is for programs that
// bring passes of their own; it panics when the name is taken, and is not safe
// beside running pipelines.
func Register(p *Pass) { register(p) }

// Lookup returns the pass with the given name, or nil.
func Lookup(name string) *Pass { return registry[name] }

// All returns every pass sorted by name.
func All() []*Pass {
	var all []*Pass
	for _, p := range registry {
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

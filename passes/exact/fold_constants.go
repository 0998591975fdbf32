package exact

import (
	"fmt"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// FoldConstants is the pass fold-constants.
var FoldConstants = &passes.Pass{
	Name:  "fold-constants",
	Doc:   "Evaluates every node whose operands are constants, as far as the constants of the model justify it, drops identities, and lets elementwise operations stretch operands instead of storing what repeats.",
	Class: passes.Exact,
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		return c.Rewrite(f, narrowExpand, newFolder(f).fold, dropIdentity, shrinkOperands)
	}),
}

// folder evaluates constants. What it may spend is bounded by the constants that
// the function begins with: a model of a few bytes can ask for any amount.
type folder struct {
	bytes int // of results, left
	work  int // elements and multiply-accumulates, left
}

const (
	foldBytes, foldBytesShare = 1 << 24, 16 // in any case, and for every byte of a constant
	foldWork, foldWorkShare   = 1 << 28, 64

	// keptExpand is the size up to which an expanded constant costs nothing.
	keptExpand = 1 << 12
)

func newFolder(f *ir.Func) *folder {
	held := 0
	for _, n := range f.Nodes {
		if n.Const != nil {
			held += ir.Held(n.Const.Type)
		}
	}
	return &folder{foldBytes + foldBytesShare*held, foldWork + foldWorkShare*held}
}

// fold is the rule: a node over constants is its value.
func (l *folder) fold(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Is(ir.Const) || len(n.Args) == 0 || isSpread(n) || waitsForReaders(rw, n) {
		return nil
	}
	in := make([]*ir.Tensor, len(n.Args))
	for i, a := range n.Args {
		if a == nil {
			continue
		}
		if in[i] = ir.ConstOf(a); in[i] == nil {
			return nil
		}
	}
	if !l.spend(n) {
		return nil
	}
	out, err := ir.EvalNode(n, in)
	if err != nil {
		rw.Err = fmt.Errorf("folding a constant: %w", err)
		return nil
	}
	vals := make([]*ir.Value, len(out))
	for i, t := range out {
		vals[i] = rw.Const(t)
	}
	return vals
}

// spend reports whether there is enough left for a node, and takes it.
func (l *folder) spend(n *ir.Node) bool {
	bytes, work := 0, 0
	for _, r := range n.Results {
		bytes += ir.Held(r.Type)
		work += r.Type.Elems()
	}
	for _, a := range n.Args {
		if a != nil {
			work += a.Type.Elems()
		}
	}
	if n.Op.Work != nil {
		macs := n.Op.Work(n)
		if macs < 0 || macs > l.work {
			return false
		}
		work += macs
	}
	if bytes > l.bytes || work > l.work {
		return false
	}
	l.bytes, l.work = l.bytes-bytes, l.work-work
	return true
}

// waitsForReaders reports whether a node expands a value for elementwise
// operations only, which narrowExpand lets do without.
func waitsForReaders(rw *passes.Rewriter, n *ir.Node) bool {
	if !n.Is(ir.Expand) || n.Result().Type.Elems() <= max(keptExpand, n.In(0).Elems()) {
		return false
	}
	for _, r := range rw.Readers(n.Result()) {
		if r == nil || r.Op.Kind != ir.Elementwise {
			return false
		}
	}
	return true
}

// narrowExpand: an elementwise operation of expanded values is that of the values
// themselves, expanded where no other operand stretches it.
func narrowExpand(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if n.Op.Kind != ir.Elementwise || len(n.Results) != 1 {
		return nil
	}
	args, found := make([]*ir.Value, len(n.Args)), false
	for i, a := range n.Args {
		if args[i] = a; ir.Def(a).Is(ir.Expand) && a.Type.Elems() > max(keptExpand, a.Def.In(0).Elems()) {
			args[i], found = a.Def.Args[0], true
		}
	}
	if !found {
		return nil
	}
	small, err := ir.NewNode(n.Op, args, n.Attrs, n.Loc)
	if err != nil {
		return nil // the operation wants that operand in full
	}
	rw.F.Nodes = append(rw.F.Nodes, small)
	if y := small.Result(); ir.SameShape(y.Type.Shape, n.Result().Type.Shape) {
		return []*ir.Value{y}
	}
	return []*ir.Value{rw.Op(ir.Expand, map[string]any{"shape": n.Result().Type.Shape}, small.Result())}
}

func dropIdentity(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	same := func() bool {
		x, y := n.Args[0].Type, n.Results[0].Type
		return x.DType == y.DType && ir.SameShape(x.Shape, y.Shape)
	}
	switch n.Op {
	case ir.Identity:
		return n.Args[:1]
	case ir.Cast, ir.Reshape, ir.Squeeze, ir.Unsqueeze, ir.Expand:
		if same() {
			return n.Args[:1]
		}
	case ir.Transpose:
		for i, p := range n.Ints("perm") {
			if p != i {
				return nil
			}
		}
		if len(n.Ints("perm")) > 0 {
			return n.Args[:1]
		}
	}
	return nil
}

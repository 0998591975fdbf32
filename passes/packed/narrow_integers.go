package packed

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// NarrowIntegers is the pass narrow-integers.
var NarrowIntegers = &passes.Pass{
	Name: "narrow-integers",
	Doc: "Chooses the width of every integer map from the interval of its values over the actual weights: the result of a convolution that only other convolutions read is i8, i16 or i32, " +
		"and every integer convolution records the bounds of its accumulator.",
	Class: passes.Exact,
	// What makes integer convolutions comes before, or those have no bounds.
	After: []string{"fuse-threshold", "integer-arithmetic", "few-bit-planes", "ternary-planes", "frames-to-time", "reassociate", "prune-channels"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		r := analysis.NewRanger()
		uses := f.Uses()
		for _, n := range f.Nodes {
			if !n.Is(ir.BConv) && !n.Is(ir.IConv) {
				continue
			}
			s := r.Conv(n)
			if n.Is(ir.IConv) {
				if err := recordBounds(n, s); err != nil {
					return err
				}
			}
			lo, hi := s.All()
			to := ir.SmallestInt(lo, hi)
			if to == ir.I8 && slices.ContainsFunc(uses[n.Result()], func(u *ir.Node) bool { return u.Is(ir.Threshold) }) {
				to = ir.I16 // the narrowest planes that a threshold reads
			}
			if n.Arg(2) != nil || to == ir.I64 || !ir.AllAre(uses[n.Result()], ir.IConv, ir.Threshold, ir.ToFloat) {
				continue
			}
			if err := n.SetAttr("to", to.String()); err != nil {
				return err
			}
			n.Result().Type = n.Result().Type.With(to)
		}
		return nil
	}),
}

// Bound records the bounds of an integer convolution's accumulator.
func Bound(n *ir.Node) error { return recordBounds(n, analysis.NewRanger().Conv(n)) }

func recordBounds(n *ir.Node, s analysis.Span) error {
	o := n.In(1).Shape[0]
	lo, hi := make([]int, o), make([]int, o)
	for i := range o {
		a, b := s.At(i)
		lo[i], hi[i] = int(a), int(b)
	}
	if err := n.SetAttr("lo", lo); err != nil {
		return err
	}
	return n.SetAttr("hi", hi)
}

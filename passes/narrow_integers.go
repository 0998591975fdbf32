package passes

import (
	"slices"

	"github.com/billnet/billnet/ir"
)

var _ = register(&Pass{
	Name: "narrow-integers",
	Doc: "Chooses the width of every integer map from the interval of its values over the actual weights: the result of a convolution that only other convolutions read is i8, i16 or i32, " +
		"and every integer convolution records the bounds of its accumulator.",
	Class: Exact,
	After: []string{"fuse-threshold"},
	Run: eachFunc(func(c *Context, f *ir.Func) error {
		r := newRanger()
		uses := f.Uses()
		for _, n := range f.Nodes {
			if !n.Is("bconv") && !n.Is("iconv") {
				continue
			}
			s := r.conv(n)
			if n.Is("iconv") {
				if err := recordBounds(n, s); err != nil {
					return err
				}
			}
			lo, hi := s.all()
			to := ir.SmallestInt(lo, hi)
			if to == ir.I8 && slices.ContainsFunc(uses[n.Result()], func(u *ir.Node) bool { return u.Is("threshold") }) {
				to = ir.I16 // the narrowest planes that a threshold reads
			}
			if n.Arg(2) != nil || to == ir.I64 || !onlyReadBy(uses[n.Result()], "iconv", "threshold", "to_float") {
				continue
			}
			if err := n.SetAttr("to", to.String()); err != nil {
				return err
			}
			n.Result().Type = n.Result().Type.With(to)
		}
		return nil
	}),
})

func recordBounds(n *ir.Node, s span) error {
	o := n.In(1).Shape[0]
	lo, hi := make([]int, o), make([]int, o)
	for i := range o {
		a, b := s.at(i)
		lo[i], hi[i] = int(a), int(b)
	}
	if err := n.SetAttr("lo", lo); err != nil {
		return err
	}
	return n.SetAttr("hi", hi)
}

func onlyReadBy(readers []*ir.Node, ops ...string) bool {
	for _, n := range readers {
		ok := false
		for _, op := range ops {
			ok = ok || n.Is(op)
		}
		if !ok {
			return false
		}
	}
	return true
}

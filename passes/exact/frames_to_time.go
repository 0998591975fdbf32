package exact

import (
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// FramesToTime is the pass frames-to-time.
var FramesToTime = &passes.Pass{
	Name: "frames-to-time",
	Doc: "A layer over B pictures [B,C,H,W], or B signals [B,C,W], is one over a clip [1,C,B,H,W] whose window is one frame long: " +
		"time-distributed networks run on the same kernels as Conv3D. The transposes between such layers cancel.",
	Class: passes.Exact,
	Needs: BinaryActivations,
	After: []string{"ternary-planes"},
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		if err := c.Rewrite(f, framesToTime); err != nil {
			return err
		}
		return c.Rewrite(f, dropIdentity, mergeTransposes, mergeReshapes, unitReshape, mergeFrames)
	}),
}

// framesToTime wraps one operation.
func framesToTime(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if len(n.Results) != 1 || len(n.Args) == 0 {
		return nil
	}
	r := n.In(0).Rank()
	if r != 3 && r != 4 || n.In(0).DType.IsFloat() || n.Result().Type.DType.IsFloat() || n.In(0).Elems() == 0 {
		return nil
	}
	attrs := map[string]any{}
	for k, v := range n.Attrs {
		attrs[k] = v
	}
	data := 1 // operands that are maps
	args := slices.Clone(n.Args)
	switch {
	case n.Is(ir.BConv) || n.Is(ir.IConv):
		if w := ir.ConstOf(n.Args[1]); w == nil {
			return nil
		} else {
			args[1] = rw.Const(w.Reshape(clipShape(w.Type.Shape[0], w.Type.Shape[1], w.Type.Shape[2:])...))
		}
		window3(attrs, r-2)
	case n.Op.Kind == ir.Windows && len(n.Args) == 1: // a pool
		window3(attrs, r-2)
		attrs["kernel"] = append(slices.Repeat([]int{1}, 5-r), n.Ints("kernel")...)
	case n.Is(ir.Threshold):
		if n.Int("axis") != 1 || !isFromClip(n.Args[0]) {
			return nil
		}
	case n.Op.Kind == ir.Elementwise && n.Result().Type.DType.IsLogic():
		data = len(args)
		for _, a := range args {
			if !ir.SameShape(a.Type.Shape, n.Result().Type.Shape) || !isFromClip(a) {
				return nil
			}
		}
	default:
		return nil
	}
	for i := range data {
		args[i] = toClip(rw, args[i])
	}
	y := rw.Op(n.Op, attrs, args...)
	return []*ir.Value{fromClip(rw, y, n.Result().Type.Shape)}
}

// clipShape is [a,b] followed by the spatial sizes as [1,...,H,W].
func clipShape(a, b int, spatial []int) []int {
	s := append([]int{a, b}, slices.Repeat([]int{1}, 3-len(spatial))...)
	return append(s, spatial...)
}

// window3 extends the window attributes of k spatial axes to three.
func window3(attrs map[string]any, k int) {
	lead := 3 - k
	for name, fill := range map[string]int{"stride": 1, "dilation": 1} {
		if v, ok := attrs[name].([]int); ok && len(v) > 0 {
			attrs[name] = append(slices.Repeat([]int{fill}, lead), v...)
		}
	}
	if v, ok := attrs["pad"].([]int); ok && len(v) > 0 {
		zero := slices.Repeat([]int{0}, lead)
		attrs["pad"] = slices.Concat(zero, v[:k], zero, v[k:])
	}
}

// toClip turns [B,C,...] into [1,C,B,H,W].
func toClip(rw *passes.Rewriter, v *ir.Value) *ir.Value {
	s := v.Type.Shape
	perm := []int{1, 0, 2, 3}[:len(s)]
	spatial := append(slices.Repeat([]int{1}, 4-len(s)), s[2:]...)
	return reshapeTo(rw, rw.Op(ir.Transpose, map[string]any{"perm": perm}, v), append([]int{1, s[1], s[0]}, spatial...))
}

// fromClip is the inverse of toClip.
func fromClip(rw *passes.Rewriter, v *ir.Value, shape []int) *ir.Value {
	perm := []int{1, 0, 2, 3}[:len(shape)]
	return rw.Op(ir.Transpose, map[string]any{"perm": perm}, reshapeTo(rw, v, append([]int{shape[1], shape[0]}, shape[2:]...)))
}

// unitReshape: a transpose that only moves axes of size 1 is a reshape.
func unitReshape(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !n.Is(ir.Transpose) {
		return nil
	}
	last := -1
	for _, p := range analysis.PermOf(n) {
		if n.In(0).Shape[p] == 1 {
			continue
		}
		if p < last {
			return nil
		}
		last = p
	}
	return []*ir.Value{reshapeTo(rw, n.Args[0], n.Result().Type.Shape)}
}

// isFromClip reports whether v was made by fromClip: an elementwise operation is
// worth wrapping only between layers that are.
func isFromClip(v *ir.Value) bool {
	t := ir.Def(v)
	if !t.Is(ir.Transpose) {
		return false
	}
	r := ir.Def(t.Args[0])
	return isReshape(r) && analysis.IsMap(r.In(0))
}

// mergeFrames: a sequence [1,C,T,H,W] transposed and reshaped to T pictures and
// back to a clip is the clip: transpose(reshape(transpose(x))) where the reshapes
// only add or drop axes of size 1.
func mergeFrames(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
	if !isReshape(n) {
		return nil
	}
	t := ir.Def(n.Args[0])
	if !t.Is(ir.Transpose) {
		return nil
	}
	r := ir.Def(t.Args[0])
	if !isReshape(r) {
		return nil
	}
	inner := ir.Def(r.Args[0])
	if !inner.Is(ir.Transpose) || !unitsOnly(r) || !unitsOnly(n) {
		return nil
	}
	// Follow the axes that are not of size 1 through both transposes.
	a := realAxes(inner.In(0).Shape, nil)
	b := realAxes(inner.In(0).Shape, analysis.PermOf(inner)) // in the order after inner
	c := realAxes(t.In(0).Shape, analysis.PermOf(t))         // as numbers of axes of r's result
	rank := realAxes(t.In(0).Shape, nil)
	if len(b) != len(c) {
		return nil
	}
	for i, axis := range c {
		if b[slices.Index(rank, axis)] != a[i] {
			return nil
		}
	}
	return []*ir.Value{reshapeTo(rw, inner.Args[0], n.Result().Type.Shape)}
}

// realAxes lists the axes that are not of size 1, in the order of perm.
func realAxes(shape, perm []int) []int {
	var out []int
	for i := range shape {
		p := i
		if perm != nil {
			p = perm[i]
		}
		if shape[p] != 1 {
			out = append(out, p)
		}
	}
	return out
}

// unitsOnly reports whether a reshape only adds or drops axes of size 1.
func unitsOnly(n *ir.Node) bool {
	one := func(d int) bool { return d == 1 }
	return slices.Equal(slices.DeleteFunc(slices.Clone(n.In(0).Shape), one), slices.DeleteFunc(slices.Clone(n.Result().Type.Shape), one))
}

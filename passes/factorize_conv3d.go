package passes

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"gonum.org/v1/gonum/mat"

	"github.com/billnet/billnet/ir"
)

var _ = register(&Pass{
	Name: "factorize-conv3d",
	Doc: "Every float Conv3D of one group becomes a pointwise, a grouped and a pointwise convolution, the grouped one with the kernel, stride, padding and dilation of the first: " +
		"K[o,i,t] = sum over groups q and channels a, b in q of V[o,b] G[b,a,t] U[a,i], by alternating least squares. " +
		"Reports the relative error of every kernel, and parameters and multiplications before and after; layers that would not get smaller are left.",
	Class: Lossy,
	Options: []Option{
		{Name: "mid", Kind: OptCount, Doc: "channels between the convolutions, a multiple of groups"},
		{Name: "groups", Kind: OptCount, Default: 8, Doc: "groups of the middle convolution; 1 is a Tucker-2 decomposition"},
		{Name: "error", Kind: OptRatio, Doc: "in place of mid: the fewest channels found whose relative kernel error is at most this"},
		{Name: "params", Kind: OptAmount, Doc: "in place of mid: the most channels within this number or share of the kernel's parameters; 25% if neither mid nor error is set; with error, the limit"},
		{Name: "layers", Kind: OptNames, Doc: "only these layers; * stands for any letters"},
		{Name: "seed", Kind: OptSeed, Default: 1, Doc: "of the random starts; the same seed gives the same factors"},
	},
	After: []string{"fold-constants"},
	Run: func(c *Context, m *ir.Module) error {
		g := &factorizer{
			mid: c.Int("mid"), groups: c.Int("groups"), bound: c.Ratio("error"), params: c.Amount("params"), seed: uint64(c.Int("seed")),
		}
		switch {
		case g.mid > 0 && g.bound > 0:
			return badOption("error", "mid=%d fixes the channels; leave one of the two out", g.mid)
		case g.mid > 0 && g.params != Amount{}:
			return badOption("params", "mid=%d fixes the channels; leave one of the two out", g.mid)
		case g.mid%g.groups != 0:
			return badOption("groups", "%d groups do not divide mid=%d", g.groups, g.mid)
		case g.mid == 0 && g.bound == 0 && g.params == Amount{}:
			g.params = Amount{Share: 0.25}
		}
		chosen, err := chooseLayers(m, c.Names("layers"))
		if err != nil {
			return err
		}
		for _, f := range m.Funcs {
			if err := rewrite(f, func(rw *rewriter, n *ir.Node) []*ir.Value { return g.rule(c, rw, n, chosen) }); err != nil {
				return err
			}
		}
		return nil
	},
})

// Factorization reports what factorize-conv3d did to one layer.
type Factorization struct {
	Layer        string  `json:"layer"`
	Mid          int     `json:"mid,omitempty"`
	Groups       int     `json:"groups,omitempty"`
	Error        float64 `json:"error"` // relative Frobenius error of the kernel, with the factors rounded to float32
	ParamsBefore int     `json:"params_before"`
	Params       int     `json:"params"`
	MACsBefore   int     `json:"macs_before"`
	MACs         int     `json:"macs"`
	Left         string  `json:"left,omitempty"` // why the layer is as it was
}

func (r *Factorization) String() string {
	if r.Left != "" {
		return fmt.Sprintf("layer %q is not factorized: %s", r.Layer, r.Left)
	}
	return fmt.Sprintf("layer %q: %d channels in %d groups, relative kernel error %.3g, parameters %d to %d, MACs %d to %d; fine-tuning should follow",
		r.Layer, r.Mid, r.Groups, r.Error, r.ParamsBefore, r.Params, r.MACsBefore, r.MACs)
}

// factorizer holds the options.
type factorizer struct {
	mid, groups int
	bound       float64
	params      Amount
	seed        uint64
}

// isConv3D reports whether a node is a convolution over three axes with a
// kernel to take apart.
func isConv3D(n *ir.Node) bool {
	return n.Is("conv") && n.In(1).Rank() == 5 && ir.Type{Shape: n.In(1).Shape[2:]}.Elems() > 1
}

func layerName(n *ir.Node) string {
	if n.Loc.Name != "" {
		return n.Loc.Name
	}
	return n.Loc.String()
}

// chooseLayers returns the convolutions that are in the module now and whose
// names match; all when there are no patterns.
func chooseLayers(m *ir.Module, patterns []string) (map[*ir.Node]bool, error) {
	chosen := map[*ir.Node]bool{}
	var convs []*ir.Node
	var names []string
	for _, f := range m.Funcs {
		for _, n := range f.Nodes {
			if isConv3D(n) {
				convs, names = append(convs, n), append(names, layerName(n))
				chosen[n] = len(patterns) == 0
			}
		}
	}
	for _, p := range patterns {
		match := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*") + "$")
		found := false
		for i, n := range convs {
			if match.MatchString(names[i]) {
				chosen[n], found = true, true
			}
		}
		if !found {
			return nil, badOption("layers", "no Conv3D is called %q%s; there are %s", p, nearest(p, names), strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

// rule replaces one chosen convolution, and reports it either way.
func (g *factorizer) rule(c *Context, rw *rewriter, n *ir.Node, chosen map[*ir.Node]bool) []*ir.Value {
	if !chosen[n] {
		return nil
	}
	chosen[n] = false
	r := Factorization{Layer: layerName(n), ParamsBefore: n.In(1).Elems(), MACsBefore: n.Op.Work(n)}
	r.Params, r.MACs = r.ParamsBefore, r.MACsBefore
	d, left := g.decompose(c, n)
	if rw.Err = c.ctx.Err(); rw.Err != nil {
		return nil
	}
	var y *ir.Value
	if r.Left = left; d != nil {
		y = g.replace(rw, n, d, &r)
	}
	c.Factorized = append(c.Factorized, r)
	c.Note("%s", r.String())
	if y == nil {
		return nil
	}
	return []*ir.Value{y}
}

// decompose factorizes a layer's kernel, or says why it stays.
func (g *factorizer) decompose(c *Context, n *ir.Node) (d *blockTerm, left string) {
	w := ir.ConstOf(n.Args[1])
	switch {
	case w == nil:
		return nil, "its weights are no constant"
	case w.Type.DType != ir.F32:
		return nil, fmt.Sprintf("its weights are %s, expected f32", w.Type.DType)
	case n.Int("groups") != 1:
		return nil, fmt.Sprintf("it has %d groups already", n.Int("groups"))
	}
	vals := make([]float64, w.Len())
	for i := range vals {
		if vals[i] = w.Float(i); vals[i]-vals[i] != 0 {
			return nil, "its weights are not finite"
		}
	}
	if recoverWeights(w) != nil {
		return nil, "its weights are binary or of few bits: no float layer is left to make smaller"
	}
	o, i := w.Type.Shape[0], w.Type.Shape[1]
	taps := w.Len() / (o * i)
	limit := w.Len() - 1
	if g.params != (Amount{}) {
		limit = min(limit, g.params.Of(w.Len()))
	}
	most := midWithin(o, i, taps, g.groups, limit)
	k := newKernel3(vals, o, i, taps)
	switch {
	case most == 0:
		return nil, fmt.Sprintf("%d groups of one channel need more than %d parameters", g.groups, limit)
	case g.mid > most:
		return nil, fmt.Sprintf("mid=%d in %d groups needs as many parameters as the kernel, %d, or more; at most mid=%d does not", g.mid, g.groups, w.Len(), most)
	case g.mid > 0:
		return factorize(c.ctx, k, g.mid, g.groups, g.seed), ""
	case g.bound == 0:
		return factorize(c.ctx, k, most, g.groups, g.seed), ""
	}
	return g.withinError(c, k, most)
}

// withinError looks for the fewest channels that reach the error bound, from
// the number below which the singular values rule it out, each try from the
// last.
func (g *factorizer) withinError(c *Context, k *kernel3, most int) (*blockTerm, string) {
	mid := max(rankWithin(k.out, g.bound), rankWithin(k.in, g.bound))
	mid = (mid + g.groups - 1) / g.groups * g.groups
	if mid > most {
		return nil, fmt.Sprintf("an error of %g needs at least mid=%d, and more than mid=%d has too many parameters", g.bound, mid, most)
	}
	d := factorize(c.ctx, k, mid, g.groups, g.seed)
	for {
		e := d.relativeError(k)
		if e <= g.bound || c.ctx.Err() != nil {
			return d, ""
		}
		if mid == most {
			return nil, fmt.Sprintf("the error is still %.3g with mid=%d, and more has too many parameters", e, mid)
		}
		mid = min(most, mid+max(1, mid/8/g.groups)*g.groups)
		d = d.grow(c.ctx, k, mid, g.seed)
	}
}

// rankWithin is the smallest rank of an unfolding whose best approximation
// has at most the relative error bound.
func rankWithin(unfolded *mat.Dense, bound float64) int {
	_, s := basis(unfolded, 1)
	total, tail := 0.0, 0.0
	for _, v := range s {
		total += math.Max(v, 0)
	}
	r := len(s)
	for ; r > 1; r-- {
		if tail += math.Max(s[r-1], 0); tail > bound*bound*total {
			break
		}
	}
	return r
}

// replace appends the three convolutions and completes the report.
func (g *factorizer) replace(rw *rewriter, n *ir.Node, d *blockTerm, r *Factorization) *ir.Value {
	w := n.In(1).Shape
	o, i, taps, p := w[0], w[1], ir.Type{Shape: w[2:]}.Elems(), d.Mid/d.Groups
	d.balance()
	u, v, core := ir.NewTensor(ir.T(ir.F32, d.Mid, i, 1, 1, 1)), ir.NewTensor(ir.T(ir.F32, o, d.Mid, 1, 1, 1)), ir.NewTensor(ir.T(ir.F32, d.Mid, p, w[2], w[3], w[4]))
	round := func(t *ir.Tensor, at int, x float64) float64 {
		t.F[at] = float32(x)
		return float64(t.F[at])
	}
	for b := range d.Mid {
		for a := range i {
			d.U.Set(b, a, round(u, b*i+a, d.U.At(b, a)))
		}
		for a := range o {
			d.V.Set(b, a, round(v, a*d.Mid+b, d.V.At(b, a)))
		}
		for a := range p {
			for t := range taps {
				m := d.G[t*d.Groups+b/p]
				m.Set(b%p, a, round(core, (b*p+a)*taps+t, m.At(b%p, a)))
			}
		}
	}
	k := ir.ConstOf(n.Args[1])
	vals := make([]float64, k.Len())
	for j := range vals {
		vals[j] = k.Float(j)
	}
	r.Mid, r.Groups, r.Error = d.Mid, d.Groups, d.relativeError(newKernel3(vals, o, i, taps))

	loc := rw.Loc
	conv := func(part string, attrs map[string]any, args ...*ir.Value) *ir.Node {
		if rw.Loc = loc; loc.Name != "" {
			rw.Loc.Name += part
		}
		return rw.Node("conv", attrs, args...)
	}
	middle := map[string]any{"groups": d.Groups}
	for _, a := range []string{"stride", "pad", "dilation"} {
		if v, ok := n.Attrs[a]; ok {
			middle[a] = v
		}
	}
	last := []*ir.Value{nil, rw.Const(v)}
	if b := n.Arg(2); b != nil {
		last = append(last, b)
	}
	first := conv(".in", nil, n.Args[0], rw.Const(u))
	if first == nil {
		return nil
	}
	second := conv(".mid", middle, first.Result(), rw.Const(core))
	if second == nil {
		return nil
	}
	last[0] = second.Result()
	third := conv(".out", nil, last...)
	if third == nil {
		return nil
	}
	r.Params, r.MACs = 0, 0
	for _, n := range []*ir.Node{first, second, third} {
		r.Params += n.In(1).Elems()
		r.MACs += n.Op.Work(n)
	}
	return third.Result()
}

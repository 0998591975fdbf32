package lossy

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
	"gonum.org/v1/gonum/mat"
)

// FactorizeConv3D is the pass factorize-conv3d.
var FactorizeConv3D = &passes.Pass{
	Name: "factorize-conv3d",
	Doc: "Every float Conv3D becomes a pointwise, a grouped and a pointwise convolution, the grouped one with the kernel, stride, padding and dilation of the first: " +
		"K[o,i,t] = sum over groups q and channels a, b in q of V[o,b] G[b,a,t] U[a,i], by alternating least squares. A layer of several groups is factorized group by group. " +
		"With calibration clips the error is that of the layer's outputs, weighed by the second moment of its inputs. " +
		"Reports the relative errors of every kernel and, on clips, of its outputs, and parameters and multiplications before and after; layers that would not get smaller are left.",
	Class: passes.Lossy,
	Options: []passes.Option{
		{Name: "mid", Kind: passes.OptCount, Doc: "channels between the convolutions, a multiple of groups; of a layer of several groups, for each"},
		{Name: "groups", Kind: passes.OptCountOrAuto, Default: 8, Doc: "groups of the middle convolution; 1 is a Tucker-2 decomposition; auto tries the powers of two and takes the least error, or with error the fewest parameters"},
		{Name: "error", Kind: passes.OptRatio, Doc: "in place of mid: the fewest channels found whose relative error is at most this, of the kernel or, weighed by the inputs' moments, of the outputs"},
		{Name: "params", Kind: passes.OptAmount, Doc: "in place of mid: the most channels within this number or share of the kernel's parameters; 25% if neither mid nor error is set; with error, the limit"},
		{Name: "layers", Kind: passes.OptNames, Doc: "only these layers; * stands for any letters"},
		{Name: "weigh", Kind: passes.OptWord, Words: []string{"on", "off"}, Default: "on", Doc: "off: the error of the kernel counts, also where there are clips"},
		{Name: "seed", Kind: passes.OptSeed, Default: 1, Doc: "of the random starts and the sampled patches; the same seed gives the same factors"},
	},
	After: []string{"fold-constants"},
	Run: func(c *passes.Context, m *ir.Module) error {
		g := &factorizer{
			mid: c.Int("mid"), groups: c.Int("groups"), bound: c.Ratio("error"), params: c.Amount("params"), weigh: c.Word("weigh") == "on", seed: uint64(c.Int("seed")),
		}
		switch {
		case g.mid > 0 && g.bound > 0:
			return passes.BadOption("error", "mid=%d fixes the channels; leave one of the two out", g.mid)
		case g.mid > 0 && g.params != passes.Amount{}:
			return passes.BadOption("params", "mid=%d fixes the channels; leave one of the two out", g.mid)
		case g.mid > 0 && g.groups == 0:
			return passes.BadOption("groups", "with mid=%d every number of groups has other parameters; auto needs error or params", g.mid)
		case g.mid > 0 && g.mid%g.groups != 0:
			return passes.BadOption("groups", "%d groups do not divide mid=%d", g.groups, g.mid)
		case g.mid == 0 && g.bound == 0 && g.params == passes.Amount{}:
			g.params = passes.Amount{Share: 0.25}
		}
		chosen, err := passes.SelectLayers(c, m, "Conv3D", isConv3D)
		if err != nil {
			return err
		}
		return g.run(c, m, chosen)
	},
}

// factorizer holds the options.
type factorizer struct {
	mid, groups int // groups 0: auto
	bound       float64
	params      passes.Amount
	weigh       bool
	seed        uint64
}

// layerPlan is what becomes of one layer.
type layerPlan struct {
	n       *ir.Node
	report  report.Factorization
	kernels []*kernel3      // one for every group of the layer
	moments []*patchMoments // likewise; nil when the kernel's own error counts
	factors []*blockTerm    // likewise, rounded to float32; nil when the layer stays
}

// isConv3D reports whether a node is a convolution over three axes with a
// kernel to take apart.
func isConv3D(n *ir.Node) bool {
	return n.Is(ir.Conv) && n.In(1).Rank() == 5 && ir.Type{Shape: n.In(1).Shape[2:]}.Elems() > 1
}

// run plans every chosen layer, measures the plans on the clips, and carries
// them out.
func (g *factorizer) run(c *passes.Context, m *ir.Module, chosen []*ir.Node) error {
	plans := make([]*layerPlan, len(chosen))
	of := map[*ir.Node]*layerPlan{}
	for i, n := range chosen {
		plans[i] = newLayerPlan(n)
		of[n] = plans[i]
	}
	markFactored(m, of)
	if g.weigh && c.Calibrated() {
		if err := g.observe(c, m, plans); err != nil {
			return err
		}
	}
	for _, p := range plans {
		if p.report.Left == "" {
			p.factors, p.report.Choice, p.report.Left = g.decompose(c, p)
		}
		if err := c.Ctx().Err(); err != nil {
			return err
		}
	}
	if err := measureOutputs(c, m, plans); err != nil {
		return err
	}
	for _, f := range m.Funcs {
		err := c.Rewrite(f, func(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
			if p := of[n]; p != nil && p.factors != nil {
				return p.replace(rw)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, p := range plans {
		c.Record(&p.report)
		c.Note("%s", p.report.String())
	}
	return nil
}

// newLayerPlan reads a layer's kernels, or says why it stays.
func newLayerPlan(n *ir.Node) *layerPlan {
	p := &layerPlan{n: n, report: report.Factorization{Layer: n.LayerName(), ParamsBefore: n.In(1).Elems(), MACsBefore: n.Op.Work(n)}}
	p.report.Params, p.report.MACs = p.report.ParamsBefore, p.report.MACsBefore
	w := ir.ConstOf(n.Args[1])
	switch {
	case w == nil:
		p.report.Left = "its weights are no constant"
		return p
	case w.Type.DType != ir.F32:
		p.report.Left = fmt.Sprintf("its weights are %s, expected f32", w.Type.DType)
		return p
	}
	vals := make([]float64, w.Len())
	for i := range vals {
		if vals[i] = w.Float(i); vals[i]-vals[i] != 0 {
			p.report.Left = "its weights are not finite"
			return p
		}
	}
	if analysis.RecoverWeights(w) != nil {
		p.report.Left = "its weights are binary or of few bits: no float layer is left to make smaller"
		return p
	}
	groups := n.Int("groups")
	o, i := w.Type.Shape[0]/groups, w.Type.Shape[1]
	taps := w.Len() / (groups * o * i)
	for q := range groups {
		p.kernels = append(p.kernels, newKernel3(vals[q*o*i*taps:(q+1)*o*i*taps], o, i, taps))
	}
	if groups > 1 {
		p.report.LayerGroups = groups
	}
	return p
}

// markFactored leaves the convolutions alone that already stand between two
// pointwise ones with nothing else in between, such as those of an earlier run.
func markFactored(m *ir.Module, of map[*ir.Node]*layerPlan) {
	pointwise := func(n *ir.Node) bool {
		return n.Is(ir.Conv) && n.In(1).Rank() == 5 && ir.Type{Shape: n.In(1).Shape[2:]}.Elems() == 1
	}
	for _, f := range m.Funcs {
		uses := f.Uses()
		for _, n := range f.Nodes {
			p := of[n]
			if p == nil || n.Arg(2) != nil {
				continue
			}
			in, out := ir.Def(n.Args[0]), uses[n.Result()]
			if in != nil && pointwise(in) && in.Arg(2) == nil && len(out) == 1 && out[0] != nil && pointwise(out[0]) {
				p.report.Left = "it stands between two pointwise convolutions already"
			}
		}
	}
}

// observe samples the moments of every layer's inputs.
func (g *factorizer) observe(c *passes.Context, m *ir.Module, plans []*layerPlan) error {
	rng := rand.New(rand.NewPCG(g.seed, 0x9e3779b97f4a7c15))
	readers, inputs := readersOf(m, plans, func(p *layerPlan) bool { return p.report.Left == "" })
	each := (patchSample + len(c.Clips()) - 1) / len(c.Clips())
	return c.Observe(m, inputs, func(_ int, v *ir.Value, x *ir.Tensor) {
		for _, p := range readers[v] {
			if p.moments == nil {
				p.moments = newPatchMoments(p.n)
			}
			samplePatches(p.moments, p.n, x, each, rng)
		}
	})
}

// readersOf returns the plans that read each value of the main function, and
// those values in the order of the plans.
func readersOf(m *ir.Module, plans []*layerPlan, want func(*layerPlan) bool) (map[*ir.Value][]*layerPlan, []*ir.Value) {
	readers := map[*ir.Value][]*layerPlan{}
	var inputs []*ir.Value
	for _, p := range plans {
		if want(p) && slices.Contains(m.Main().Nodes, p.n) {
			readers[p.n.Args[0]] = append(readers[p.n.Args[0]], p)
			inputs = append(inputs, p.n.Args[0])
		}
	}
	return readers, inputs
}

// decompose factorizes a layer's kernels, and says how the number of channels
// was chosen or why the layer stays.
func (g *factorizer) decompose(c *passes.Context, p *layerPlan) (best []*blockTerm, choice, left string) {
	kernels, whiteners := p.kernels, make([]*whitener, len(p.kernels))
	if p.moments != nil {
		kernels = make([]*kernel3, len(p.kernels))
		for q, k := range p.kernels {
			whiteners[q] = p.moments[q].whitener()
			kernels[q] = whiteners[q].kernel(k)
		}
	}
	tries := []int{g.groups}
	if g.groups == 0 {
		tries = tries[:0]
		for n := 1; n <= min(kernels[0].O, kernels[0].I); n *= 2 {
			tries = append(tries, n)
		}
	}
	least := math.Inf(1)
	for _, groups := range tries {
		if c.Ctx().Err() != nil {
			return nil, "", ""
		}
		d, how, why := g.withGroups(c, kernels, groups)
		if d == nil {
			left = cmp.Or(left, why)
			continue
		}
		// What the options leave open: the error within a budget, the parameters within an error.
		cost := relativeErrorOf(d, kernels)
		if g.bound > 0 {
			k := kernels[0]
			cost = float64(blockTermParams(k.O, k.I, k.T, d[0].Mid, groups))
		}
		if cost < least {
			best, choice, least = d, how, cost
		}
	}
	if best == nil {
		return nil, "", left
	}
	if g.groups == 0 {
		choice += fmt.Sprintf(", the best of %d numbers of groups", len(tries))
	}
	for q, d := range best {
		if whiteners[q] != nil {
			whiteners[q].back(d)
		}
		d.balance()
		d.round()
	}
	if p.moments != nil {
		p.report.Weighed = new(relativeErrorOf(weighed(best, whiteners), kernels))
	}
	return best, choice, ""
}

// weighed returns decompositions in the coordinates of the moments.
func weighed(factors []*blockTerm, whiteners []*whitener) []*blockTerm {
	out := make([]*blockTerm, len(factors))
	for q, d := range factors {
		out[q] = d.clone()
		whiteners[q].forth(out[q])
	}
	return out
}

// withGroups factorizes kernels with a number of groups.
func (g *factorizer) withGroups(c *passes.Context, kernels []*kernel3, groups int) (d []*blockTerm, choice, left string) {
	k, n := kernels[0], len(kernels)
	all := n * k.O * k.I * k.T
	limit := all - 1
	if g.params != (passes.Amount{}) {
		limit = min(limit, g.params.Of(all))
	}
	most := midWithin(k.O, k.I, k.T, groups, limit/n)
	switch {
	case most == 0:
		return nil, "", fmt.Sprintf("%d groups of one channel need more than %d parameters", groups, limit)
	case g.mid > most:
		return nil, "", fmt.Sprintf("mid=%d in %d groups needs as many parameters as the kernel, %d, or more; at most mid=%d does not", g.mid, groups, all, most)
	case g.mid > 0:
		return factorizeAll(c.Ctx(), kernels, g.mid, groups, g.seed), "as given", ""
	case g.bound == 0:
		return factorizeAll(c.Ctx(), kernels, most, groups, g.seed), fmt.Sprintf("the most within %d parameters", limit), ""
	}
	d, left = g.withinError(c.Ctx(), kernels, groups, most)
	return d, fmt.Sprintf("the fewest found within an error of %g", g.bound), left
}

// withinError looks for the fewest channels that reach the error bound, from
// the number below which the singular values rule it out, each try from the
// last.
func (g *factorizer) withinError(ctx context.Context, kernels []*kernel3, groups, most int) ([]*blockTerm, string) {
	mid := 1
	if len(kernels) == 1 { // of several, one may exceed the bound when the others make up for it
		mid = max(rankWithin(kernels[0].out, g.bound), rankWithin(kernels[0].in, g.bound))
	}
	mid = (mid + groups - 1) / groups * groups
	if mid > most {
		return nil, fmt.Sprintf("an error of %g needs at least mid=%d, and more than mid=%d has too many parameters", g.bound, mid, most)
	}
	d := factorizeAll(ctx, kernels, mid, groups, g.seed)
	for {
		e := relativeErrorOf(d, kernels)
		if e <= g.bound || ctx.Err() != nil {
			return d, ""
		}
		if mid == most {
			return nil, fmt.Sprintf("the error is still %.3g with mid=%d, and more has too many parameters", e, mid)
		}
		mid = min(most, mid+max(1, mid/8/groups)*groups)
		for q := range d {
			d[q] = d[q].grow(ctx, kernels[q], mid, g.seed)
		}
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

// measureOutputs evaluates every planned layer and its factors on the inputs
// that the clips give it, and reports how far apart the outputs are.
func measureOutputs(c *passes.Context, m *ir.Module, plans []*layerPlan) error {
	if !c.Calibrated() {
		return nil
	}
	readers, inputs := readersOf(m, plans, func(p *layerPlan) bool { return p.factors != nil })
	kernels, changes := map[*layerPlan]*ir.Tensor{}, map[*layerPlan]*ir.Tensor{}
	for _, list := range readers {
		for _, p := range list {
			kernels[p], changes[p] = ir.ConstOf(p.n.Args[1]), p.change()
		}
	}
	diff, norm := map[*layerPlan]float64{}, map[*layerPlan]float64{}
	var failed error
	err := c.Observe(m, inputs, func(_ int, v *ir.Value, x *ir.Tensor) {
		for _, p := range readers[v] {
			d, err := energy(p.n, x, changes[p])
			if err == nil {
				diff[p] += d
				d, err = energy(p.n, x, kernels[p])
				norm[p] += d
			}
			failed = cmp.Or(failed, err)
		}
	})
	for p, e := range norm {
		if e > 0 {
			p.report.OutputError = new(math.Sqrt(diff[p] / e))
		}
	}
	return cmp.Or(err, failed)
}

// energy is the squared norm of a convolution of x like n, with other weights
// and no bias.
func energy(n *ir.Node, x, w *ir.Tensor) (float64, error) {
	like, err := ir.NewNode(ir.Conv, []*ir.Value{n.Args[0], n.Args[1]}, analysis.ConvAttrs(n), n.Loc)
	if err != nil {
		return 0, err
	}
	y, err := ir.EvalNode(like, []*ir.Tensor{x, w})
	if err != nil {
		return 0, err
	}
	s := 0.0
	for _, v := range y[0].Floats() {
		s += float64(v) * float64(v)
	}
	return s, nil
}

// change returns the kernel of the factors minus the layer's.
func (p *layerPlan) change() *ir.Tensor {
	t := ir.NewTensor(p.n.In(1))
	for q, k := range p.kernels {
		r := p.factors[q].residual(k)
		for o := range k.O {
			for i := range k.I {
				for tap := range k.T {
					t.Floats()[((q*k.O+o)*k.I+i)*k.T+tap] = float32(-r.At(o, tap*k.I+i))
				}
			}
		}
	}
	return t
}

// replace appends the three convolutions and completes the report.
func (p *layerPlan) replace(rw *passes.Rewriter) []*ir.Value {
	n, w, k, d := p.n, p.n.In(1).Shape, p.kernels[0], p.factors[0]
	parts, per := len(p.kernels), d.Mid/d.Groups
	u, v := ir.NewTensor(ir.T(ir.F32, parts*d.Mid, k.I, 1, 1, 1)), ir.NewTensor(ir.T(ir.F32, parts*k.O, d.Mid, 1, 1, 1))
	core := ir.NewTensor(ir.T(ir.F32, parts*d.Mid, per, w[2], w[3], w[4]))
	for q, d := range p.factors {
		for b := range d.Mid {
			row := q*d.Mid + b
			for a := range k.I {
				u.Floats()[row*k.I+a] = float32(d.U.At(b, a))
			}
			for o := range k.O {
				v.Floats()[(q*k.O+o)*d.Mid+b] = float32(d.V.At(b, o))
			}
			for a := range per {
				for t := range k.T {
					core.Floats()[(row*per+a)*k.T+t] = float32(d.G[t*d.Groups+b/per].At(b%per, a))
				}
			}
		}
	}
	r := &p.report
	r.Mid, r.Groups, r.Error = d.Mid, d.Groups, relativeErrorOf(p.factors, p.kernels)

	r.Params, r.MACs = 0, 0
	loc := rw.Loc
	conv := func(part string, attrs map[string]any, groups int, args ...*ir.Value) *ir.Value {
		if rw.Loc = loc; loc.Name != "" {
			rw.Loc.Name += part
		}
		if groups > 1 {
			attrs["groups"] = groups
		}
		c := rw.Node(ir.Conv, attrs, args...)
		if c == nil {
			return &ir.Value{}
		}
		r.Params += c.In(1).Elems()
		r.MACs += c.Op.Work(c)
		return c.Result()
	}
	middle := analysis.ConvAttrs(n)
	delete(middle, "groups")
	y := conv(".in", map[string]any{}, parts, n.Args[0], rw.Const(u))
	y = conv(".mid", middle, parts*d.Groups, y, rw.Const(core))
	last := []*ir.Value{y, rw.Const(v)}
	if b := n.Arg(2); b != nil {
		last = append(last, b)
	}
	return []*ir.Value{conv(".out", map[string]any{}, parts, last...)}
}

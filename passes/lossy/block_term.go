package lossy

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// kernel3 is a convolution kernel K[o,i,t] unfolded along both channel modes.
type kernel3 struct {
	O, I, T int
	out     *mat.Dense // [O, T*I]
	in      *mat.Dense // [I, T*O]
	norm2   float64    // squared Frobenius norm
}

// newKernel3 unfolds weights [O,I,T].
func newKernel3(w []float64, o, i, t int) *kernel3 {
	k := &kernel3{O: o, I: i, T: t, out: mat.NewDense(o, t*i, nil), in: mat.NewDense(i, t*o, nil)}
	for a := range o {
		for b := range i {
			for c := range t {
				v := w[(a*i+b)*t+c]
				k.out.Set(a, c*i+b, v)
				k.in.Set(b, c*o+a, v)
				k.norm2 += v * v
			}
		}
	}
	return k
}

// blockTerm is a sum of Groups Tucker-2 terms,
//
//	K[o,i,t] = sum over groups q and a, b in q of V[b,o] G[t][b,a] U[a,i],
//
// of p = Mid/Groups channels each. G holds, for every tap and group, a p x p
// matrix at index t*Groups + q.
type blockTerm struct {
	Mid, Groups int
	U, V        *mat.Dense // [Mid,I], [Mid,O]
	G           []*mat.Dense
}

func newBlockTerm(k *kernel3, mid, groups int) *blockTerm {
	d := &blockTerm{mid, groups, mat.NewDense(mid, k.I, nil), mat.NewDense(mid, k.O, nil), make([]*mat.Dense, k.T*groups)}
	for j := range d.G {
		d.G[j] = mat.NewDense(mid/groups, mid/groups, nil)
	}
	return d
}

func (d *blockTerm) clone() *blockTerm {
	c := *d
	c.U, c.V, c.G = mat.DenseCopyOf(d.U), mat.DenseCopyOf(d.V), make([]*mat.Dense, len(d.G))
	for j, g := range d.G {
		c.G[j] = mat.DenseCopyOf(g)
	}
	return &c
}

// blockTermParams is the number of weights of the three convolutions.
func blockTermParams(o, i, t, mid, groups int) int {
	return i*mid + t*mid*mid/groups + mid*o
}

// midWithin is the largest number of channels within a budget of parameters; 0
// when there is none.
func midWithin(o, i, taps, groups, budget int) int {
	mid := 0
	for groups <= budget && blockTermParams(o, i, taps, mid+groups, groups) <= budget {
		mid += groups
	}
	return mid
}

func view(m *mat.Dense, r0, r1, c0, c1 int) *mat.Dense { return m.Slice(r0, r1, c0, c1).(*mat.Dense) }

// through returns H[b, t*n+j] = sum over a of G[t][b,a] X[a,j], the core applied
// to one side; transposed applies G's transpose.
func (d *blockTerm) through(x *mat.Dense, transposed bool) *mat.Dense {
	_, n := x.Dims()
	p, taps := d.Mid/d.Groups, len(d.G)/d.Groups
	h := mat.NewDense(d.Mid, taps*n, nil)
	for j, g := range d.G {
		t, q := j/d.Groups, j%d.Groups
		var gm mat.Matrix = g
		if transposed {
			gm = g.T()
		}
		view(h, q*p, (q+1)*p, t*n, (t+1)*n).Mul(gm, view(x, q*p, (q+1)*p, 0, n))
	}
	return h
}

// residual returns the unfolding along the outputs of the kernel minus d.
func (d *blockTerm) residual(k *kernel3) *mat.Dense {
	r := &mat.Dense{}
	r.Mul(d.V.T(), d.through(d.U, false))
	r.Sub(k.out, r)
	return r
}

// relativeError is the Frobenius norm of the residual over that of the kernel.
func (d *blockTerm) relativeError(k *kernel3) float64 {
	return mat.Norm(d.residual(k), 2) / math.Sqrt(k.norm2)
}

// round rounds the factors to float32.
func (d *blockTerm) round() {
	for _, m := range append([]*mat.Dense{d.U, d.V}, d.G...) {
		m.Apply(func(_, _ int, v float64) float64 { return float64(float32(v)) }, m)
	}
}

// relativeErrorOf is the relative error of several decompositions together.
func relativeErrorOf(factors []*blockTerm, kernels []*kernel3) float64 {
	left, norm := 0.0, 0.0
	for q, k := range kernels {
		e := mat.Norm(factors[q].residual(k), 2)
		left, norm = left+e*e, norm+k.norm2
	}
	return math.Sqrt(left / norm)
}

// factorizeAll finds a decomposition of every kernel, all with the same number
// of channels.
func factorizeAll(ctx context.Context, kernels []*kernel3, mid, groups int, seed uint64) []*blockTerm {
	factors := make([]*blockTerm, len(kernels))
	for q, k := range kernels {
		factors[q] = factorize(ctx, k, mid, groups, seed)
	}
	return factors
}

// proximal is the weight, relative to the mean of the diagonal, of staying at
// the last solution: it keeps singular systems solvable and, unlike a ridge
// toward zero, the loss monotone.
const proximal = 1e-13

// solveSPD returns x of (a + (ridge+proximal)*m*I) x = b + proximal*m*old, m the
// mean of a's diagonal.
func solveSPD(a *mat.SymDense, b, old *mat.Dense, ridge float64) *mat.Dense {
	n := a.SymmetricDim()
	mean := math.Max(mat.Trace(a)/float64(n), math.SmallestNonzeroFloat32)
	x := &mat.Dense{}
	for stay := proximal; ; stay *= 100 {
		s := mat.NewSymDense(n, nil)
		s.CopySym(a)
		for i := range n {
			s.SetSym(i, i, a.At(i, i)+(ridge+stay)*mean)
		}
		var chol mat.Cholesky
		if !chol.Factorize(s) && stay < 1 {
			continue
		}
		rhs := &mat.Dense{}
		rhs.Scale(stay*mean, old)
		rhs.Add(rhs, b)
		// The error says that the system is ill-conditioned; the solution is then
		// still the best at hand, and the caller keeps it only if the loss falls.
		_ = chol.SolveTo(x, rhs)
		return x
	}
}

// gram returns x x^T.
func gram(x *mat.Dense) *mat.SymDense {
	s := &mat.SymDense{}
	s.SymOuterK(1, x)
	return s
}

// updateSide solves for one pointwise factor, given the core applied to the
// other side: a linear least-squares problem.
func updateSide(unfolded, h, old *mat.Dense, ridge float64) *mat.Dense {
	b := &mat.Dense{}
	b.Mul(h, unfolded.T())
	return solveSPD(gram(h), b, old, ridge)
}

// directUnknowns bounds the core's least-squares problem that is solved as a
// whole; larger ones are solved group by group.
const directUnknowns = 1024

// updateCore solves for G given U and V. Its normal equations are the same for
// all taps: sum over groups r of (V V^T)[q,r] G_r (U U^T)[r,q] = V_q K_t U_q^T.
func (d *blockTerm) updateCore(k *kernel3, ridge float64) {
	p, taps := d.Mid/d.Groups, k.T
	gv, gu := &mat.Dense{}, &mat.Dense{}
	gv.Mul(d.V, d.V.T())
	gu.Mul(d.U, d.U.T())
	y := &mat.Dense{}
	y.Mul(d.V, k.out) // [Mid, T*I]
	rhs := make([]*mat.Dense, len(d.G))
	for j := range rhs {
		t, q := j/d.Groups, j%d.Groups
		rhs[j] = &mat.Dense{}
		rhs[j].Mul(view(y, q*p, (q+1)*p, t*k.I, (t+1)*k.I), view(d.U, q*p, (q+1)*p, 0, k.I).T())
	}
	if n := d.Groups * p * p; n <= directUnknowns {
		a := mat.NewSymDense(n, nil)
		for i := range n {
			qi, bi, ai := i/(p*p), i/p%p, i%p
			for j := i; j < n; j++ {
				qj, bj, aj := j/(p*p), j/p%p, j%p
				a.SetSym(i, j, gv.At(qi*p+bi, qj*p+bj)*gu.At(qi*p+ai, qj*p+aj))
			}
		}
		b, old := mat.NewDense(n, taps, nil), mat.NewDense(n, taps, nil)
		for i := range n {
			for t := range taps {
				b.Set(i, t, rhs[t*d.Groups+i/(p*p)].At(i/p%p, i%p))
				old.Set(i, t, d.G[t*d.Groups+i/(p*p)].At(i/p%p, i%p))
			}
		}
		x := solveSPD(a, b, old, ridge)
		for i := range n {
			for t := range taps {
				d.G[t*d.Groups+i/(p*p)].Set(i/p%p, i%p, x.At(i, t))
			}
		}
		return
	}
	// Group by group, each the exact minimum while the others stay.
	for q := range d.Groups {
		vq, uq := symBlock(gv, q, p), symBlock(gu, q, p)
		for t := range taps {
			r := mat.DenseCopyOf(rhs[t*d.Groups+q])
			for s := range d.Groups {
				if s == q {
					continue
				}
				m := &mat.Dense{}
				m.Product(view(gv, q*p, (q+1)*p, s*p, (s+1)*p), d.G[t*d.Groups+s], view(gu, s*p, (s+1)*p, q*p, (q+1)*p))
				r.Sub(r, m)
			}
			g := d.G[t*d.Groups+q]
			left, old := &mat.Dense{}, &mat.Dense{}
			old.Mul(g, uq)
			left.CloneFrom(solveSPD(vq, r, old, ridge))
			g.CloneFrom(solveSPD(uq, mat.DenseCopyOf(left.T()), mat.DenseCopyOf(g.T()), ridge).T())
		}
	}
}

func symBlock(m *mat.Dense, q, p int) *mat.SymDense {
	s := mat.NewSymDense(p, nil)
	for i := range p {
		for j := i; j < p; j++ {
			s.SetSym(i, j, m.At(q*p+i, q*p+j))
		}
	}
	return s
}

// normalize gives the channels of U and V unit length; the core takes the
// lengths over. The product stays.
func (d *blockTerm) normalize() {
	p := d.Mid / d.Groups
	for c := range d.Mid {
		q, i := c/p, c%p
		u, v := mat.Norm(d.U.RowView(c), 2), mat.Norm(d.V.RowView(c), 2)
		scaleRow(d.U, c, u)
		scaleRow(d.V, c, v)
		for j := q; j < len(d.G); j += d.Groups {
			for l := range p {
				if u > 0 {
					d.G[j].Set(l, i, d.G[j].At(l, i)*u)
				}
				if v > 0 {
					d.G[j].Set(i, l, d.G[j].At(i, l)*v)
				}
			}
		}
	}
}

// balance gives the three factors equal mean squares, so that none of them is
// tiny or huge as a weight tensor.
func (d *blockTerm) balance() {
	d.normalize()
	rms := func(sum float64, n int) float64 { return math.Sqrt(sum / float64(n)) }
	_, i := d.U.Dims()
	_, o := d.V.Dims()
	sum := 0.0
	for _, g := range d.G {
		n := mat.Norm(g, 2)
		sum += n * n
	}
	core := rms(sum, d.Mid*d.Mid/d.Groups*len(d.G)/d.Groups)
	u, v := rms(1, i), rms(1, o)
	if core == 0 {
		return
	}
	mean := math.Cbrt(core * u * v)
	d.U.Scale(mean/u, d.U)
	d.V.Scale(mean/v, d.V)
	for _, g := range d.G {
		g.Scale(mean/core, g)
	}
}

// scaleRow divides row c by s, unless s is 0.
func scaleRow(m *mat.Dense, c int, s float64) {
	if s > 0 {
		row := m.RawRowView(c)
		for i := range row {
			row[i] /= s
		}
	}
}

// als alternates the three least-squares problems until the squared error,
// relative to the kernel, falls by less than tol of itself, or for most
// rounds, and returns the relative error after every round. With ridge 0 it
// never rises; the ridge is relative and decays. It stops early when ctx is
// done.
func (d *blockTerm) als(ctx context.Context, k *kernel3, most int, ridge, tol float64) []float64 {
	errs := []float64{d.relativeError(k)}
	for range most {
		if ctx.Err() != nil {
			return errs
		}
		last := d.clone()
		d.normalize()
		d.updateCore(k, ridge)
		d.V = updateSide(k.out, d.through(d.U, false), d.V, ridge)
		d.U = updateSide(k.in, d.through(d.V, true), d.U, ridge)
		e, before := d.relativeError(k), errs[len(errs)-1]
		if e != e || ridge == 0 && e > before { // the limit of the arithmetic
			*d = *last
			return errs
		}
		errs = append(errs, e)
		if ridge == 0 && (before*before-e*e <= tol*before*before || e < 1e-12) {
			return errs
		}
		if ridge *= 0.5; ridge < 1e-7 {
			ridge = 0
		}
	}
	return errs
}

// basis returns the n leading left singular vectors of an unfolding, as rows,
// and all squared singular values, falling.
func basis(unfolded *mat.Dense, n int) (*mat.Dense, []float64) {
	// The left singular vectors are the eigenvectors of the Gram matrix, which
	// has the size of one channel mode only.
	var e mat.EigenSym
	r, _ := unfolded.Dims()
	if !e.Factorize(gram(unfolded), true) {
		return view(eye(r), 0, n, 0, r), make([]float64, r)
	}
	values := e.Values(nil)
	var vec mat.Dense
	e.VectorsTo(&vec)
	out := mat.NewDense(n, r, nil)
	for i := range n {
		out.SetRow(i, mat.Col(nil, r-1-i, &vec))
	}
	slices.Reverse(values)
	return out, values
}

func eye(n int) *mat.Dense {
	m := mat.NewDense(n, n, nil)
	for i := range n {
		m.Set(i, i, 1)
	}
	return m
}

// project returns the kernel in the coordinates of two row bases.
func (k *kernel3) project(bo, bi *mat.Dense) *kernel3 {
	o, _ := bo.Dims()
	i, _ := bi.Dims()
	c := &kernel3{O: o, I: i, T: k.T, out: mat.NewDense(o, k.T*i, nil), in: mat.NewDense(i, k.T*o, nil)}
	for t := range k.T {
		s := view(c.out, 0, o, t*i, (t+1)*i)
		s.Product(bo, view(k.out, 0, k.O, t*k.I, (t+1)*k.I), bi.T())
		view(c.in, 0, i, t*o, (t+1)*o).Copy(s.T())
	}
	n := mat.Norm(c.out, 2)
	c.norm2 = n * n
	return c
}

// Effort of a factorization. Large kernels get fewer rounds: what is left to
// gain after the first ones is small, and their time would be minutes.
const (
	restarts      = 4      // starts of ALS on the projected kernel
	restartRounds = 30     // at most, of each
	polishRounds  = 60     // at most, on the whole kernel
	growRounds    = 20     // at most, after channels were added
	leastRounds   = 5      // of any
	roundsWork    = 1.5e10 // multiplications mid*O*I*T in all rounds together
	polishTol     = 1e-4
	startRidge    = 1e-2
)

// rounds is the number of rounds that a share of the work allows, at most most.
func rounds(k *kernel3, mid, most int, share float64) int {
	perRound := float64(mid) * float64(k.O) * float64(k.I) * float64(k.T)
	return int(min(float64(most), max(leastRounds, share*roundsWork/perRound)))
}

// factorize finds a block-term decomposition with mid channels in groups.
// Starts are tried on the kernel projected onto its leading singular vectors,
// which costs little; the best is refined on the kernel itself.
func factorize(ctx context.Context, k *kernel3, mid, groups int, seed uint64) *blockTerm {
	rng := rand.New(rand.NewPCG(seed, 0x2545f4914f6cdd1d))
	bo, _ := basis(k.out, min(mid, k.O))
	bi, _ := basis(k.in, min(mid, k.I))
	core := k.project(bo, bi)
	var starts []*blockTerm
	if core.O == mid && core.I == mid && groups > 1 {
		for range 2 {
			if d := diagonalize(core, groups, rng); d != nil {
				starts = append(starts, d)
			}
		}
	}
	exact := len(starts) // near the solution if there is an exact one: a ridge would only lead away
	starts = append(starts, clusterChannels(core, mid, groups, rng))
	each := rounds(core, mid, restartRounds, 0.5/restarts)
	for len(starts) < restarts && each > leastRounds {
		d := newBlockTerm(core, mid, groups)
		randomRows(d.U, 0, rng)
		randomRows(d.V, 0, rng)
		starts = append(starts, d)
	}
	var best *blockTerm
	least := math.Inf(1)
	for i, d := range starts {
		if core.norm2 > 0 {
			ridge := startRidge
			if i < exact {
				ridge = 0
			}
			errs := d.als(ctx, core, each, ridge, polishTol)
			if e := errs[len(errs)-1]; e < least {
				best, least = d, e
			}
			if least < 1e-9 || groups == 1 {
				break
			}
		}
	}
	if best == nil {
		best = starts[0]
	}
	u, v := &mat.Dense{}, &mat.Dense{}
	u.Mul(best.U, bi)
	v.Mul(best.V, bo)
	best.U, best.V = u, v
	best.als(ctx, k, rounds(k, mid, polishRounds, 0.5), 0, polishTol)
	return best
}

// grow returns a decomposition with more channels that starts from d: the new
// channels point along the residual, and the core does not read them yet, so
// the error is at most that of d.
func (d *blockTerm) grow(ctx context.Context, k *kernel3, mid int, seed uint64) *blockTerm {
	rng := rand.New(rand.NewPCG(seed, uint64(mid)))
	n := newBlockTerm(k, mid, d.Groups)
	p, old := mid/d.Groups, d.Mid/d.Groups
	r := d.residual(k)
	ri := mat.NewDense(k.I, k.T*k.O, nil)
	for t := range k.T {
		view(ri, 0, k.I, t*k.O, (t+1)*k.O).Copy(view(r, 0, k.O, t*k.I, (t+1)*k.I).T())
	}
	bo, _ := basis(r, min(mid-d.Mid, k.O))
	bi, _ := basis(ri, min(mid-d.Mid, k.I))
	randomRows(n.U, 0, rng)
	randomRows(n.V, 0, rng)
	fresh := 0
	for q := range d.Groups {
		view(n.U, q*p, q*p+old, 0, k.I).Copy(view(d.U, q*old, (q+1)*old, 0, k.I))
		view(n.V, q*p, q*p+old, 0, k.O).Copy(view(d.V, q*old, (q+1)*old, 0, k.O))
		for c := q*p + old; c < (q+1)*p; c++ {
			if fresh < min(mid-d.Mid, k.O) {
				n.V.SetRow(c, bo.RawRowView(fresh))
			}
			if fresh < min(mid-d.Mid, k.I) {
				n.U.SetRow(c, bi.RawRowView(fresh))
			}
			fresh++
		}
	}
	for j := range n.G {
		view(n.G[j], 0, old, 0, old).Copy(d.G[j])
	}
	n.als(ctx, k, rounds(k, mid, growRounds, 0.25), 0, polishTol)
	return n
}

// randomRows fills the rows from first on with normal numbers.
func randomRows(m *mat.Dense, first int, rng *rand.Rand) {
	r, _ := m.Dims()
	for i := first; i < r; i++ {
		row := m.RawRowView(i)
		for j := range row {
			row[j] = rng.NormFloat64()
		}
	}
}

// clusterChannels starts from the singular vectors themselves: those that
// exchange the most energy over the taps share a group.
func clusterChannels(core *kernel3, mid, groups int, rng *rand.Rand) *blockTerm {
	d := newBlockTerm(core, mid, groups)
	n := min(core.O, core.I, mid)
	units := make([][]int, mid)
	affinity := mat.NewDense(mid, mid, nil)
	for b := range mid {
		units[b] = []int{b}
		for a := range mid {
			for t := 0; t < core.T && b < n && a < n; t++ {
				v := core.out.At(b, t*core.I+a)
				affinity.Set(b, a, affinity.At(b, a)+v*v)
			}
		}
	}
	randomRows(d.U, 0, rng)
	randomRows(d.V, 0, rng)
	for place, c := range cluster(affinity, units, groups) {
		if c < core.I {
			d.U.SetRow(place, eye(core.I).RawRowView(c))
		}
		if c < core.O {
			d.V.SetRow(place, eye(core.O).RawRowView(c))
		}
	}
	return d
}

// diagonalize starts from a joint block diagonalization of the taps. For an
// exact block-term kernel C_t = P D_t Q with block-diagonal D_t, so A B^-1, for
// random sums A and B of the taps, has eigenvectors each of which lies in the
// span of one group of P's columns; the other taps tell which belong together.
func diagonalize(core *kernel3, groups int, rng *rand.Rand) *blockTerm {
	n := core.O
	p := n / groups
	tap := func(t int) *mat.Dense { return view(core.out, 0, n, t*n, (t+1)*n) }
	mix := func() *mat.Dense {
		s, m := mat.NewDense(n, n, nil), &mat.Dense{}
		for t := range core.T {
			m.Scale(rng.NormFloat64(), tap(t))
			s.Add(s, m)
		}
		return s
	}
	a, inv := mix(), &mat.Dense{}
	if err := inv.Inverse(mix()); err != nil && !isCondition(err) {
		return nil
	}
	m := &mat.Dense{}
	m.Mul(a, inv)
	var e mat.Eigen
	if !e.Factorize(m, mat.EigenRight) {
		return nil
	}
	var vec mat.CDense
	e.VectorsTo(&vec)
	// A complex pair is one unit, with the real and imaginary part as its basis.
	w := mat.NewDense(n, n, nil)
	var units [][]int
	for c, v := range e.Values(nil) {
		if imag(v) < 0 && c > 0 {
			continue
		}
		for i := range n {
			w.Set(i, c, imag(1i*vec.At(i, c))) // the real part; real is another function of this package
			if imag(v) > 0 && c+1 < n {
				w.Set(i, c+1, imag(vec.At(i, c)))
			}
		}
		units = append(units, []int{c})
		if imag(v) > 0 && c+1 < n {
			units[len(units)-1] = []int{c, c + 1}
		}
	}
	winv := &mat.Dense{}
	if err := winv.Inverse(w); err != nil && !isCondition(err) {
		return nil
	}
	affinity := mat.NewDense(n, n, nil)
	for t := range core.T {
		s := &mat.Dense{}
		s.Product(winv, tap(t), inv, w)
		s.MulElem(s, s)
		affinity.Add(affinity, s)
	}
	order := cluster(affinity, units, groups)
	d := newBlockTerm(core, n, groups)
	pm := mat.NewDense(n, n, nil)
	for place, c := range order {
		col := mat.Col(nil, c, w)
		pm.SetCol(place, col)
		d.V.SetRow(place, col)
	}
	pinv := &mat.Dense{}
	if err := pinv.Inverse(pm); err != nil && !isCondition(err) {
		return nil
	}
	// The rows of P^-1 C_t of one group span the rows of Q of that group.
	for q := range groups {
		stack := mat.NewDense(n, core.T*p, nil)
		for t := range core.T {
			s := &mat.Dense{}
			s.Mul(view(pinv, q*p, (q+1)*p, 0, n), tap(t))
			view(stack, 0, n, t*p, (t+1)*p).Copy(s.T())
		}
		rows, _ := basis(stack, p)
		view(d.U, q*p, (q+1)*p, 0, n).Copy(rows)
	}
	return d
}

func isCondition(err error) bool {
	c, ok := err.(mat.Condition)
	return ok && !math.IsInf(float64(c), 0)
}

// cluster puts units of one or two channels into groups of equal size so that
// channels with a large affinity share one: each group grows from the strongest
// unit left by the unit nearest to it. It returns the channels in group order.
func cluster(affinity *mat.Dense, units [][]int, groups int) []int {
	n, _ := affinity.Dims()
	p := n / groups
	left := slices.Clone(units)
	between := func(a, b []int) (s float64) {
		for _, i := range a {
			for _, j := range b {
				s += affinity.At(i, j) + affinity.At(j, i)
			}
		}
		return s / float64(len(a)*len(b))
	}
	var order []int
	for range groups {
		var group []int
		for len(group) < p && len(left) > 0 {
			best, most := 0, math.Inf(-1)
			for i, u := range left {
				s := 0.0
				if len(group) > 0 {
					s = between(group, u)
				} else {
					for _, v := range left {
						s += between(u, v)
					}
				}
				if len(u) > p-len(group) {
					s = -1 // does not fit: taken apart only when nothing else is left
				}
				if s > most {
					best, most = i, s
				}
			}
			u := left[best]
			take := min(len(u), p-len(group))
			group = append(group, u[:take]...)
			if left = slices.Delete(left, best, best+1); take < len(u) {
				left = append(left, u[take:])
			}
		}
		order = append(order, group...)
	}
	return order
}

package lossy

import (
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/billnet/billnet/ir"
)

// patchMoments is the second moment of the patches that one group of a
// convolution sees, over its input channels and over its taps.
//
// A patch is the vector x[i,t] under the kernel at one output position, zeros in
// the padding. With M = E[x x^T], the error of an output whose kernel is off by
// d is E[(d.x)^2] = d^T M d. M has (channels*taps)^2 entries, so it is taken for
// a Kronecker product of its two partial traces,
//
//	M ~ C (x) S / trace M,  C[i,j] = E[sum over t of x[i,t] x[j,t]],  S[t,u] = E[sum over i of x[i,t] x[i,u]]:
//
// channels that go together do so at every tap, and all channels share how a
// patch varies over space and time. The weight then is the same family of
// kernels in other coordinates, which whiten gives.
type patchMoments struct {
	channels, taps *mat.SymDense // C and S
}

// Patches that are sampled, over all clips, and how many are held at a time.
const (
	patchSample = 2048
	patchChunk  = 32
)

// shrinkage is the share of the mean variance that every direction has at
// least: a few clips do not show that a direction never occurs.
const shrinkage = 0.01

// newPatchMoments returns one zero moment for every group of a convolution.
func newPatchMoments(n *ir.Node) []*patchMoments {
	w := n.In(1).Shape
	list := make([]*patchMoments, n.Int("groups"))
	for q := range list {
		list[q] = &patchMoments{mat.NewSymDense(w[1], nil), mat.NewSymDense(ir.Type{Shape: w[2:]}.Elems(), nil)}
	}
	return list
}

// samplePatches adds patches at most positions of n's output, drawn at random,
// to the moments of every group.
func samplePatches(list []*patchMoments, n *ir.Node, x *ir.Tensor, most int, rng *rand.Rand) {
	positions := rng.Perm(n.Result().Type.Elems() / n.Result().Type.Shape[1])
	positions = positions[:min(most, len(positions))]
	channels, taps := n.In(1).Shape[1], list[0].taps.SymmetricDim()
	for len(positions) > 0 {
		chunk := positions[:min(patchChunk, len(positions))]
		positions = positions[len(chunk):]
		for q, m := range list {
			byChannel, byTap := mat.NewDense(channels, len(chunk)*taps, nil), mat.NewDense(taps, len(chunk)*channels, nil)
			for at, p := range chunk {
				readPatch(n, x, p, q*channels, func(i, t int, v float64) {
					byChannel.Set(i, at*taps+t, v)
					byTap.Set(t, at*channels+i, v)
				})
			}
			m.channels.SymRankK(m.channels, 1, byChannel)
			m.taps.SymRankK(m.taps, 1, byTap)
		}
	}
}

// readPatch visits the elements of the patch at an output position of a 3D
// convolution, those in the padding left out. Positions count over the batch and
// the three axes in row-major order.
func readPatch(n *ir.Node, x *ir.Tensor, position, firstChannel int, visit func(i, t int, v float64)) {
	in, out, kernel := n.In(0).Shape, n.Result().Type.Shape, n.In(1).Shape
	var start, step [3]int
	for a := 2; a >= 0; a-- {
		start[a] = position%out[2+a]*n.IntAt("stride", a, 1) - n.IntAt("pad", a, 0)
		step[a] = n.IntAt("dilation", a, 1)
		position /= out[2+a]
	}
	size := in[2] * in[3] * in[4]
	first := (position*in[1] + firstChannel) * size
	tap := 0
	for i := range kernel[2] {
		for j := range kernel[3] {
			for k := range kernel[4] {
				t, h, w := start[0]+i*step[0], start[1]+j*step[1], start[2]+k*step[2]
				if t >= 0 && t < in[2] && h >= 0 && h < in[3] && w >= 0 && w < in[4] {
					at := first + (t*in[3]+h)*in[4] + w
					for c := range kernel[1] {
						visit(c, tap, x.Float(at+c*size))
					}
				}
				tap++
			}
		}
	}
}

// factor returns the lower triangular L with L L^T the shrunk moment of mean
// variance 1, the identity where nothing was seen.
func factor(moment *mat.SymDense) *mat.TriDense {
	n := moment.SymmetricDim()
	mean := mat.Trace(moment) / float64(n)
	s := mat.NewSymDense(n, nil)
	if mean > 0 {
		s.ScaleSym((1-shrinkage)/mean, moment)
	}
	for i := range n {
		s.SetSym(i, i, s.At(i, i)+shrinkage)
	}
	var c mat.Cholesky
	l := mat.NewTriDense(n, mat.Lower, nil)
	if mean-mean != 0 || !c.Factorize(s) { // inputs that are not finite weigh nothing
		for i := range n {
			l.SetTri(i, i, 1)
		}
		return l
	}
	c.LTo(l)
	return l
}

// whitener changes kernels to the coordinates in which the Frobenius norm is the
// error of the outputs: K'[o,i,t] = sum over j and u of K[o,j,u] A[j,i] B[u,t]
// with A A^T = C and B B^T = S.
type whitener struct{ a, b *mat.TriDense }

func (m *patchMoments) whitener() *whitener { return &whitener{factor(m.channels), factor(m.taps)} }

// kernel returns a kernel in the new coordinates.
func (w *whitener) kernel(k *kernel3) *kernel3 {
	weights := make([]float64, k.O*k.I*k.T)
	for o := range k.O {
		taps := mat.NewDense(k.T, k.I, slices.Clone(k.out.RawRowView(o)))
		var m mat.Dense
		m.Product(w.b.T(), taps, w.a)
		for i := range k.I {
			for t := range k.T {
				weights[(o*k.I+i)*k.T+t] = m.At(t, i)
			}
		}
	}
	return newKernel3(weights, k.O, k.I, k.T)
}

// forth changes a decomposition to the new coordinates.
func (w *whitener) forth(d *blockTerm) { d.transform(w.a, w.b) }

// back is the inverse of forth.
func (w *whitener) back(d *blockTerm) {
	var a, b mat.TriDense
	// The factor of a shrunk moment is far from singular.
	_, _ = a.InverseTri(w.a), b.InverseTri(w.b)
	d.transform(&a, &b)
}

// transform multiplies the input channels by a and the taps by b from the right:
// U[b,i] becomes sum over j of U[b,j] a[j,i], G[t] sum over u of G[u] b[u,t].
func (d *blockTerm) transform(a, b mat.Matrix) {
	d.U.Mul(mat.DenseCopyOf(d.U), a)
	taps, p := len(d.G)/d.Groups, d.Mid/d.Groups
	for q := range d.Groups {
		cores := mat.NewDense(taps, p*p, nil)
		for t := range taps {
			cores.SetRow(t, d.G[t*d.Groups+q].RawMatrix().Data)
		}
		var m mat.Dense
		m.Mul(b.T(), cores)
		for t := range taps {
			d.G[t*d.Groups+q] = mat.NewDense(p, p, slices.Clone(m.RawRowView(t)))
		}
	}
}

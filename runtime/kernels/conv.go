package kernels

import (
	"errors"
	"fmt"
)

// Conv describes a convolution of a map [C][T][H][W] with weights [OutC][C/Groups][kt][kh][kw]; axes in the order t, h, w.
// Pad is the padding before the first element; what follows the last one is implied by the size of the output. Padding
// is an exact 0 for every encoding of the activations.
type Conv struct {
	OutC, Groups             int
	Kernel, Stride, Pad, Dil [3]int
}

// Weights are binary or ternary weights: bit i, least significant first, belongs to the flat index i of
// [OutC][C/Groups][kt][kh][kw]. A set Sign bit is +1, a clear one -1. A clear Nonzero bit makes the weight 0; nil means
// that no weight is 0.
type Weights struct{ Sign, Nonzero []byte }

// Threshold makes a bit of a sum: bit = (z >= T[o]) xor flip bit o of Flip (least significant first). A nil Flip flips nothing.
type Threshold struct {
	T    []int32
	Flip []byte
}

func (th *Threshold) flip(o int) bool { return th.Flip != nil && th.Flip[o/8]>>(o%8)&1 != 0 }

func (th *Threshold) check(outC int) error {
	if len(th.T) != outC {
		return errorf("kernels: %d thresholds for %d output channels", len(th.T), outC)
	}
	if th.Flip != nil && len(th.Flip) < ceilDiv(outC, 8) {
		return errorf("kernels: %d flip bytes for %d output channels, expected %d", len(th.Flip), outC, ceilDiv(outC, 8))
	}
	return nil
}

func (w Weights) bit(i int) uint8    { return w.Sign[i>>3] >> (i & 7) & 1 }
func (w Weights) sign(i int) bool    { return w.bit(i) != 0 }
func (w Weights) nonzero(i int) bool { return w.Nonzero == nil || w.Nonzero[i>>3]>>(i&7)&1 != 0 }

// simplify drops the Nonzero of n weights of which none is 0.
func (w Weights) simplify(n int) Weights {
	if w.Nonzero == nil {
		return w
	}
	for i := range n {
		if !w.nonzero(i) {
			return w
		}
	}
	w.Nonzero = nil
	return w
}

// maxTerms limits the terms of a plan over all its outputs and output phases, so that hostile shapes can not claim much
// memory.
const maxTerms = 1 << 24

// maxTaps limits the positions of a kernel times the output phases.
const maxTaps = 1 << 20

// axisTap is where a kernel tap along one axis reads for one output phase: stored position o reads o+off of input phase.
type axisTap struct{ phase, off int }

// taps is the geometry of a convolution or pool: for each axis, taps[phase of the output][k].
type taps struct {
	axis    [3][][]axisTap
	stride  [3]int // effective stride
	need    [3]int // halo that the taps of logical outputs reach into
	outside bool   // some tap of some logical output reads padding
}

// covers reports whether taps of a kernel of one element without padding read every element of in at the stride.
func (tp *taps) covers(in, out Geom) bool {
	in3, _, _ := dims(in)
	out3, _, _ := dims(out)
	for a := range 3 {
		if out3[a] != ceilDiv(in3[a], tp.stride[a]) {
			return false
		}
	}
	return true
}

func dims(g Geom) (n, halo, phases [3]int) {
	return [3]int{g.T, g.H, g.W}, [3]int{g.HT, g.HH, g.HW}, [3]int{g.PT, g.PH, g.PW}
}

var axisName = [3]string{"t", "h", "w"}

// newTaps resolves the taps between two maps. direct says that in already has stride*out phases along every axis.
func newTaps(in, out Geom, kernel, stride, pad, dil [3]int) (tp *taps, direct bool, err error) {
	in3, _, inP := dims(in)
	out3, _, outP := dims(out)
	tp = &taps{stride: stride}
	direct = true
	for a := range 3 {
		for _, v := range [...]struct {
			name        string
			v, min, max int
		}{{"kernel", kernel[a], 1, maxDim}, {"stride", stride[a], 1, maxDim}, {"padding", pad[a], -maxDim, maxDim}, {"dilation", dil[a], 1, maxDim}} {
			if v.v < v.min || v.v > v.max {
				return nil, false, errorf("kernels: %s %d along %s, expected %d to %d", v.name, v.v, axisName[a], v.min, v.max)
			}
		}
		if out3[a] == 1 { // the stride is of no consequence: choose one that fits the phases
			if tp.stride[a] = 1; inP[a]%outP[a] == 0 {
				tp.stride[a] = inP[a] / outP[a]
			}
		}
		ph := tp.stride[a] * outP[a] // phases the input must have
		if ph > maxPhase {
			return nil, false, errorf("kernels: stride %d along %s with %d output phases is not supported: their product exceeds %d", stride[a], axisName[a], outP[a], maxPhase)
		}
		direct = direct && ph == inP[a]
		span := int64(kernel[a]-1) * int64(dil[a])
		if span > maxDim {
			return nil, false, errorf("kernels: kernel %d with dilation %d along %s spans more than %d", kernel[a], dil[a], axisName[a], maxDim)
		}
		if pad[a] > 0 || int64(tp.stride[a])*int64(out3[a]-1)+span-int64(pad[a]) >= int64(in3[a]) {
			tp.outside = true
		}
		stored := ceilDiv(in3[a], ph)
		tp.axis[a] = make([][]axisTap, outP[a])
		for r := range outP[a] {
			n := ceilDiv(max(0, out3[a]-r), outP[a])
			for k := range kernel[a] {
				c := tp.stride[a]*r + k*dil[a] - pad[a]
				q := floorDiv(c, ph)
				tp.axis[a][r] = append(tp.axis[a][r], axisTap{c - q*ph, q})
				if n > 0 {
					tp.need[a] = max(tp.need[a], -q, n-1+q-(stored-1))
				}
			}
		}
	}
	return tp, direct, nil
}

// checkHalo reports a halo of in that is smaller than what the taps reach into.
func (tp *taps) checkHalo(in Geom) error {
	_, halo, _ := dims(in)
	for a := range 3 {
		if tp.need[a] > halo[a] {
			return errorf("kernels: the taps reach %d beyond the map along %s, the input's halo is %d: store it with a larger halo", tp.need[a], axisName[a], halo[a])
		}
	}
	return nil
}

// source is the geometry in which the taps find in with stride*out phases, and with the pitch and frame of out where that can be.
func (tp *taps) source(in, out Geom) Geom {
	g := in
	g.PT, g.PH, g.PW = tp.stride[0]*out.PT, tp.stride[1]*out.PH, tp.stride[2]*out.PW
	g.HT, g.HH, g.HW = tp.need[0], tp.need[1], tp.need[2]
	_, hs, ws := g.Stored()
	if n := out.Pitch() - ws; n >= g.HW {
		g.HW = n
		if n := out.Frame()/out.Pitch() - hs; n >= g.HH {
			g.HH = n
		}
	}
	return g
}

// eachTap calls f for every tap (k = flat index of [kt][kh][kw]) with its input phase plane and position offset, for an
// output phase.
func (tp *taps) eachTap(src Geom, c *class, f func(k, phase, off int)) {
	k := 0
	for _, t := range tp.axis[0][c.rt] {
		for _, h := range tp.axis[1][c.rh] {
			for _, w := range tp.axis[2][c.rw] {
				f(k, (t.phase*src.PH+h.phase)*src.PW+w.phase, t.off*src.Frame()+h.off*src.Pitch()+w.off)
				k++
			}
		}
	}
}

// check validates the convolution against its maps and weights; it returns the positions of the kernel.
func (c Conv) check(in Geom, inElem Elem, out Geom, outElem Elem, w Weights) (taps int, err error) {
	if err := checkMaps(in, inElem, out, outElem); err != nil {
		return 0, err
	}
	switch {
	case c.OutC != out.C:
		return 0, errorf("kernels: convolution with %d output channels into a map of %d", c.OutC, out.C)
	case c.Groups < 1 || in.C%c.Groups != 0 || c.OutC%c.Groups != 0:
		return 0, errorf("kernels: %d groups do not divide %d input and %d output channels", c.Groups, in.C, c.OutC)
	}
	if taps, err = kernelSize(c.Kernel, out); err != nil {
		return 0, err
	}
	n := int64(c.OutC) * int64(in.C/c.Groups) * int64(taps) // below 2^20 * 2^20 * 2^22
	if bytes := (n + 7) / 8; int64(len(w.Sign)) < bytes || w.Nonzero != nil && int64(len(w.Nonzero)) < bytes {
		return 0, errorf("kernels: %d sign and %d nonzero bytes of weights, expected %d for %d weights", len(w.Sign), len(w.Nonzero), bytes, n)
	}
	return taps, nil
}

// checkMaps validates the input and the output of a plan.
func checkMaps(in Geom, inElem Elem, out Geom, outElem Elem) error {
	if err := in.Check(inElem); err != nil {
		return errorf("input: %w", err)
	}
	if err := out.Check(outElem); err != nil {
		return errorf("output: %w", err)
	}
	return nil
}

// kernelSize is the number of taps, limited so that the offsets of all output phases stay small.
func kernelSize(kernel [3]int, out Geom) (int, error) {
	n := int64(1)
	for _, k := range kernel {
		if k < 1 || k > maxDim || n > maxTaps {
			n = maxTaps + 1
			break
		}
		n *= int64(k)
	}
	if n > maxTaps || n*int64(out.Phases()) > maxTaps {
		return 0, errorf("kernels: kernel %v with %d output phases, expected 1 to %d taps in all", kernel, out.Phases(), maxTaps)
	}
	return int(n), nil
}

var errNoSet = errors.New("kernels: a plan needs a Set")

// errorf keeps the many calls small.
//
//go:noinline
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

package passes

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/billnet/billnet/ir"
)

// floatBound is how far an exact pass may move a float output, relative to the
// larger of 1 and the output's magnitude.
const floatBound = 1e-5

// check evaluates two modules on n inputs, edge cases first, and reports the
// first output that differs. An ideal pass may differ where the source's own
// rounding decides; that becomes a note.
func check(ctx context.Context, c *Context, p *Pass, before, after *ir.Module, n int) error {
	rng := rand.New(rand.NewPCG(uint64(n), 0x9e3779b97f4a7c15))
	for i := range n {
		in := RandomInputs(after.Main(), rng, i)
		a, err := ir.Eval(ctx, before.Main(), ConvertInputs(before.Main(), in), nil)
		if err != nil {
			return fmt.Errorf("evaluating before the pass: %w", err)
		}
		b, err := ir.Eval(ctx, after.Main(), in, nil)
		if err != nil {
			return faultf(Unevaluable, "evaluating after the pass: %w", err)
		}
		for k, r := range after.Main().Results {
			if d := Compare(a[k], b[k]); d != "" {
				msg := fmt.Sprintf("input %d of %d: output %q differs: %s", i+1, n, r.Name, d)
				switch p.Class {
				case Exact:
					return faultf(Differs, "%s", msg)
				case Ideal:
					c.Note("pass %s: %s (the source's float rounding decides there)", p.Name, msg)
				case Lossy:
					c.Note("pass %s: %s (the pass is lossy)", p.Name, msg)
				}
			}
		}
	}
	return nil
}

// RandomInputs returns inputs for a function: number 0 is all zeros, 1 all
// large, the rest random.
func RandomInputs(f *ir.Func, rng *rand.Rand, number int) []*ir.Tensor {
	in := make([]*ir.Tensor, len(f.Params))
	for i, p := range f.Params {
		t := ir.NewTensor(p.Value.Type)
		lo, hi := p.Value.Type.DType.Range()
		if p.Value.Type.DType.IsFloat() {
			lo, hi = -2, 2
		}
		for j := range t.Len() {
			switch number {
			case 0:
				t.SetFloat(j, 0)
			case 1:
				t.SetFloat(j, float64(hi))
			default:
				v := float64(lo) + rng.Float64()*(float64(hi)-float64(lo)+1)
				if !p.Value.Type.DType.IsFloat() {
					v = math.Floor(v)
				}
				t.SetFloat(j, v)
			}
			if p.Value.Type.DType == ir.SBit && t.I[j] == 0 {
				t.I[j] = 1
			}
		}
		in[i] = t
	}
	return in
}

// ConvertInputs converts inputs to the element types of another function's
// parameters: what a pass made u8 was f32 before.
func ConvertInputs(f *ir.Func, in []*ir.Tensor) []*ir.Tensor {
	out := make([]*ir.Tensor, len(in))
	for i, t := range in {
		out[i] = t.Convert(f.Params[i].Value.Type.DType)
	}
	return out
}

// Compare says how two results differ, "" when they agree: integers and bits
// must be equal, floats within floatBound, NaN equal to NaN.
func Compare(a, b *ir.Tensor) string {
	if a.Type.DType != b.Type.DType || !ir.SameShape(a.Type.Shape, b.Type.Shape) {
		return fmt.Sprintf("%s against %s", a.Type, b.Type)
	}
	for i := range a.Len() {
		x, y := a.Float(i), b.Float(i)
		same := x == y || x != x && y != y
		if a.Type.DType.IsFloat() && !same {
			same = math.Abs(x-y) <= floatBound*math.Max(1, math.Abs(x))
		}
		if !same {
			return fmt.Sprintf("element %d is %v against %v", i, x, y)
		}
	}
	return ""
}

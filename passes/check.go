package passes

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/billnet/billnet/ir"
)

// check evaluates two modules on n inputs, edge cases first, and reports the
// first output that differs. An ideal pass may differ where the source's own
// rounding decides; that becomes a note.
func check(ctx context.Context, c *Context, p *Pass, before, after *ir.Module, n int) error {
	rng := rand.New(rand.NewPCG(uint64(n), 0x9e3779b97f4a7c15))
	for i := range n {
		in := ir.RandomInputs(after.Main(), rng, i)
		a, err := ir.Eval(ctx, before.Main(), ir.ConvertInputs(before.Main(), in), nil)
		if err != nil {
			return fmt.Errorf("evaluating before the pass: %w", err)
		}
		b, err := ir.Eval(ctx, after.Main(), in, nil)
		if err != nil {
			return faultf(Unevaluable, "evaluating after the pass: %w", err)
		}
		for k, r := range after.Main().Results {
			if d := ir.Compare(a[k], b[k]); d != "" {
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

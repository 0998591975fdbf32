package randgraph

import (
	"context"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
)

// TestPlans: no two allocations that are alive at the same time share memory,
// all lie in the arena, and the printed plan and layout have a row for each.
func TestPlans(t *testing.T) {
	for seed := range uint64(60) {
		m := Seed(seed, Config{})
		res, err := passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{})
		if err != nil {
			t.Fatal(err)
		}
		img, plan, err := bytecode.Generate(m, nil)
		if err != nil {
			t.Fatal(err)
		}
		buffers := 0
		for i, a := range plan.Allocations {
			buffers += len(a.Buffers)
			if a.Offset < 0 || a.Offset+a.Size > plan.Arena || a.First > a.Last {
				t.Errorf("seed %d: %+v in an arena of %d bytes", seed, a, plan.Arena)
			}
			for _, b := range plan.Allocations[:i] {
				if a.First <= b.Last && b.First <= a.Last && a.Offset < b.Offset+b.Size && b.Offset < a.Offset+a.Size {
					t.Errorf("seed %d: %+v and %+v share memory", seed, a, b)
				}
			}
		}
		if buffers > len(img.Buffers) || plan.LowerBound > plan.Arena {
			t.Errorf("seed %d: %d buffers of %d in the plan, arena %d, lower bound %d", seed, buffers, len(img.Buffers), plan.Arena, plan.LowerBound)
		}
		var text strings.Builder
		plan.Print(&text)
		if n := strings.Count(text.String(), "\n"); n != len(plan.Allocations)+2 {
			t.Errorf("seed %d: %d lines for %d allocations", seed, n, len(plan.Allocations))
		}
		text.Reset()
		report.LayoutOf(res.Records).Print(&text)
		if n := strings.Count(text.String(), "\n"); n != len(report.LayoutOf(res.Records).Choices)+len(report.LayoutOf(res.Records).Rows)+3 || strings.Count(text.String(), "(chosen)") != 1 {
			t.Errorf("seed %d: %d lines of the layout\n%s", seed, n, text.String())
		}
	}
}

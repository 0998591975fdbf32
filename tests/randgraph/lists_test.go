package randgraph

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/exact"
	"github.com/billnet/billnet/passes/pipeline"
)

var lists = flag.Uint64("lists", 150, "number of random lists of passes")

// TestPassLists: whatever passes someone lists, in whatever order, they keep the
// module well formed and its results within their class, or an error says what is
// wrong with the list; it is never a fault of a pass.
func TestPassLists(t *testing.T) {
	all := pipeline.Registry().All()
	const parts = 4
	for part := range uint64(parts) {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			for i := part; i < *lists; i += parts {
				rng := rand.New(rand.NewPCG(i, 5))
				var list []*passes.Pass
				if i%8 != 0 { // seven in eight get to the logic level
					list = append(list, exact.FoldConstants, exact.BinaryActivations)
				}
				for range 1 + rng.IntN(8) {
					list = append(list, all[rng.IntN(len(all))])
				}
				steps := passes.Steps(list...)
				_, err := passes.Run(context.Background(), Seed(i%90, Config{Blocks: 2}), steps, passes.RunOptions{Check: 2})
				var f *passes.Failure
				if errors.As(err, &f) && f.Kind != passes.Refused {
					t.Errorf("%d: %s: %v", i, passes.Text(steps), err)
				}
			}
		})
	}
}

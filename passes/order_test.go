package passes_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/exact"
	"github.com/billnet/billnet/passes/packed"
)

// TestLevels: a pass that a list puts where it cannot run is the list's mistake, and
// the message names the pass that is missing or stands in the wrong place.
func TestLevels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		list []*passes.Pass
		want string
	}{
		{[]*passes.Pass{exact.FoldConstants, exact.SplitSigns}, "pass split-signs needs a module of level logic, this one is of level source: put binary-activations before it"},
		{[]*passes.Pass{packed.Layout, exact.MergeEqual}, "pass merge-equal cannot run behind layout, which gives every value its place: put it before layout"},
		{[]*passes.Pass{packed.Layout, exact.FuseThreshold}, "pass fuse-threshold cannot run behind layout"},
	} {
		_, err := passes.Run(context.Background(), reluModule(t), passes.Steps(c.list...), passes.RunOptions{})
		if !errors.As(err, new(*passes.PipelineError)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, expected %s", err, c.want)
		}
	}
	m := reluModule(t)
	if _, err := passes.Run(context.Background(), m, passes.Steps(packed.Layout), passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := passes.Run(context.Background(), m, passes.Steps(packed.Layout), passes.RunOptions{}); !errors.As(err, new(*passes.PipelineError)) || !strings.Contains(err.Error(), "takes no module of the packed level") {
		t.Errorf("error is %v", err)
	}
}

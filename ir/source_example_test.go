package ir_test

import (
	"testing"

	"github.com/billnet/billnet/ir"
)

// TestExamples runs every source operation's example.
func TestExamples(t *testing.T) {
	for _, op := range ir.Ops() {
		if op.Levels&ir.Source == 0 {
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			if op.Doc == "" || op.Infer == nil || op.Eval == nil {
				t.Fatal("the literal lacks documentation, inference or evaluation")
			}
			f, out, err := run(op.Example)
			if err != nil {
				t.Fatal(err)
			}
			used := false
			for _, n := range f.Nodes {
				used = used || n.Op == op
			}
			if !used || len(out) == 0 {
				t.Errorf("the example does not use the operation")
			}
		})
	}
}

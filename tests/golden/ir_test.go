package golden

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/tests/golden/script"
)

// TestIR compares the IR after every pass with testdata/ir. With -update it
// rewrites the texts, unless a text computes something else than before.
func TestIR(t *testing.T) {
	for _, name := range []string{"tiny", "tiny18"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join("testdata", "ir", name+".txtar")
			stages := lowerStepwise(t, importModel(t, name, onnx.Options{}))
			text := formatStages(stages)
			if script.Updating() {
				if err := grounded(t, file, stages); err != nil {
					t.Fatal(err)
				}
			}
			golden(t, file, text)
		})
	}
}

// stage is the module after a pass that changed it.
type stage struct {
	name string // of the pass; "integers 2" is its second run that changed something
	m    *ir.Module
}

// lowerStepwise runs the pipeline pass by pass. The first stage is the source,
// the last what the whole pipeline gives in one run.
func lowerStepwise(t *testing.T, m *ir.Module) []stage {
	t.Helper()
	whole := m.Clone()
	stages := []stage{{"import", m.Clone()}}
	before, _ := ir.Print(m, "data")
	runs := map[string]int{}
	for _, step := range pipeline.Default() {
		name := step.Pass.Name
		if _, err := passes.Run(context.Background(), m, []passes.Step{step}, passes.RunOptions{}); err != nil {
			t.Fatal(err)
		}
		if after, _ := ir.Print(m, "data"); after != before {
			if runs[name]++; runs[name] > 1 {
				name = fmt.Sprintf("%s %d", name, runs[name])
			}
			stages = append(stages, stage{name, m.Clone()})
			before = after
		}
	}
	if _, err := passes.Run(context.Background(), whole, pipeline.Default(), passes.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	if diff := bill.Equal(whole, m); diff != "" {
		t.Fatalf("the passes one by one and the pipeline in one run give different modules: %s", diff)
	}
	return stages
}

// formatStages writes an archive: a file a stage, and the side files with the
// large constants, in hexadecimal and named by their checksum. Stages with the
// same constants share one.
func formatStages(stages []stage) string {
	a := &txtar.Archive{Comment: []byte("The IR after every pass that changed it. Rewritten by go test -update.\n")}
	written := map[string]bool{}
	for _, s := range stages {
		text, data := ir.Print(s.m, "data")
		name := ""
		if data != nil {
			name = fmt.Sprintf("%08x.data", ir.Checksum(data))
			text, _ = ir.Print(s.m, name)
		}
		a.Files = append(a.Files, txtar.File{Name: s.name + ".bill", Data: []byte(text)})
		if data != nil && !written[name] {
			written[name] = true
			a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(wrapHex(data))})
		}
	}
	return string(txtar.Format(a))
}

// wrapHex writes 64 bytes a line.
func wrapHex(data []byte) string {
	var b strings.Builder
	for len(data) > 0 {
		n := min(64, len(data))
		fmt.Fprintf(&b, "%x\n", data[:n])
		data = data[n:]
	}
	return b.String()
}

// parseStages reads an archive of formatStages.
func parseStages(file string) ([]stage, error) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		return nil, err
	}
	side := func(name string) ([]byte, error) {
		for _, f := range a.Files {
			if f.Name == name {
				return hex.DecodeString(strings.ReplaceAll(string(f.Data), "\n", ""))
			}
		}
		return nil, fmt.Errorf("%s is not in %s", name, file)
	}
	var stages []stage
	for _, f := range a.Files {
		name, ok := strings.CutSuffix(f.Name, ".bill")
		if !ok {
			continue
		}
		m, err := bill.Parse(f.Name, f.Data, side)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		stages = append(stages, stage{name, m})
	}
	return stages, nil
}

// grounded says why new stages may not replace those of a file: one of the old
// texts, or of the new ones, computes something else than the first new stage.
// A file that is not there may be written.
func grounded(t *testing.T, file string, stages []stage) error {
	old, err := parseStages(file)
	if os.IsNotExist(err) {
		old = nil
	} else if err != nil {
		return fmt.Errorf("not rewritten: %w; delete the file if it can no longer be read", err)
	}
	source := stages[0].m
	for _, in := range probes(t, source.Main()) {
		want := eval(t, source, in...)
		for _, list := range [][]stage{old, stages[1:]} {
			for _, s := range list {
				if len(s.m.Main().Params) != len(in) || len(s.m.Main().Results) != len(want) {
					return fmt.Errorf("%s is not rewritten: %q has other inputs or outputs; delete the file if that is meant", file, s.name)
				}
				for k, got := range eval(t, s.m, in...) {
					if diff := ir.Compare(want[k], got); diff != "" {
						return fmt.Errorf("%s is not rewritten: the new source and %q give different results: %s; delete the file if that is meant", file, s.name, diff)
					}
				}
			}
		}
	}
	return nil
}

// TestIRTextsCompute evaluates the recorded texts: every one gives what ONNX
// Runtime gave for the model.
func TestIRTextsCompute(t *testing.T) {
	for _, name := range []string{"tiny", "tiny18"} {
		stages, err := parseStages(filepath.Join("testdata", "ir", name+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		if len(stages) < 5 {
			t.Fatalf("%s: %d stages", name, len(stages))
		}
		want := recorded(t, name)
		for _, s := range stages {
			for i, c := range clips(t) {
				if d := maxDiff(eval(t, s.m, c)[0].Floats(), want[i]); !(d <= 1e-6) {
					t.Errorf("%s: %s: clip %d: outputs differ from the recorded ones by %g", name, s.name, i, d)
				}
			}
		}
	}
}

// TestUpdateRefuses changes a recorded text and wants -update to refuse it.
func TestUpdateRefuses(t *testing.T) {
	stages := lowerStepwise(t, importModel(t, "tiny", onnx.Options{}))
	text := formatStages(stages)
	file := filepath.Join(t.TempDir(), "tiny.txtar")
	try := func(text string) error {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return grounded(t, file, stages)
	}
	if err := grounded(t, file, stages); err != nil {
		t.Errorf("no file: %v", err)
	}
	if err := try(text); err != nil {
		t.Errorf("the same text: %v", err)
	}
	// Another name for a place changes nothing that is computed.
	if err := try(strings.ReplaceAll(text, `loc("/fc/Gemm")`, `loc("/head/Gemm")`)); err != nil {
		t.Errorf("another location: %v", err)
	}
	for what, edit := range map[string][2]string{
		"a bias":             {"-0.26131853461265564, ", "-0.26231853461265564, "},
		"an operation":       {" = mux_or ", " = mux "},
		"a text of no sense": {"bill 1\n", "bill one\n"},
	} {
		changed := strings.ReplaceAll(text, edit[0], edit[1])
		if changed == text {
			t.Errorf("%s: %q is not in the text", what, edit[0])
		} else if err := try(changed); err == nil || !strings.Contains(err.Error(), "not rewritten") {
			t.Errorf("%s: the rewrite is allowed (%v)", what, err)
		}
	}
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(old, text string) string {
	a, b := strings.Split(old, "\n"), strings.Split(text, "\n")
	for i := range max(len(a), len(b)) {
		x, y := "(end)", "(end)"
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return fmt.Sprintf("line %d\n- %s\n+ %s", i+1, x, y)
		}
	}
	return ""
}

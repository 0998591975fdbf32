package golden

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/kernels"
)

// TestOutputs runs every model on every clip in four ways: the interpreter on
// the source and on the packed module, and the program with every kernel set.
// The last three agree to the last bit; all agree with ONNX Runtime's recording.
func TestOutputs(t *testing.T) {
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			source := importModel(t, m.name, m.opt)
			packed, program := compile(t, source)
			if _, again := compile(t, importModel(t, m.name, m.opt)); !bytes.Equal(program, again) {
				t.Error("compiling twice gives different bytes")
			}
			sessions := newSessions(t, program)
			want := recorded(t, m.name)
			var text strings.Builder
			for i, c := range clips(t) {
				interpreted := eval(t, packed, c)[0].Floats()
				for how, got := range map[string][]float32{"source": eval(t, source, c)[0].Floats(), "packed": interpreted} {
					if d := maxDiff(got, want[i]); !(d <= 1e-6) {
						t.Errorf("clip %d: interpreter on the %s module: outputs differ from the recorded ones by %g", i, how, d)
					}
				}
				for isa, s := range sessions {
					if got := runProgram(t, s, c, len(want[i])); !slices.Equal(got, interpreted) {
						t.Errorf("clip %d: %s kernels give %v, the interpreter %v", i, isa, got, interpreted)
					}
				}
				fmt.Fprintf(&text, "clip %d: %v\n", i, interpreted)
			}
			if !t.Failed() { // only what agrees with the recording is worth keeping
				golden(t, filepath.Join("testdata", "outputs", m.name+".txt"), text.String())
			}
		})
	}
}

// TestKernelsAgree runs inputs that no one looked at: zeros, the largest values
// and random ones.
func TestKernelsAgree(t *testing.T) {
	for _, m := range models {
		packed, program := compile(t, importModel(t, m.name, m.opt))
		sessions := newSessions(t, program)
		for i, in := range probes(t, packed.Main()) {
			want := eval(t, packed, in...)[0].Floats()
			for isa, s := range sessions {
				if got := runProgram(t, s, in[0], len(want)); !slices.Equal(got, want) {
					t.Errorf("%s: input %d: %s kernels give %v, the interpreter %v", m.name, i, isa, got, want)
				}
			}
		}
	}
}

// newSessions loads a program and opens a session for every kernel set that
// this CPU has; the others are named in the log.
func newSessions(t *testing.T, program []byte) map[string]*runtime.Session {
	t.Helper()
	p, err := runtime.LoadBytes(program)
	if err != nil {
		t.Fatal(err)
	}
	sessions := map[string]*runtime.Session{}
	for _, isa := range kernels.ISAs() {
		if !kernels.Available(isa) {
			t.Logf("%s kernels are left out: this machine does not have them", isa)
			continue
		}
		s, err := p.NewSession(runtime.Options{ISA: isa.String()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		sessions[isa.String()] = s
	}
	return sessions
}

func runProgram(t *testing.T, s *runtime.Session, in *ir.Tensor, n int) []float32 {
	t.Helper()
	out := make([]float32, n)
	if err := s.Run([][]byte{in.Data()}, [][]byte{runtime.Bytes(out)}); err != nil {
		t.Fatal(err)
	}
	return out
}

// maxDiff is the largest difference of two rows, NaN when one holds NaN.
func maxDiff(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}

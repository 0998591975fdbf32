package gosrc_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/codegen/gosrc"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/tests/randgraph"
)

// executable generates a program with the outputs of samples.
func executable(t *testing.T, img *billb.Image, opt gosrc.ExeOptions) map[string][]byte {
	t.Helper()
	var samples [][][]byte
	for k := range 3 {
		var in [][]byte
		r := rand.New(rand.NewPCG(uint64(k), 1))
		for _, p := range img.Inputs {
			in = append(in, runtime.Sample(p, k, r))
		}
		samples = append(samples, in)
	}
	opt.Samples = outputs(t, img, samples...)
	files, err := gosrc.Executable(img, opt)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestExecutable builds a program of all operations, with ports of all element
// types, and runs its self-test.
func TestExecutable(t *testing.T) {
	m, args := randgraph.Examples(t, inGo)
	img, _, err := bytecode.Generate(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var in [][]byte
	for _, x := range args {
		in = append(in, dense(x))
	}
	files := executable(t, img, gosrc.ExeOptions{Golden: []gosrc.Vector{{Inputs: in, Outputs: outputs(t, img, in)[0]}}})
	p := &project{dir: t.TempDir()}
	for name, data := range files {
		path := filepath.Join(p.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.run(t, nil, "vet", "./...")
	p.run(t, nil, "build", "-o", "program", ".")
	out, err := exec.Command(filepath.Join(p.dir, "program"), "--selftest").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "ok: 4 inputs give the recorded outputs") {
		t.Errorf("--selftest: %v\n%s", err, out)
	}
}

// TestSameExecutable checks that the same model gives the same files, and that
// none of them is for tests or names the repository.
func TestSameExecutable(t *testing.T) {
	img := special(t).img
	a, b := executable(t, &img, gosrc.ExeOptions{}), executable(t, &img, gosrc.ExeOptions{})
	if !maps.EqualFunc(a, b, bytes.Equal) {
		t.Error("two generations differ")
	}
	for name, text := range a {
		if bytes.Contains(text, []byte("github.com")) {
			t.Errorf("%s names the repository", name)
		}
		if strings.HasSuffix(name, "_test.go") {
			t.Errorf("%s is a test", name)
		}
	}
}

// TestExecutableErrors checks what Executable refuses.
func TestExecutableErrors(t *testing.T) {
	img := special(t).img
	for want, opt := range map[string]gosrc.ExeOptions{
		"sample 0 has 0 outputs":       {Samples: [][][]byte{{}}},
		"has 0 bytes, expected":        {Samples: [][][]byte{make([][]byte, len(img.Outputs))}},
		"golden vector 0 has 0 inputs": {Golden: []gosrc.Vector{{}}},
		`"none" has a certificate`:     {Certified: []gosrc.Certified{{Layer: "none", Thresholds: []int64{1}}}},
	} {
		if _, err := gosrc.Executable(&img, opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected %q", err, want)
		}
	}
}

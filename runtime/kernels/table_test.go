package kernels

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// checks are the tests that exercise the kernels of a row.
var checks = map[string][]func(*testing.T, *Set){
	"bit":       {func(t *testing.T, s *Set) { checkBitConv(t, s, cases(24)) }},
	"sums":      {func(t *testing.T, s *Set) { checkIntConv(t, s, cases(24)) }},
	"acc":       {func(t *testing.T, s *Set) { checkIntConv(t, s, cases(24)) }},
	"convert":   {func(t *testing.T, s *Set) { checkIntConv(t, s, cases(24)) }},
	"threshold": {checkThresholdMap},
	"pool":      {checkPool},
	"gate":      {checkGate},
	"count":     {checkCount},
	"split2":    {checkLayouts},
}

// Every row of the table works by itself, among generic kernels.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range table() {
		if seen[k.String()] {
			t.Errorf("%v is listed twice", k)
		}
		seen[k.String()] = true
		if len(checks[k.name]) == 0 {
			t.Errorf("no test exercises %v", k)
		}
		if k.isa == Generic {
			continue
		}
		t.Run(k.String(), func(t *testing.T) {
			if !Available(k.isa) {
				t.Skipf("%v is not available on this machine", k.isa)
			}
			s := Select(Generic)
			k.install(s)
			for _, f := range checks[k.name] {
				f(t, s)
			}
		})
	}
}

func TestSelect(t *testing.T) {
	for i := Generic; i <= AVX512; i++ {
		if got, err := ParseISA(i.String()); err != nil || got != i {
			t.Errorf("ParseISA(%q) is %v, %v", i, got, err)
		}
		if s := Select(i); s.ISA() > i || Available(i) && s.ISA() != i {
			t.Errorf("Select(%v) is for %v", i, s.ISA())
		}
	}
	if _, err := ParseISA("sse"); err == nil {
		t.Error("ParseISA accepts sse")
	}
	if got := Select(ISA(200)).ISA(); got != Best() {
		t.Errorf("Select beyond the last is %v, want %v", got, Best())
	}
}

// The generated files are what the generator writes.
func TestGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("the generator is a module of its own: skipped with -short")
	}
	dir := t.TempDir()
	cmd := exec.Command("go", "run", ".", "-dir", dir)
	cmd.Dir = "asmgen"
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("the generator can not be run here (its module must be in the module cache): %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the generator wrote nothing: %v", err)
	}
	for _, f := range files {
		want, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Base(f))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is stale: run go generate ./runtime/kernels", filepath.Base(f))
		}
	}
}

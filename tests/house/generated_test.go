package house_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const root = "../.."

// TestGenerated: the assembly in the repository is what its generator writes. The
// generator is a module of its own, whose dependencies may not be on this machine;
// with BILLNET_CI=1 that is a failure.
func TestGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the generator: skipped with -short")
	}
	dir := t.TempDir()
	cmd := exec.Command("go", "run", ".", "-root", dir)
	cmd.Dir = filepath.Join(root, "internal/asmgen")
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		fail := t.Skipf
		if os.Getenv("BILLNET_CI") != "" {
			fail = t.Fatalf
		}
		fail("the generator does not run (go -C internal/asmgen mod download fetches its modules): %v\n%s", err, out)
	}
	written := map[string]int{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		written[filepath.ToSlash(filepath.Dir(name))]++
		compareFiles(t, name, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg, n := range map[string]int{"runtime/kernels": 8, "train/gemm": 2, "train/vec": 2} {
		if written[pkg] != n {
			t.Errorf("the generator wrote %d files of %s, want %d", written[pkg], pkg, n)
		}
	}
}

// compareFiles fails when a file of the repository differs from the generated one.
func compareFiles(t *testing.T, name, generated string) {
	want, err := os.ReadFile(generated)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale: run go generate ./%s", name, filepath.ToSlash(filepath.Dir(name)))
	}
}

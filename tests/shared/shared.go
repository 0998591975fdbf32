// Package shared finds the models and clips that tests compare with and that
// are not part of the repository.
package shared

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/billnet/billnet/runtime/clip"
)

// root is found before a test leaves its package's folder.
var root = findRoot()

func findRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "runtime", "billb")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir // a program outside the repository
		}
	}
}

// Root returns the folder of the repository, for a test that go test runs.
func Root() string { return root }

// Dir returns the folder of shared test data: BILLNET_SHARED, or "shared"
// beside the repository. Without it the test is skipped, visibly.
func Dir(tb testing.TB, elem ...string) string {
	tb.Helper()
	dir := os.Getenv("BILLNET_SHARED")
	if dir == "" {
		dir = filepath.Join(Root(), "..", "shared")
	}
	path := filepath.Join(append([]string{dir}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("shared test data is not here (set BILLNET_SHARED): %v", err)
	}
	return path
}

// Billnets are the BILLNET networks, as paths below Dir without ".onnx"; clips
// are in path.clips.u8.npy and PyTorch's logits in path.logits.npy.
func Billnets() []string {
	return []string{
		"models/billnet/billnet_small", "models/billnet/billnet_small_dyn", "models/billnet/billnet_mid", "models/billnet/billnet_floatlstm",
		"models/billnet/billnet_or", "models/billnet/billnet_mux", "models/billnet/billnet_full", "models/billnet/billnet_full_mid",
		"models/torch2/t2_billnet_small", "models/torch2/t2_billnet_small_dyn_op20", "models/torch2/t2_billnet_mid_op21", "models/torch2/t2_billnet_floatlstm", "models/torch2/t2_billnet_full_mid",
		"models/billnet_trained/billnet_trained", "models/billnet_trained/t2_billnet_trained",
	}
}

// NPY reads an .npy file.
func NPY(tb testing.TB, path string) *clip.NPY {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	a, err := clip.ReadNPY(f, 1<<30)
	if err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return a
}

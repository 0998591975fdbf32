package golden

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/billnet/billnet/tests/golden/script"
)

// TestScripts runs testdata/*.txtar over billc and billrun together.
func TestScripts(t *testing.T) {
	bin := buildPrograms(t)
	// The scripts run in parallel and need the programs until the last is done.
	t.Run("all", func(t *testing.T) { testscript.Run(t, script.Params("testdata", bin)) })
}

// buildPrograms returns a folder with billc and billrun. No package can import a
// program, so both are built, as a user gets them.
func buildPrograms(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "./cmd/billc", "./cmd/billrun")
	build.Dir = filepath.Join(script.Models(), "..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	return bin
}

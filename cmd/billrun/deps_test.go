package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The program is small because of what it does not link. The packages that
// call methods by name through reflection, or need much of it, would come back
// unnoticed with one import.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}module {{end}}{{.ImportPath}}", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	const ours = "github.com/billnet/billnet/"
	allowed := map[string]bool{
		ours + "internal/atomicfile": true, ours + "internal/infile": true, ours + "internal/plain": true, ours + "internal/suggest": true, ours + "internal/release": true,
		ours + "cmd/billrun": true, ours + "internal/runner": true, ours + "runtime": true, ours + "runtime/billb": true, ours + "runtime/clip": true, ours + "runtime/kernels": true}
	seen := false
	for line := range strings.Lines(string(out)) {
		path, module := strings.CutPrefix(strings.TrimSpace(line), "module ")
		seen = seen || path == ours+"runtime"
		if module && !allowed[path] {
			t.Errorf("billrun links %s: it is made of the runtime and the clip reader only", path)
		}
		for _, large := range []string{"encoding/json", "encoding/gob", "encoding/xml", "flag", "go", "log", "math/big", "net", "os/user", "regexp", "runtime/cgo", "testing", "text"} {
			if !module && (path == large || strings.HasPrefix(path, large+"/")) {
				t.Errorf("billrun links %s, which is too large for it", path)
			}
		}
	}
	if !seen {
		t.Errorf("go list does not name the runtime:\n%s", out)
	}
}

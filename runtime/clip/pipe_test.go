//go:build unix

package clip

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe is read while somebody writes to it; without a writer it is an error, and
// nobody waits for one.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clip.npy")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	if _, err := Open(path, Spec{C: 3}, Options{}); err == nil || !strings.Contains(err.Error(), "a pipe that nobody writes to") {
		t.Errorf("without a writer: %v", err)
	}
	a, err := NewNPY([]int{1, 3, 2, 2, 2}, make([]uint8, 24))
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := WriteNPY(&file, a); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Write(file.Bytes()); err != nil {
		t.Fatal(err)
	}
	src, err := Open(path, Spec{C: 3}, Options{})
	if err != nil {
		t.Fatalf("with a writer: %v", err)
	}
	src.Close()
}

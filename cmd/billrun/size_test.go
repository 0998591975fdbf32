package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// maxBytes is what the stripped program may take. About 2.6 MB are Go's own
// runtime and library with the tables of all functions; the rest is executors of
// every operation (0.45 MB), kernels for three instruction sets (0.33), the clip
// reader (0.13), the command line (0.13) and the file format (0.09).
const maxBytes = 4_700_000

// TestSize keeps the program small, and says which packages take the room.
func TestSize(t *testing.T) {
	if testing.Short() {
		t.Skip("links the program: skipped with -short")
	}
	stripped := linked(t, "-s -w")
	info, err := os.Stat(stripped)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "tool", "nm", "-size", linked(t, "")).Output()
	if err != nil {
		t.Fatalf("go tool nm: %v", err)
	}
	sizes := packageSizes(string(out))
	if sizes["github.com/billnet/billnet/runtime"] == 0 {
		t.Errorf("no symbol of the runtime among those of %d packages", len(sizes))
	}
	names := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int { return cmp.Compare(sizes[b], sizes[a]) })
	var table strings.Builder
	for _, name := range names[:min(20, len(names))] {
		fmt.Fprintf(&table, "%10d  %s\n", sizes[name], name)
	}
	t.Logf("%d of %d bytes. Code and data by package, without the tables of lines and types that the linker makes of them (about two bytes for three):\n%s", info.Size(), maxBytes, table.String())
	if info.Size() > maxBytes {
		t.Errorf("the program has %d bytes, at most %d are allowed: see which of the packages above grew; functions that many others inline may be marked go:noinline", info.Size(), maxBytes)
	}
}

// linked builds the program.
func linked(t *testing.T, ldflags string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "billrun")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags="+ldflags, "-o", path, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// symbol is a line of go tool nm: address, size, kind, name. Its package is the
// beginning of the name, up to the first dot behind the last slash of the path.
var symbol = regexp.MustCompile(`(?m)^ *[0-9a-f]+ +([0-9]+) ([TtRrDd]) (?:type:|\*)*((?:go:)?(?:[\w.~-]+/)*[\w-]+)`)

// packageSizes sums the symbols of packages, without those that only take
// memory.
func packageSizes(nm string) map[string]int {
	sizes := map[string]int{}
	for _, m := range symbol.FindAllStringSubmatch(nm, -1) {
		n, _ := strconv.Atoi(m[1])
		sizes[m[3]] += n
	}
	return sizes
}

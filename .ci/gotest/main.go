// Command gotest runs go test, prints what it prints, with every skipped test and
// its reason, and fails when a package that is named has run no test.
//
//	gotest [flag=value ...] package ...
//
// A package named by its path must have a test that passes; of those that a
// pattern with "..." names, one must. $GOTEST_TALLY names a file that gets a line
// "passed skipped".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json", "-count=1"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fail(err)
	}
	r, err := read(out, os.Stdout)
	if err != nil {
		fail(err)
	}
	if err := cmd.Wait(); err != nil {
		fail(fmt.Errorf("go test %s: %w", strings.Join(os.Args[1:], " "), err))
	}
	if err := r.check(os.Args[1:]); err != nil {
		fail(err)
	}
	if err := r.tally(os.Getenv("GOTEST_TALLY")); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "gotest:", err)
	os.Exit(1)
}

// event is a line of go test -json.
type event struct {
	Action, Package, Test, Output string
}

// result counts tests, subtests too.
type result struct {
	passed  map[string]int // by package
	skipped int
}

// read copies what matters of a run to w: the lines of packages, and all output of
// tests that fail or are skipped.
func read(r io.Reader, w io.Writer) (*result, error) {
	res := &result{passed: map[string]int{}}
	output := map[[2]string]string{} // of tests that run
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return res, nil
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			fmt.Fprintf(w, "%s", line) // not an event: what the tool itself says
			continue
		}
		test := [2]string{e.Package, e.Test}
		switch {
		case e.Action == "output" && e.Test != "":
			output[test] += e.Output
		case e.Action == "output" && e.Output != "PASS\n", e.Action == "build-output":
			fmt.Fprint(w, e.Output)
		case e.Test == "":
		case e.Action == "pass":
			res.passed[e.Package]++
			delete(output, test)
		case e.Action == "skip":
			res.skipped++
			fmt.Fprint(w, quiet(output[test]))
			delete(output, test)
		case e.Action == "fail":
			fmt.Fprint(w, output[test])
			delete(output, test)
		}
	}
}

// quiet leaves out the lines that only say that a test runs.
func quiet(s string) (out string) {
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, "=== ") {
			out += line
		}
	}
	return out
}

// check reports a package or pattern of the command line that has run no test.
func (r *result) check(args []string) error {
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			continue
		}
		path, pattern := strings.CutSuffix(strings.TrimPrefix(arg, "."), "...")
		if !r.ran(path, pattern) {
			return fmt.Errorf("%s: no test has run and passed", arg)
		}
	}
	return nil
}

// ran reports whether a package passed a test whose import path ends with path, or
// for a pattern contains it.
func (r *result) ran(path string, pattern bool) bool {
	for pkg := range r.passed {
		if strings.HasSuffix(pkg, path) || pattern && strings.Contains(pkg+"/", path) {
			return true
		}
	}
	return false
}

func (r *result) tally(file string) error {
	passed := 0
	for _, n := range r.passed {
		passed += n
	}
	fmt.Printf("%d tests passed in %d packages, %d skipped\n", passed, len(r.passed), r.skipped)
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	fmt.Fprintln(f, passed, r.skipped)
	return f.Close()
}

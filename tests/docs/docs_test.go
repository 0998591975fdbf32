package docs_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const repository = "../.."

// documents are the texts whose commands are run. Those of an example's begin in its
// folder, all others at the root.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			rel, err := filepath.Rel(repository, name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, rel)
		}
	}
	return all
}

// TestCommands runs every command that stands in a block of a document, as pasted,
// in a copy of the repository, with the programs on the path. The exceptions are in
// rules.go. It takes minutes, so it runs where everything is checked.
func TestCommands(t *testing.T) {
	if os.Getenv("BILLNET_CI") == "" && os.Getenv("BILLNET_LONG") == "" {
		t.Skip("runs the commands of all documents only with BILLNET_CI=1 or BILLNET_LONG=1")
	}
	if runtime.GOOS == "windows" {
		t.Skip("the commands are for a POSIX shell")
	}
	fresh := prepare(t)
	ran := 0
	for _, name := range documents(t) {
		t.Run(name, func(t *testing.T) {
			all, err := blocks(string(read(t, filepath.Join(repository, name))))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(all) == 0 {
				return
			}
			r := &reader{t, filepath.Join(t.TempDir(), "billnet"), fresh.env}
			copyTree(t, fresh.root, r.root)
			ran += r.follow(name, all)
		})
	}
	t.Logf("%d commands", ran)
	if ran < 50 {
		t.Errorf("%d commands were run, expected 50 at least: are they still blocks?", ran)
	}
}

// reader is someone with a fresh copy of the repository and the programs installed.
type reader struct {
	t    *testing.T
	root string
	env  []string
}

// prepare sets the scene. Build paths are left out so that what is built in one copy
// serves in all.
func prepare(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, root: filepath.Join(t.TempDir(), "billnet")}
	bin := t.TempDir()
	r.env = append(os.Environ(), "GOBIN="+bin, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GOFLAGS=-trimpath -buildvcs=false", "BILLNET_CI=", "BILLNET_LONG=")
	copyTree(t, repository, r.root)
	setScene(t, r.root)
	for line := range strings.Lines(programs) {
		if out, code := r.shell(r.root, strings.TrimSpace(line)); code != 0 {
			t.Fatalf("setting the scene: %sexit code %d\n%s", line, code, out)
		}
	}
	return r
}

// follow runs a document's blocks and returns the number of commands. A block begins
// in the document's folder.
func (r *reader) follow(document string, all []block) int {
	dir := r.root
	if strings.HasPrefix(filepath.ToSlash(document), "examples/") {
		dir = filepath.Join(r.root, filepath.Dir(document))
	}
	ran := 0
	for _, b := range all {
		at := dir
		for i, line := range b.lines {
			command := strings.TrimSpace(line)
			if command == "" || strings.HasPrefix(command, "#") {
				continue
			}
			where := fmt.Sprintf("%s:%d", document, b.line+i)
			if folder, ok := strings.CutPrefix(command, "cd "); ok {
				at = filepath.Join(at, folder)
				continue
			}
			ran += r.command(where, at, command)
		}
	}
	return ran
}

// command runs one command, unless a rule says not to.
func (r *reader) command(where, dir, command string) int {
	run, exits, skip := applied(withoutComment(command))
	if skip != "" {
		r.t.Logf("%s: %s\n\tnot run: %s", where, command, skip)
		return 0
	}
	start := time.Now()
	out, code := r.shell(dir, run)
	if !slices.Contains(exits, code) {
		r.t.Errorf("%s: %s\n\trun as: %s\n\texit code %d, expected %v\n%s", where, command, run, code, exits, out)
	}
	r.t.Logf("%s: %s (%.1f s)", where, run, time.Since(start).Seconds())
	return 1
}

// shell runs a command and returns its output and exit code.
func (r *reader) shell(dir, command string) (string, int) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, r.env, time.Second
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		r.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// withoutComment cuts a comment off a command.
func withoutComment(s string) string {
	before, _, _ := strings.Cut(s, " #")
	return strings.TrimSpace(before)
}

// copyTree copies the repository, as a clone has it.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case d.Name() == ".git", rel == "bin":
			if d.IsDir() {
				return filepath.SkipDir
			}
		case d.Type().IsRegular():
			info, err := d.Info()
			if err != nil {
				return err
			}
			write(t, filepath.Join(to, rel), read(t, path))
			return os.Chmod(filepath.Join(to, rel), info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

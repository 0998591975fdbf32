package golden

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/tests/golden/script"
)

// TestEveryOptionHasAScript: every flag that a command's help shows and every
// option of every pass occurs in a script.
func TestEveryOptionHasAScript(t *testing.T) {
	lines := scriptLines(t)
	occurs := func(pattern string) bool {
		return slices.ContainsFunc(lines, regexp.MustCompile(pattern).MatchString)
	}
	for _, p := range pipeline.Registry().All() {
		if !occurs(`(--passes|--print-ir-after|--stop-after)\b.*\b`+regexp.QuoteMeta(p.Name)+`\b`) && !slices.ContainsFunc(pipeline.Default(), func(s passes.Step) bool { return s.Pass == p }) {
			t.Errorf("no script runs pass %s", p.Name)
		}
		for _, o := range p.Options {
			if !occurs(regexp.QuoteMeta(p.Name) + `\{[^}]*\b` + regexp.QuoteMeta(o.Name) + `=`) {
				t.Errorf("no script gives option %s of pass %s", o.Name, p.Name)
			}
		}
	}
	bin := buildPrograms(t)
	for _, form := range emitted(t, bin) {
		if !occurs(`billc compile .*--emit[= ]` + form + `\b`) {
			t.Errorf("no script writes --emit=%s", form)
		}
	}
	for _, prog := range []struct {
		name     string
		commands []string
	}{
		{"billc", helpCommands(t, bin, "billc")},
		{"billrun", helpCommands(t, bin, "billrun")},
	} {
		if len(prog.commands) < 5 {
			t.Fatalf("%s --help shows the commands %v only", prog.name, prog.commands)
		}
		for _, command := range prog.commands {
			named := prog.name + `\s+` + command + `\b`
			if prog.name == "billrun" && command == "run" {
				named = prog.name // it may be left out
			}
			for _, f := range helpFlags(t, bin, prog.name, command) {
				switch {
				case f.long == "help" || f.long == "timeout": // of all commands
					named = prog.name
				}
				long := occurs(named + `.*\s'?--` + f.long + `\b`)
				if f.short != "" {
					long = long || occurs(named+`.*\s-`+f.short)
				}
				if !long {
					t.Errorf("no script uses %s %s --%s", prog.name, command, f.long)
				}
			}
		}
	}
}

// emitted lists the forms of output that a script has to name: all but the default.
func emitted(t *testing.T, bin string) []string {
	t.Helper()
	m := regexp.MustCompile(`--emit="([a-z]+)" +What to write: ([a-z,]+)\.`).FindStringSubmatch(help(t, bin, "billc", "compile"))
	if m == nil {
		t.Fatal("the help of billc compile does not list the forms of output")
	}
	return slices.DeleteFunc(strings.Split(m[2], ","), func(form string) bool { return form == m[1] })
}

// scriptLines returns the commands of all scripts.
func scriptLines(t *testing.T) []string {
	t.Helper()
	root := filepath.Join(script.Models(), "..", "..", "..")
	var lines []string
	for _, dir := range []string{"cmd/billc/testdata", "cmd/billc/testdata/build", "cmd/billrun/testdata", "tests/golden/testdata"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.txtar"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s holds no scripts (%v)", dir, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				if strings.HasPrefix(line, "-- ") { // files follow
					break
				}
				if !strings.HasPrefix(line, "#") {
					lines = append(lines, strings.TrimSpace(line))
				}
			}
		}
	}
	return lines
}

func help(t *testing.T, bin string, args ...string) string {
	t.Helper()
	out, err := exec.Command(filepath.Join(bin, args[0]), append(args[1:], "--help")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// helpCommands lists the commands that a program's help shows.
func helpCommands(t *testing.T, bin, prog string) []string {
	t.Helper()
	_, list, ok := strings.Cut(help(t, bin, prog), "\nCommands:\n")
	if !ok {
		t.Fatalf("%s --help lists no commands", prog)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+)( |$)`).FindAllStringSubmatch(list, -1) {
		names = append(names, m[1])
	}
	return names
}

type flagName struct{ short, long string }

// helpFlags lists the flags that a command's help shows.
func helpFlags(t *testing.T, bin, prog, command string) []flagName {
	t.Helper()
	_, list, ok := strings.Cut(help(t, bin, prog, command), "\nFlags:\n")
	if !ok {
		t.Fatalf("%s %s --help lists no flags", prog, command)
	}
	var flags []flagName
	for _, m := range regexp.MustCompile(`(?m)^ +(?:-(\w), )?--([a-z-]+)`).FindAllStringSubmatch(list, -1) {
		flags = append(flags, flagName{m[1], m[2]})
	}
	return flags
}

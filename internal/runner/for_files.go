package runner

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// ForFiles makes a program that runs networks from files. The file to open is
// its first argument, or the one after the name of a command.
func ForFiles(name string, open func(path string) (Model, error)) *Program {
	return &Program{Name: name, open: open, style: words{}, commands: []command{
		{"run", "Run a model on clips or tensors (what happens when no command is given).", runHelp, declareRun},
		{"test", "Compare a model's outputs with recorded ones.", testHelp, declareTest},
		{"bench", "Measure a model's speed.", benchHelp, declareBench},
		{"info", "Show a model's interface, instructions and sizes.", infoHelp, declareInfo},
		{"version", "Show the version and the instruction sets of this machine.", "", declareVersion},
	}}
}

const filesUsage = `Usage: PROGRAM [run] MODEL [CLIP...] [flags]
       PROGRAM COMMAND ...

Runs a compiled BILLNET model (.billb) on clips.

Examples:

  PROGRAM model.billb wave.gif
  PROGRAM model.billb --json clips.npy > scores.jsonl
  ffmpeg -i cam.mp4 -f rawvideo -pix_fmt rgb24 -s 64x48 - | PROGRAM model.billb - --size 64x48
  PROGRAM model.billb --input x=@x.npy --input sel=@sel.npy --out results
  PROGRAM test model.billb --golden testdata
  PROGRAM bench model.billb --profile

A file called like a command is given after "run": PROGRAM run ./test clip.gif. What begins with - and is no flag stands after "--".
Exit codes: 0 done, 1 failed, 2 bad usage, 3 outputs differ, 70 a fault in PROGRAM, 124 timed out.`

// words is the style of commands that are words, before everything but the flags
// of all commands.
type words struct{}

func (words) choose(p *Program, args []string) (c *command, rest []string, named bool) {
	switch {
	case len(args) == 0:
	case args[0] == "--version":
		args = append([]string{"version"}, args[1:]...)
	case args[0] == "help": // help X is X --help
		args = append(slices.Clone(args[1:]), "--help")
	}
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--timeout":
			i++
		case strings.HasPrefix(arg, "--timeout=") || arg == "-h" || arg == "--help":
		default:
			for k := range p.commands {
				if p.commands[k].name == arg {
					return &p.commands[k], slices.Delete(slices.Clone(args), i, i+1), true
				}
			}
			return &p.commands[0], args, false
		}
	}
	return &p.commands[0], args, false
}

// check reports a model that is no file and has neither a folder nor an
// extension.
func (words) check(p *Program, args []string) error {
	if len(args) == 0 {
		return nil
	}
	model := args[0]
	if _, err := os.Stat(model); err == nil || strings.ContainsAny(model, `./\`) {
		return nil
	}
	var names []string
	for _, c := range p.commands {
		names = append(names, c.name)
	}
	return errorf("%q is neither a command nor a file%s", model, meant(model, p.Name+" ", names))
}

func (words) help(p *Program, c *command, f, common *flags) string {
	if c != nil {
		return "Usage: " + p.Name + " " + c.name + f.arguments() + " [flags]\n\n" + c.about + "\n" + wrap(p.fill(c.help), 0) + f.list()
	}
	var b strings.Builder
	b.WriteString(wrap(p.fill(filesUsage), 0) + "\nCommands:\n")
	for _, c := range p.commands {
		fmt.Fprintf(&b, "  %-8s  %s\n", c.name, c.about)
	}
	return b.String() + common.list() + p.fill("\n\"PROGRAM COMMAND --help\" says more about a command.\n")
}

// fill puts the program's name into a text.
func (p *Program) fill(text string) string {
	return strings.Join(strings.Split(text, "PROGRAM"), p.Name)
}

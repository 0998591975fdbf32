package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/runtime"
)

// ForModel makes a program with a network in it. It is called like its file. Its
// arguments are clips, so the commands that do something else with the network
// are switches.
func ForModel(m Model, check Selftest) *Program {
	p := &Program{Name: "model", Version: "unknown", style: switches{}}
	if len(os.Args) > 0 && os.Args[0] != "" {
		p.Name = strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	}
	p.embedded = &model{m, m.Describe(), p.Name}
	if v := p.embedded.meta("compiler"); v != "" {
		p.Version = v
	}
	p.commands = []command{
		{"", "", "", declareRun},
		{"bench", "Measure the network's speed.", "", declareBench},
		{"selftest", "Check that this machine computes what the compiler recorded, bit for bit.", "", check.declare},
		{"version", "Print what this program was made from.", "", declareVersion},
	}
	return p
}

// switches is the style of commands that are switches, which may stand anywhere.
type switches struct{}

func (switches) check(*Program, []string) error { return nil }

func (switches) choose(p *Program, args []string) (c *command, rest []string, named bool) {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		for k := range p.commands[1:] {
			if c := &p.commands[k+1]; arg == "--"+c.name {
				return c, slices.Delete(slices.Clone(args), i, i+1), true
			}
		}
	}
	return &p.commands[0], args, false
}

const modelUsage = `Usage: PROGRAM [CLIP...] [flags]
       PROGRAM --bench | --selftest | --version [flags]

Runs the network NETWORK, which is in this program, on clips.

A CLIP is an .npy file, a GIF, a folder of PNG or JPEG frames, a .y4m file, what ffmpeg reads, or - for standard input. An .npy file is the network's input tensor, alone or several along a batch axis, and is never resized; every other clip is sampled and resized, and what was done is said.
The first output is taken as the scores of classes. They are shown as the network gives them (logits), beside their softmax in percent. A network with several inputs takes the others by --input; without clips, --input gives all of them, and all outputs are printed or written by --out.

Exit codes: 0 done, 1 failed, 2 bad usage, 3 outputs differ, 70 a fault in the program, 124 timed out.`

// help is that of the program in every case.
func (switches) help(p *Program, _ *command, _, common *flags) string {
	var b strings.Builder
	b.WriteString(wrap(strings.ReplaceAll(p.fill(modelUsage), "NETWORK", plain.Text(p.embedded.Name)), 0))
	for i, list := range [][]runtime.Port{p.embedded.Inputs, p.embedded.Outputs} {
		for _, port := range list {
			fmt.Fprintf(&b, "\n%s %s", []string{"Input ", "Output"}[i], portText(port))
		}
	}
	if labels := p.embedded.Labels; len(labels) > 0 {
		fmt.Fprintf(&b, "\nLabels %s", plain.Text(strings.Join(labels, ", ")))
	}
	b.WriteString("\n" + common.list())
	for _, c := range p.commands {
		if c.name != "" {
			fmt.Fprintf(&b, "\n--%s\n%s", c.name, wrap(c.about, 0))
		}
		f := &flags{prog: p}
		c.declare(f)
		b.WriteString(f.describe())
	}
	return b.String()
}

//go:build ignore

// Command main is an executable with one network in it.
//
// The files of this folder become the main package of every such executable,
// together with the declarations of cmd/billrun that they lead to. What has the
// same name in both is taken from here.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/billnet/billnet/runtime"
)

// program is what messages call this program: its file.
var program = programName()

func programName() string {
	if len(os.Args) == 0 || os.Args[0] == "" {
		return "model"
	}
	return strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
}

// mode is something else than running on clips, asked for by a switch.
type mode struct {
	name, about string
	declare     func(*flags) runner
}

var modes = []mode{
	{"bench", "Measure the network's speed.", declareBench},
	{"selftest", "Check that this machine computes what the compiler recorded, bit for bit.", declareSelftest},
	{"version", "Print what this program was made from.", declareVersion},
}

// parse reads the command line. All its errors are of bad usage.
func parse(args []string) (cmd runner, timeout time.Duration, err error) {
	declare := declareRun
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if k := slices.IndexFunc(modes, func(m mode) bool { return arg == "--"+m.name }); k >= 0 {
			declare, args = modes[k].declare, slices.Delete(slices.Clone(args), i, i+1)
			break
		}
	}
	f := &flags{}
	f.duration(&timeout, "timeout", "Give up after this time, as in 30s (exit code 124).")
	common := f.list()
	cmd = declare(f)
	f.model = nil // it is in here
	rest, err := f.read(args)
	if err == errHelp {
		return helpText(help(common)), 0, nil
	}
	if err == nil {
		err = f.take(rest)
	}
	if err == nil && timeout < 0 {
		err = fmt.Errorf("--timeout %v: expected 0 or more", timeout)
	}
	if err != nil {
		return nil, 0, usagef("%v (%s --help shows the usage)", err, program)
	}
	return cmd, timeout, nil
}

const description = `Usage: PROGRAM [CLIP...] [flags]
       PROGRAM --bench | --selftest | --version [flags]

Runs the network NETWORK, which is in this program, on clips.

A CLIP is an .npy file, a GIF, a folder of PNG or JPEG frames, a .y4m file, what ffmpeg reads, or - for standard input. An .npy file is the network's input tensor, alone or several along a batch axis, and is never resized; every other clip is sampled and resized, and what was done is said.
The first output is taken as the scores of classes. They are shown as the network gives them (logits), beside their softmax in percent. A network with several inputs takes the others by --input; without clips, --input gives all of them, and all outputs are printed or written by --out.

Exit codes: 0 done, 1 failed, 2 bad usage, 3 outputs differ, 70 a fault in the program, 124 timed out.`

// help is the whole help; common is that of the flags of all modes.
func help(common string) string {
	var prog runtime.Program
	var b strings.Builder
	b.WriteString(wrap(strings.NewReplacer("PROGRAM", program, "NETWORK", prog.Name()).Replace(description), 0))
	for i, list := range [][]runtime.Port{prog.Inputs(), prog.Outputs()} {
		for _, p := range list {
			fmt.Fprintf(&b, "\n%s %s", []string{"Input ", "Output"}[i], portText(p))
		}
	}
	if labels := prog.Labels(); len(labels) > 0 {
		fmt.Fprintf(&b, "\nLabels %s", plain(strings.Join(labels, ", ")))
	}
	b.WriteString("\n" + common)
	run := &flags{}
	declareRun(run)
	b.WriteString(run.describe())
	for _, m := range modes {
		fmt.Fprintf(&b, "\n--%s\n%s", m.name, wrap(m.about, 0))
		f := &flags{}
		m.declare(f)
		b.WriteString(f.describe())
	}
	return b.String()
}

package runner

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/billnet/billnet/runtime/clip"
)

func billrun() *Program {
	p := ForFiles("billrun", nil)
	p.Kernels = []string{"generic", "avx2"}
	return p
}

func TestParse(t *testing.T) {
	normal := engine{Threads: 1, ISA: "best"}
	for _, c := range []struct {
		line string
		want runner
	}{
		{"m.billb a b", &runCmd{Model: "m.billb", Clips: []string{"a", "b"}, Top: 5, clipFlags: clipFlags{Fit: "stretch"}, engine: normal}},
		{"run m.billb a --top 3 b --json", &runCmd{Model: "m.billb", Clips: []string{"a", "b"}, Top: 3, JSON: true, clipFlags: clipFlags{Fit: "stretch"}, engine: normal}},
		{"--json=true --top=-3 m.billb -", &runCmd{Model: "m.billb", Clips: []string{"-"}, Top: -3, JSON: true, clipFlags: clipFlags{Fit: "stretch"}, engine: normal}},
		{"run test --json=false -- --json -x", &runCmd{Model: "test", Clips: []string{"--json", "-x"}, Top: 5, clipFlags: clipFlags{Fit: "stretch"}, engine: normal}},
		{"run m --out=--x --input a=@b --input c=@d=e", &runCmd{Model: "m", Clips: []string{}, Top: 5, Out: "--x", inputFlags: inputFlags{[]string{"a=@b", "c=@d=e"}}, clipFlags: clipFlags{Fit: "stretch"}, engine: normal}},
		{"run m c --mean -0.5,1e-2 --std .5 --std 2 --scale 2/3 --fit crop --size 3x4 --layout CTHW --isa avx2 --threads 0x2", &runCmd{Model: "m", Clips: []string{"c"}, Top: 5,
			clipFlags: clipFlags{"crop", "3x4", clip.Norm{Mean: []float32{-0.5, 0.01}, Std: []float32{0.5, 2}, Scale: clip.Scale{Mul: 2, Div: 3}}, "CTHW"}, engine: engine{2, "avx2"}}},
		{"test m --golden g --update --tolerance 0.5", &testCmd{Model: "m", Golden: "g", Update: true, Tolerance: 0.5, clipFlags: clipFlags{Fit: "stretch"}, engine: normal}},
		{"bench --runs 4 m --time 1m30s --profile --format go", &benchCmd{Model: "m", Runs: 4, Time: 90 * time.Second, Profile: true, Format: "go", engine: normal}},
		{"--timeout 3s info m --json", &infoCmd{"m", true}},
		{"--timeout=3s version", &versionCmd{}},
	} {
		got, timeout, err := billrun().parse(strings.Fields(c.line))
		if err != nil || !reflect.DeepEqual(got, c.want) || (timeout == 3*time.Second) != strings.Contains(c.line, "timeout") {
			t.Errorf("%s:\ngot  %+v %v %v\nwant %+v", c.line, got, timeout, err, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for line, want := range map[string]string{
		"":                                 "no model is given",
		"run":                              "no model is given",
		"info a b":                         `unexpected argument "b"`,
		"version x":                        `unexpected argument "x"`,
		"tset m.billb":                     `"tset" is neither a command nor a file, did you mean "billrun test"?`,
		"ben":                              `did you mean "billrun bench"?`,
		"frobnicate":                       `"frobnicate" is neither a command nor a file (`,
		"--json info m.billb":              `did you mean "billrun info"?`,
		"run m c --bogus":                  "unknown flag --bogus (",
		"run m c --bogus=3":                "unknown flag --bogus=3",
		"run m c --jsn":                    `unknown flag --jsn, did you mean "--json"?`,
		"test m --tol 3":                   `did you mean "--tolerance"?`,
		"run m c -top 3":                   `unknown flag -top, did you mean "--top"?`,
		"run m -x":                         "unknown flag -x (",
		"run m --=3":                       "unknown flag --=3 (",
		"info m --top 3":                   "unknown flag --top (billrun info --help",
		"run m --top":                      "--top: the value is missing, expected --top N",
		"run m --out --json":               "--out: the value is missing, expected --out DIR",
		"run m --size -- 4x4":              "--size: the value is missing, expected --size WxH",
		"run m --top x":                    `--top "x": expected a whole number`,
		"run m --top=":                     `--top "": expected a whole number`,
		"run m --top 99999999999999999999": "expected a whole number",
		"run m --json=maybe":               `--json "maybe": expected true or false`,
		"run m --fit zoom":                 `--fit "zoom": expected one of stretch, crop, letterbox`,
		"run m --mean 1,,2":                `--mean "1,,2": "" is not a number`,
		"run m --timeout 3":                `--timeout "3": expected a duration, as in 1m30s`,
		"run m --timeout -3s":              "--timeout -3s: expected 0 or more",
		"test m --golden g --tolerance x":  `--tolerance "x": expected a number`,
	} {
		_, _, err := billrun().parse(strings.Fields(line))
		f, ok := err.(*fail)
		if !ok || f.code != exitUsage || !strings.Contains(f.text, want) || !strings.Contains(f.text, "--help shows the usage") {
			t.Errorf("%q: error %v, want one of usage with %q", line, err, want)
		}
	}
}

// Help is shown whatever else is missing, names every flag, and fits the width
// but for examples.
func TestHelp(t *testing.T) {
	for _, c := range billrun().commands {
		for _, line := range []string{c.name + " --help", c.name + " -h m", "--help " + c.name, c.name + " --timeout 1s m x --help"} {
			cmd, _, err := billrun().parse(strings.Fields(line))
			text, ok := cmd.(helpText)
			if err != nil || !ok {
				t.Errorf("%s: %T %v", line, cmd, err)
				continue
			}
			f := &flags{prog: billrun()}
			c.declare(f)
			for _, o := range f.options {
				if !strings.Contains(string(text), "\n  "+strings.TrimSpace("--"+o.name+" "+o.value)+"  ") {
					t.Errorf("%s: no line for --%s", line, o.name)
				}
			}
			if !strings.HasPrefix(string(text), "Usage: billrun "+c.name) || c.help != "" && !strings.Contains(string(text), "\nExamples:\n\n  billrun "+strings.TrimPrefix(c.name, "run")) {
				t.Errorf("%s: no usage or no examples:\n%s", line, text)
			}
			for l := range strings.Lines(string(text)) {
				if len(l) > helpWidth+1 && !strings.HasPrefix(l, "  billrun") && !strings.HasPrefix(l, "  X.golden") {
					t.Errorf("%s: a line of %d columns: %s", line, len(l), l)
				}
			}
		}
	}
	for _, line := range []string{"--help", "-h", "--timeout 3s -h", "--json -h"} {
		cmd, _, err := billrun().parse(strings.Fields(line))
		if text, ok := cmd.(helpText); err != nil || !ok || !strings.Contains(string(text), "Commands:\n  run ") {
			t.Errorf("%s: %v %v", line, cmd, err)
		}
	}
	if cmd, _, err := billrun().parse([]string{"m.billb", "-h"}); err != nil || !strings.HasPrefix(string(cmd.(helpText)), "Usage: billrun run MODEL [CLIP...]") {
		t.Errorf("help after a model: %v %v", cmd, err)
	}
}

//go:build ignore

package main

import (
	"fmt"
	goruntime "runtime"
	"strings"
	"time"

	"github.com/billnet/billnet/runtime"
)

// model is the network in this program.
type model struct {
	path string // what messages call it
	prog runtime.Program
}

func loadModel(string) (*model, error) { return &model{path: program}, nil }

// kernels is the instruction set that was asked for.
func (e engine) kernels() (isaName, error) {
	s, err := e.session(nil, false)
	if err != nil {
		return "", err
	}
	defer s.Close()
	return isaName(s.ISA()), nil
}

type isaName string

func (n isaName) String() string { return string(n) }

func (e engine) session(*model, bool) (*runtime.Session, error) {
	if e.Threads < 1 || e.Threads > maxThreads {
		return nil, usagef("--threads %d: expected 1 to %d", e.Threads, maxThreads)
	}
	isa := e.ISA
	if isa == "best" {
		isa = ""
	}
	s, err := runtime.NewSession(e.Threads, isa)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return s, nil
}

// isas are the instruction sets of this machine for which there are kernels.
func isas() []string {
	var list []string
	for _, name := range []string{"generic", "avx2", "avx512"} {
		if s, err := runtime.NewSession(1, name); err == nil {
			s.Close()
			list = append(list, name)
		}
	}
	return list
}

func declareBench(f *flags) runner {
	c := &benchCmd{Time: 2 * time.Second, Format: "text"}
	f.count(&c.Runs, "runs", "N", "Measure N runs, however long they take.")
	f.duration(&c.Time, "time", "Without --runs, measure for this long (default 2s).")
	f.on(&c.Profile, "profile", "Also measure every instruction, in as many runs of its own.")
	f.on(&c.JSON, "json", "The same as --format json.")
	f.oneOf(&c.Format, "format", "FORMAT", "text (default), json, or go: lines for benchstat.", "text", "json", "go")
	c.inputFlags.declare(f)
	c.engine.declare(f)
	return c
}

// profile measures the instructions in runs of their own, because measuring them
// takes time too.
func (c *benchCmd) profile(e *env, m *model, data [][]byte, runs int) ([]opRow, error) {
	s, err := c.session(m, true)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	steps := runtime.Steps()
	times := make([]time.Duration, len(steps))
	for range runs {
		if err := e.stopped(); err != nil {
			return nil, err
		}
		if err := s.Profile(data, times); err != nil {
			return nil, err
		}
	}
	return shared(steps, times, runs), nil
}

// shared makes the rows of a profile.
func shared(steps [][2]string, times []time.Duration, runs int) []opRow {
	var sum time.Duration
	for _, t := range times {
		sum += t
	}
	var rows []opRow
	for i, step := range steps {
		row := opRow{opcode: step[0], name: step[1], ms: ms(int(times[i])) / float64(runs)}
		if sum > 0 {
			row.share = float64(times[i]) / float64(sum)
		}
		rows = append(rows, row)
	}
	return rows
}

type versionCmd struct{ JSON bool }

func declareVersion(f *flags) runner {
	c := &versionCmd{}
	f.on(&c.JSON, "json", "As one JSON object.")
	return c
}

func (c *versionCmd) Run(e *env) error {
	var prog runtime.Program
	if c.JSON {
		e.printJSON(func(w *jsonWriter) {
			w.key("model").string(prog.Name())
			w.key("source").string(source)
			w.key("source_sha256").string(sourceHash)
			w.key("compiler").string(compiler)
			w.key("go").string(goruntime.Version())
			w.key("os").string(goruntime.GOOS)
			w.key("arch").string(goruntime.GOARCH)
			w.key("kernels").array(len(isas()), func(i int) { w.string(isas()[i]) })
			in, out, labels := prog.Inputs(), prog.Outputs(), prog.Labels()
			w.key("inputs").array(len(in), func(i int) { writePort(w, in[i], "") })
			w.key("outputs").array(len(out), func(i int) { writePort(w, out[i], "") })
			w.key("labels").array(len(labels), func(i int) { w.string(labels[i]) })
		})
		return nil
	}
	fmt.Fprintf(e.stdout, "%s: network %s\n", plain(program), plain(prog.Name()))
	if source != "" {
		fmt.Fprintf(e.stdout, "source %s, SHA-256 %s\n", plain(source), sourceHash)
	}
	fmt.Fprintf(e.stdout, "compiler %s, %s %s/%s, kernels %s\n", compiler, goruntime.Version(), goruntime.GOOS, goruntime.GOARCH, strings.Join(isas(), " "))
	return nil
}

// version is what a report of a fault tells.
func version() string { return compiler }

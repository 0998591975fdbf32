package runner

import (
	"fmt"
	goruntime "runtime"
	"strings"

	"github.com/billnet/billnet/internal/plain"
)

// versionCmd shows the program's version, or what the network in it was made
// from, and this machine's instruction sets.
type versionCmd struct{ JSON bool }

func declareVersion(f *flags) runner {
	c := &versionCmd{}
	f.on(&c.JSON, "json", "As one JSON object.")
	return c
}

func (c *versionCmd) Run(e *env) error {
	if c.JSON {
		e.printJSON(func(w *jsonWriter) { writeVersion(w, e.Program) })
		return nil
	}
	machine := fmt.Sprintf("%s/%s", goruntime.GOOS, goruntime.GOARCH)
	kernels := strings.Join(e.Machine, " ")
	if e.embedded == nil {
		commit := ""
		if e.Commit != "" {
			commit = " (commit " + e.Commit + ")"
		}
		fmt.Fprintf(e.stdout, "%s %s%s %s %s, kernels %s\n", e.Name, e.Version, commit, machine, goruntime.Version(), kernels)
		return nil
	}
	m := e.embedded
	fmt.Fprintf(e.stdout, "%s: network %s\n", plain.Text(e.Name), plain.Text(m.Name))
	if source := m.meta("source"); source != "" {
		fmt.Fprintf(e.stdout, "source %s, SHA-256 %s\n", plain.Text(source), m.meta("source.sha256"))
	}
	fmt.Fprintf(e.stdout, "compiler %s, %s %s, kernels %s\n", e.Version, goruntime.Version(), machine, kernels)
	return nil
}

func writeVersion(w *jsonWriter, p *Program) {
	if p.embedded == nil {
		w.key("program").string(p.Name)
		w.key("version").string(p.Version)
		w.key("commit").string(p.Commit)
		writeMachine(w, p)
		return
	}
	m := p.embedded
	w.key("model").string(m.Name)
	w.key("source").string(m.meta("source"))
	w.key("source_sha256").string(m.meta("source.sha256"))
	w.key("compiler").string(p.Version)
	writeMachine(w, p)
	w.key("inputs").array(len(m.Inputs), func(i int) { writePort(w, m.Inputs[i], "") })
	w.key("outputs").array(len(m.Outputs), func(i int) { writePort(w, m.Outputs[i], "") })
	w.key("labels").strings(m.Labels)
	writeMeta(w, m.Meta)
}

func writeMachine(w *jsonWriter, p *Program) {
	w.key("go").string(goruntime.Version())
	w.key("os").string(goruntime.GOOS)
	w.key("arch").string(goruntime.GOARCH)
	w.key("kernels").strings(p.Machine)
}

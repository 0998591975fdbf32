package runner

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/runtime"
)

// infoCmd shows what a model file holds.
type infoCmd struct {
	Model string
	JSON  bool
}

func declareInfo(f *flags) runner {
	c := &infoCmd{}
	f.model = &c.Model
	f.on(&c.JSON, "json", "As one JSON object.")
	return c
}

const infoHelp = `
Weight bytes are those of all constants as they are stored. The arena is the memory of a session's activations; bench and --json tell the kernels' scratch memory too.

Examples:

  PROGRAM info model.billb
  PROGRAM info model.billb --json`

// about is what info shows.
type about struct {
	*model
	Inspection
	memory runtime.Memory // of a session with one thread and the best kernels
	clips  []string       // how clips fill the inputs, "" for those that they do not
}

func (c *infoCmd) Run(e *env) error {
	m, err := e.load(c.Model)
	if err != nil {
		return err
	}
	inside, err := m.Inspect()
	if err != nil {
		return err
	}
	s, err := m.NewSession(runtime.Options{})
	if err != nil {
		return errorf("%s: %w", m.path, err)
	}
	defer s.Close()
	a := &about{m, inside, s.Memory(), nil}
	for _, p := range m.Inputs {
		how := ""
		if s, ok, err := clipSpec(p, m.layout()); ok && err == nil {
			how = fmt.Sprintf("%d frames %dx%d, %d channels, %s", s.T, s.W, s.H, s.C, s.Layout)
		}
		a.clips = append(a.clips, how)
	}
	if c.JSON {
		e.printJSON(a.writeJSON)
		return nil
	}
	a.write(e.stdout)
	return nil
}

// writeMeta writes a network's metadata by its sorted names.
func writeMeta(w *jsonWriter, meta [][2]string) {
	w.key("meta").object(func() {
		value := map[string]string{}
		for _, kv := range meta {
			value[kv[0]] = kv[1]
		}
		names := slices.Collect(maps.Keys(value))
		slices.SortFunc(names, strings.Compare)
		for _, name := range names {
			w.key(name).string(value[name])
		}
	})
}

func (a *about) writeJSON(w *jsonWriter) {
	w.key("model").string(a.Name)
	w.key("inputs").array(len(a.Inputs), func(i int) { writePort(w, a.Inputs[i], a.clips[i]) })
	w.key("outputs").array(len(a.Outputs), func(i int) { writePort(w, a.Outputs[i], "") })
	w.key("labels").strings(a.Labels)
	writeMeta(w, a.Meta)
	w.key("file_bytes").int(a.FileBytes)
	w.key("weight_bytes").int(a.WeightBytes)
	w.key("arena_bytes").int(a.ArenaBytes)
	writeMemory(w, a.memory)
	w.key("certificate_bytes").int(a.CertificateBytes)
	w.key("instructions").array(len(a.Code), func(i int) {
		in := &a.Code[i]
		w.object(func() {
			w.key("opcode").string(in.Op)
			w.key("name").string(in.Name)
			w.key("text").string(in.Text)
			w.key("mac").float(in.MACs)
		})
	})
}

func writePort(w *jsonWriter, p runtime.Port, clip string) {
	w.object(func() {
		w.key("name").string(p.Name)
		w.key("elem").string(p.Elem.String())
		w.key("shape").ints(p.Shape)
		w.key("clip").string(clip)
	})
}

func (a *about) write(w io.Writer) {
	fmt.Fprintf(w, "model     %s\n", plain.Text(a.Name))
	for i, p := range a.Inputs {
		fmt.Fprintf(w, "input     %s", portText(p))
		if a.clips[i] != "" {
			fmt.Fprintf(w, "  (clip: %s)", a.clips[i])
		}
		fmt.Fprintln(w)
	}
	for _, p := range a.Outputs {
		fmt.Fprintf(w, "output    %s\n", portText(p))
	}
	if len(a.Labels) > 0 {
		fmt.Fprintf(w, "labels    %d: %s\n", len(a.Labels), plain.Text(strings.Join(a.Labels, ", ")))
	}
	for _, kv := range a.Meta {
		fmt.Fprintf(w, "meta      %s = %s\n", plain.Text(kv[0]), plain.Text(kv[1]))
	}
	fmt.Fprintf(w, "sizes     file %d, weights %d, arena %d, certificate %d bytes\n", a.FileBytes, a.WeightBytes, a.ArenaBytes, a.CertificateBytes)
	fmt.Fprintf(w, "code      %d instructions\n", len(a.Code))
	for i, in := range a.Code {
		fmt.Fprintf(w, "%5d     %s", i, in.Text)
		if in.Name != "" {
			fmt.Fprintf(w, "  ; %s", plain.Text(in.Name))
		}
		fmt.Fprintln(w)
	}
}

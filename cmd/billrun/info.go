package main

import (
	"fmt"
	"io"
	"strings"

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

const infoHelp = `Weight bytes are those of all constants as they are stored. The arena is the memory of a session's activations, without the kernels' scratch memory.

Examples:

  billrun info model.billb
  billrun info model.billb --json`

// about is what info shows.
type about struct {
	*runtime.Image
	clips     []string // how clips fill the inputs, "" for those that they do not
	fileBytes int
	weights   int      // bytes
	text      []string // of the instructions
}

func (c *infoCmd) Run(e *env) error {
	m, err := loadModel(c.Model)
	if err != nil {
		return err
	}
	img, fileBytes, err := m.image()
	if err != nil {
		return err
	}
	a := about{Image: img, fileBytes: fileBytes}
	for _, p := range img.Inputs {
		how := ""
		if s, ok, err := clipSpec(p, metaLayout(img.Meta)); ok && err == nil {
			how = fmt.Sprintf("%d frames %dx%d, %d channels, %s", s.T, s.W, s.H, s.C, s.Layout)
		}
		a.clips = append(a.clips, how)
	}
	for _, k := range img.Consts {
		a.weights += len(k.Data)
	}
	for _, in := range m.prog.Instructions() {
		a.text = append(a.text, in.Text)
	}
	if c.JSON {
		return writeJSON(e.stdout, a.object())
	}
	a.write(e.stdout)
	return nil
}

func (a *about) object() object {
	var inputs, outputs, code []object
	for i, p := range a.Inputs {
		o := portObject(p)
		if a.clips[i] != "" {
			o = append(o, member{"clip", a.clips[i]})
		}
		inputs = append(inputs, o)
	}
	for _, p := range a.Outputs {
		outputs = append(outputs, portObject(p))
	}
	meta := map[string]string{}
	for _, kv := range a.Meta {
		meta[kv[0]] = kv[1]
	}
	for i := range a.Code {
		in := &a.Code[i]
		o := object{{"opcode", in.Op.String()}, {"name", in.Name}, {"text", a.text[i]}}
		if n, _ := macs(a.Image, in); n > 0 {
			o = append(o, member{"mac", n})
		}
		code = append(code, o)
	}
	return object{{"model", a.Name}, {"inputs", inputs}, {"outputs", outputs}, {"labels", a.Labels}, {"meta", meta},
		{"file_bytes", a.fileBytes}, {"weight_bytes", a.weights}, {"arena_bytes", a.Arena}, {"certificate_bytes", len(a.Certificate)},
		{"instructions", code}}
}

func portObject(p runtime.Port) object {
	return object{{"name", p.Name}, {"elem", p.Elem.String()}, {"shape", p.Shape}}
}

func (a *about) write(w io.Writer) {
	fmt.Fprintf(w, "model     %s\n", plain(a.Name))
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
		fmt.Fprintf(w, "labels    %d: %s\n", len(a.Labels), plain(strings.Join(a.Labels, ", ")))
	}
	for _, kv := range a.Meta {
		fmt.Fprintf(w, "meta      %s = %s\n", plain(kv[0]), plain(kv[1]))
	}
	fmt.Fprintf(w, "sizes     file %d, weights %d, arena %d, certificate %d bytes\n", a.fileBytes, a.weights, a.Arena, len(a.Certificate))
	fmt.Fprintf(w, "code      %d instructions\n", len(a.Code))
	for i, text := range a.text {
		fmt.Fprintf(w, "%5d     %s", i, text)
		if name := a.Code[i].Name; name != "" {
			fmt.Fprintf(w, "  ; %s", plain(name))
		}
		fmt.Fprintln(w)
	}
}

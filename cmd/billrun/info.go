package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/billnet/billnet/runtime"
)

// infoCmd shows what a model file holds.
type infoCmd struct {
	Model string `arg:"" help:"The model, a .billb file."`
	JSON  bool   `help:"As one JSON object."`
}

func (infoCmd) Help() string {
	return `Weight bytes are those of all constants as they are stored. The arena is the memory of a session's activations, without the kernels' scratch memory.

Examples:

  billrun info model.billb
  billrun info model.billb --json`
}

// about is what info shows.
type about struct {
	Model        string            `json:"model"`
	Inputs       []portInfo        `json:"inputs"`
	Outputs      []portInfo        `json:"outputs"`
	Labels       []string          `json:"labels"`
	Meta         map[string]string `json:"meta"`
	FileBytes    int               `json:"file_bytes"`
	WeightBytes  int               `json:"weight_bytes"`
	ArenaBytes   int               `json:"arena_bytes"`
	Certificate  int               `json:"certificate_bytes"`
	Instructions []instrInfo       `json:"instructions"`
}

type portInfo struct {
	Name  string `json:"name"`
	Elem  string `json:"elem"`
	Shape []int  `json:"shape"`
	Clip  string `json:"clip,omitempty"` // how clips fill it
}

type instrInfo struct {
	Opcode string  `json:"opcode"`
	Name   string  `json:"name"`
	Text   string  `json:"text"`
	MACs   float64 `json:"mac,omitempty"`
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
	a := about{Model: img.Name, Inputs: []portInfo{}, Outputs: []portInfo{}, Labels: append([]string{}, img.Labels...), Meta: map[string]string{},
		FileBytes: fileBytes, ArenaBytes: img.Arena, Certificate: len(img.Certificate), Instructions: []instrInfo{}}
	for _, kv := range img.Meta {
		a.Meta[kv[0]] = kv[1]
	}
	for _, p := range img.Inputs {
		info := portInfo{p.Name, p.Elem.String(), append([]int{}, p.Shape...), ""}
		if s, ok, err := clipSpec(p, metaLayout(img.Meta)); ok && err == nil {
			info.Clip = fmt.Sprintf("%d frames %dx%d, %d channels, %s", s.T, s.W, s.H, s.C, s.Layout)
		}
		a.Inputs = append(a.Inputs, info)
	}
	for _, p := range img.Outputs {
		a.Outputs = append(a.Outputs, portInfo{p.Name, p.Elem.String(), append([]int{}, p.Shape...), ""})
	}
	for _, k := range img.Consts {
		a.WeightBytes += len(k.Data)
	}
	for i, in := range m.prog.Instructions() {
		n, _ := macs(img, &img.Code[i])
		a.Instructions = append(a.Instructions, instrInfo{in.Op.String(), in.Name, in.Text, n})
	}
	if c.JSON {
		return writeJSON(e.stdout, a)
	}
	a.write(e.stdout, img)
	return nil
}

func (a *about) write(w io.Writer, img *runtime.Image) {
	fmt.Fprintf(w, "model     %s\n", plain(a.Model))
	for i, p := range a.Inputs {
		fmt.Fprintf(w, "input     %s", portText(img.Inputs[i]))
		if p.Clip != "" {
			fmt.Fprintf(w, "  (clip: %s)", p.Clip)
		}
		fmt.Fprintln(w)
	}
	for _, p := range img.Outputs {
		fmt.Fprintf(w, "output    %s\n", portText(p))
	}
	if len(a.Labels) > 0 {
		fmt.Fprintf(w, "labels    %d: %s\n", len(a.Labels), plain(strings.Join(a.Labels, ", ")))
	}
	for _, kv := range img.Meta {
		fmt.Fprintf(w, "meta      %s = %s\n", plain(kv[0]), plain(kv[1]))
	}
	fmt.Fprintf(w, "sizes     file %d, weights %d, arena %d, certificate %d bytes\n", a.FileBytes, a.WeightBytes, a.ArenaBytes, a.Certificate)
	fmt.Fprintf(w, "code      %d instructions\n", len(a.Instructions))
	for i, in := range a.Instructions {
		fmt.Fprintf(w, "%5d     %s", i, in.Text)
		if in.Name != "" {
			fmt.Fprintf(w, "  ; %s", plain(in.Name))
		}
		fmt.Fprintln(w)
	}
}

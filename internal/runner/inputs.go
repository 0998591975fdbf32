package runner

import (
	"io"
	"slices"
	"strings"

	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
)

// inputFlags give tensors to named inputs.
type inputFlags struct {
	Input []string
}

func (c *inputFlags) declare(f *flags) {
	f.add("input", "NAME=@FILE", "Tensor of a named input, an .npy file that is taken as it is; may be repeated.", func(s string) error {
		c.Input = append(c.Input, s)
		return nil
	})
}

// clipFlags say how a clip becomes a model's input.
type clipFlags struct {
	Fit    string
	Size   string
	Norm   clip.Norm
	Layout string
}

func (c *clipFlags) declare(f *flags) {
	c.Fit = "stretch"
	f.oneOf(&c.Fit, "fit", "HOW", "How frames of another shape become the model's: stretch (default), crop or letterbox.", "stretch", "crop", "letterbox")
	f.text(&c.Size, "size", "WxH", "The clips are raw rgb24 frames of this size; for standard input, given as -.")
	f.floats(&c.Norm.Mean, "mean", "M,...", "For f32 models: the input is (x/255 - mean)/std instead of 0..255; one value or one a channel.")
	f.floats(&c.Norm.Std, "std", "S,...", "See --mean.")
	f.add("scale", "1/255", "For f32 models: what x is multiplied by, a number or a fraction; 1/255 by default with --mean or --std.", func(s string) (err error) {
		c.Norm.Scale, err = clip.ParseScale(s)
		return err
	})
	f.text(&c.Layout, "layout", "AXES", "Order of the clip input's axes after the batch, as in CTHW; else the model's metadata or its shape says.")
}

// inputs is a model with its inputs bound: all but at most one are fixed
// tensors, and that one, the open input, is filled from clips.
type inputs struct {
	m     *model
	sets  [][][]byte // by port: one tensor, or as many as the batch has; nil for the open input
	batch int        // tensors of the inputs that have several, else 1
	open  int        // the open input's port, -1 for none
	notes []string   // what was done to tensors

	pictures bool // the open input is a clip and not just a tensor
	spec     clip.Spec
	feeds    string // what it is given
	opt      clip.Options
}

// bind fixes the tensors that --input gives. With clips, one input must be left
// for them; without, none.
func bind(m *model, flags inputFlags, clips bool, c clipFlags, stdin io.Reader) (*inputs, error) {
	in, err := bindSome(m, flags)
	if err != nil {
		return nil, err
	}
	ports := m.Inputs
	var left []runtime.Port
	for i, p := range ports {
		if in.sets[i] == nil {
			left, in.open = append(left, p), i
		}
	}
	switch {
	case !clips && len(left) > 0 && len(flags.Input) == 0:
		return nil, usagef("nothing to run on: give clips, or --input for every one of %s", portList(ports))
	case !clips && len(left) > 0:
		return nil, usagef("no tensor for %s: give one by --input NAME=@FILE.npy", portList(left))
	case !clips:
		return in, nil
	case len(left) == 0:
		return nil, usagef("clips are given, but --input gives all inputs of %s", m.path)
	case len(left) > 1:
		return nil, usagef("clips fill one input, but %s has %s: give the others by --input NAME=@FILE.npy", m.path, portList(left))
	}
	if err := in.alone(); err != nil {
		return nil, err
	}
	return in, in.clips(ports[in.open], c, stdin)
}

// bindSome fixes the tensors that --input gives.
func bindSome(m *model, flags inputFlags) (*inputs, error) {
	ports := m.Inputs
	in := &inputs{m: m, sets: make([][][]byte, len(ports)), batch: 1, open: -1}
	for _, arg := range flags.Input {
		name, path, ok := strings.Cut(arg, "=@")
		if !ok || path == "" {
			return nil, usagef("--input %q: expected NAME=@FILE.npy", arg)
		}
		i := slices.IndexFunc(ports, func(p runtime.Port) bool { return p.Name == name })
		if i < 0 {
			return nil, usagef("--input %q: %s has no input of this name, it has %s", arg, m.path, portList(ports))
		}
		if in.sets[i] != nil {
			return nil, usagef("--input %q: the input is given twice", arg)
		}
		tensors, note, err := readTensor(path, ports[i], m.declared(ports[i]))
		if err != nil {
			return nil, err
		}
		if n := len(tensors); n > 1 && in.batch > 1 && n != in.batch {
			return nil, errorf("%s holds a batch of %d, another input one of %d", path, n, in.batch)
		}
		in.sets[i], in.batch = tensors, max(in.batch, len(tensors))
		if note != "" {
			in.notes = append(in.notes, note)
		}
	}
	return in, nil
}

// set is the inputs of run k of the batch; an input with one tensor has it in
// every run. The open input is nil.
func (in *inputs) set(k int) [][]byte {
	data := make([][]byte, len(in.sets))
	for i, s := range in.sets {
		if len(s) > 0 {
			data[i] = append([]byte{}, s[min(k, len(s)-1)]...) // not nil, even without elements
		}
	}
	return data
}

// alone reports a batch where one run is made.
func (in *inputs) alone() error {
	if in.batch > 1 {
		return usagef("--input gives a batch of %d, expected one tensor for each input", in.batch)
	}
	return nil
}

// portList names ports in a message.
func portList(ports []runtime.Port) string {
	list := make([]string, len(ports))
	for i, p := range ports {
		list[i] = portText(p)
	}
	if len(list) == 0 {
		return "no inputs"
	}
	return strings.Join(list, ", ")
}

// clips prepares for the clips of an open input.
func (in *inputs) clips(p runtime.Port, c clipFlags, stdin io.Reader) error {
	in.opt = clip.Options{Mode: clip.Mode(c.Fit), Stdin: stdin}
	if c.Size != "" {
		var err error
		if in.opt.RawW, in.opt.RawH, err = clip.ParseSize(c.Size); err != nil {
			return usagef("--size: %v", err)
		}
	}
	layout := strings.ToUpper(c.Layout)
	if layout == "" {
		layout = in.m.layout()
	}
	var err error
	if in.spec, in.pictures, err = clipSpec(p, layout); err != nil {
		return usagef("%v", err)
	}
	if !in.pictures {
		if c.Norm.Set() || c.Size != "" || c.Layout != "" {
			return usagef("input %s is no clip: --mean, --std, --scale, --size and --layout do not apply", portText(p))
		}
		return nil
	}
	in.spec.Norm = c.Norm
	if err := in.spec.Check(); err != nil {
		return usagef("input %s: %v", portText(p), err)
	}
	in.feeds = in.spec.Feeds(clip.NormOf(in.m.meta))
	return nil
}

// layout is the order of a clip input's axes that a network's metadata gives, ""
// when it gives none.
func (d *Description) layout() string {
	return strings.TrimPrefix(strings.ToUpper(d.meta("clip.layout")), "N")
}

// clipSpec reads a port as a clip: u8 or f32, a batch of one, then the axes that
// layout names. Without a layout, the axis of 3 channels, else of 1, decides:
// CTHW, TCHW or THWC. ok is false for what can not be a clip.
func clipSpec(p runtime.Port, layout string) (s clip.Spec, ok bool, err error) {
	if len(p.Shape) != 5 || p.Shape[0] != 1 || p.Elem != runtime.U8 && p.Elem != runtime.F32 {
		return s, false, nil
	}
	axes := p.Shape[1:]
	if layout == "" {
		for _, l := range []struct {
			layout string
			c      int
		}{{"CTHW", 3}, {"TCHW", 3}, {"THWC", 3}, {"CTHW", 1}, {"TCHW", 1}, {"THWC", 1}} {
			if axes[strings.IndexByte(l.layout, 'C')] == l.c {
				layout = l.layout
				break
			}
		}
		if layout == "" {
			return s, false, nil
		}
	}
	s = clip.Spec{C: 1, Layout: layout, DType: p.Elem.String()}
	if err := s.Check(); err != nil { // the layout, before it is used
		return s, false, errorf("input %s: %w", portText(p), err)
	}
	sizes := map[rune]*int{'C': &s.C, 'T': &s.T, 'H': &s.H, 'W': &s.W}
	for i, l := range layout {
		*sizes[l] = axes[i]
	}
	if err := s.Check(); err != nil {
		return s, false, errorf("input %s: %w", portText(p), err)
	}
	return s, true, nil
}

// each calls f for every clip of a file, with the inputs of the run and a note
// on what was done to the clip.
func (in *inputs) each(e *env, path string, f func(index int, data [][]byte, note string) error) error {
	data := in.set(0)
	if !in.pictures {
		port := in.m.Inputs[in.open]
		tensors, how, err := readTensor(path, port, in.m.declared(port))
		if err != nil {
			return err
		}
		if how == "" {
			how = "as it is"
		}
		for i, t := range tensors {
			if err := e.stopped(); err != nil {
				return err
			}
			data[in.open] = t
			if err := f(i, data, how); err != nil {
				return err
			}
		}
		return nil
	}
	opt := in.opt
	opt.Done = e.done
	src, err := clip.Open(path, in.spec, opt)
	if err != nil {
		return err
	}
	defer src.Close()
	for {
		if err := e.stopped(); err != nil {
			return err
		}
		it, err := src.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		data[in.open] = it.Tensor.U8
		if it.Tensor.F32 != nil {
			data[in.open] = runtime.Bytes(it.Tensor.F32)
		}
		if err := f(it.Index, data, it.Note); err != nil {
			return err
		}
	}
}

package gosrc

import (
	"bytes"
	"fmt"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// model is what the templates say about a model.
type model struct {
	Package string
	Inputs  []port
	Outputs []port
	Vectors int // golden ones
	Samples int // inputs that an executable makes itself

	Certified []certified

	Unrolled []*unrolled
	Pooled   []*pooled
	Split    []*split

	Clip *frames // nil when no input is a clip of frames

	img  *billb.Image
	prog *runtime.Program
}

// frames is how the only input, a clip, is made of frames; a stream's has one.
type frames struct {
	Count        int // of a clip
	Outer, Inner int // pieces of a frame, and elements of each
	Bytes        int // of a piece
}

// port is an input or output of the generated Run.
type port struct {
	Name   string // in the model
	Param  string // of Run
	Size   string // the constant with the number of elements
	Type   string // of an element
	Text   string // element type and shape
	Elem   string // the runtime's constant
	Count  int
	Width  int
	Logic  bool // not every byte is an element
	Offset int  // in the arena
	Index  int  // among all ports
}

// own are the package-level names of the templates.
var own = []string{"Model", "Options", "New", "NewWith", "ISAs", "Labels", "Name", "Hash", "labels", "program", "prepare", "prepared", "weights", "golden", "next", "same", "special", "specials", "convolution", "pooling", "splitting", "pair", "place", "nothing", "certificate", "certified", "CheckThresholds", "Steps", "Frames", "FrameSize"}

// local are names of the templates that a parameter must not have.
var local = []string{"m", "err", "i", "at", "arena", "len", "copy", "make", "fmt", "errors", "slices", "bytes", "binary", "testing", "b", "t", "data", "got", "want", "isa", "threads", "times", "start", "time", "frame", "ready"}

// goTypes are the element types of Go slices.
var goTypes = map[runtime.Elem]string{
	runtime.F32: "float32", runtime.F64: "float64", runtime.U8: "uint8", runtime.I8: "int8", runtime.U16: "uint16", runtime.I16: "int16",
	runtime.U32: "uint32", runtime.I32: "int32", runtime.U64: "uint64", runtime.I64: "int64",
	runtime.Bool: "uint8", runtime.Bit: "uint8", runtime.SBit: "int8", runtime.Tern: "int8",
}

// meaning says what the bytes of types that Go does not have stand for.
var meaning = map[runtime.Elem]string{runtime.Bool: "0 or 1", runtime.Bit: "0 or 1", runtime.SBit: "-1 or +1", runtime.Tern: "-1, 0 or +1"}

// describe fills in the ports.
func (m *model) describe() {
	params, sizes := map[string]bool{}, map[string]bool{}
	for _, n := range own {
		params[n], sizes[n] = true, true
	}
	for _, n := range local {
		params[n] = true
	}
	unique := func(name string, used map[string]bool) string {
		to := name
		for k := 2; used[to] || token.IsKeyword(to); k++ {
			to = name + strconv.Itoa(k)
		}
		used[to] = true
		return to
	}
	list := func(ports []runtime.Port) []port {
		var out []port
		for _, p := range ports {
			n := 1
			for _, d := range p.Shape {
				n *= d
			}
			text := p.Elem.String() + strings.ReplaceAll(fmt.Sprint(p.Shape), " ", ",")
			if s := meaning[p.Elem]; s != "" {
				text += ", " + s
			}
			out = append(out, port{
				Name: p.Name, Param: unique(identifier(p.Name, false), params), Size: unique(identifier(p.Name, true)+"Size", sizes),
				Type: goTypes[p.Elem], Text: text, Elem: elemNames[p.Elem], Count: n, Width: p.Elem.Width(), Logic: meaning[p.Elem] != "",
				Offset: m.img.Buffers[p.Buffer].Offset,
			})
		}
		return out
	}
	m.Inputs, m.Outputs = list(m.img.Inputs), list(m.img.Outputs)
	for i := range m.Inputs {
		m.Inputs[i].Index = i
	}
	for i := range m.Outputs {
		m.Outputs[i].Index = len(m.Inputs) + i
	}
	if axis := m.prog.FramesAxis(); axis >= 0 {
		p := m.img.Inputs[0]
		outer, inner := billb.Product(p.Shape[:axis]), billb.Product(p.Shape[axis+1:])
		m.Clip = &frames{p.Shape[axis], outer, inner, inner * p.Elem.Width()}
	}
}

// Size is the elements of a frame.
func (f *frames) Size() int { return f.Outer * f.Inner }

// Pushes reports whether it takes the frames of clips.
func (m *model) Pushes() bool { return m.Clip != nil && !m.Streams() }

// Frame is where an executable keeps the frame that it is given.
func (m *model) Frame() string {
	if m.Streams() {
		return "s.port0"
	}
	return "s.frame"
}

// Streams reports whether a run takes a frame and goes on where the one before ended.
func (m *model) Streams() bool { return m.prog.Streams() }

// Name is the model's name.
func (m *model) Name() string { return m.img.Name }

// Labels is the model's class names.
func (m *model) Labels() []string { return m.img.Labels }

// Meta is the value of a metadata key, or "".
func (m *model) Meta(key string) string {
	for _, kv := range m.img.Meta {
		if kv[0] == key {
			return kv[1]
		}
	}
	return ""
}

// Signature is the parameters of Run.
func (m *model) Signature() string {
	return parameters(m.Ports())
}

// Results is those of them that are outputs.
func (m *model) Results() string { return parameters(m.Outputs) }

func parameters(ports []port) string {
	var s []string
	for _, p := range ports {
		s = append(s, p.Param+" []"+p.Type)
	}
	return strings.Join(s, ", ")
}

// Ports is all ports in the order of Run's parameters.
func (m *model) Ports() []port { return slices.Concat(m.Inputs, m.Outputs) }

// Kernels names the instruction sets that there are kernels for.
func (m *model) Kernels() []string { return kernels.Names() }

// Image is the model's code.
func (m *model) Image() *billb.Image { return m.img }

// Text describes instruction i.
func (m *model) Text(i int) string { return m.prog.Instructions()[i].Text }

// golden writes the vectors one after the other.
func (m *model) golden(vectors []Vector) ([]byte, error) {
	var b bytes.Buffer
	m.Vectors = len(vectors)
	for i, v := range vectors {
		for _, side := range []struct {
			what  string
			data  [][]byte
			ports []port
		}{{"inputs", v.Inputs, m.Inputs}, {"outputs", v.Outputs, m.Outputs}} {
			if len(side.data) != len(side.ports) {
				return nil, fmt.Errorf("golden vector %d has %d %s, the model has %d", i, len(side.data), side.what, len(side.ports))
			}
			for k, p := range side.ports {
				if n := len(side.data[k]); n != p.Count*p.Width {
					return nil, fmt.Errorf("golden vector %d: %q has %d bytes, expected %d for %s", i, p.Name, n, p.Count*p.Width, p.Text)
				}
				b.Write(side.data[k])
			}
		}
	}
	return b.Bytes(), nil
}

// identifier makes a Go identifier of a name: exported like InputClip, or not
// like inputClip.
func identifier(name string, exported bool) string {
	var b strings.Builder
	up := exported
	for _, r := range name {
		switch {
		case r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r):
			up = b.Len() > 0 || exported
			continue
		case b.Len() == 0 && unicode.IsDigit(r):
			b.WriteByte(map[bool]byte{false: 'p', true: 'P'}[exported])
		}
		switch {
		case up:
			r = unicode.ToUpper(r)
		case b.Len() == 0:
			r = unicode.ToLower(r)
		}
		up = false
		b.WriteRune(r)
	}
	if b.Len() == 0 {
		return map[bool]string{false: "p", true: "P"}[exported]
	}
	return b.String()
}

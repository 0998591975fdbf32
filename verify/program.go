package verify

import (
	"context"
	"fmt"
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
)

// Program is bytecode under the runtime.
type Program struct {
	label   string
	img     *billb.Image
	session *runtime.Session

	exposed      *runtime.Session // every instruction's result is an output
	exposedPorts []Port
	layers       []exposedLayer
}

// exposedLayer is a result of an instruction: output number port of the exposed
// program.
type exposedLayer struct {
	name, op string
	port     int
}

// NewProgram loads the bytes of a .billb file, which must not change afterwards.
func NewProgram(label string, file []byte) (*Program, error) {
	prog, err := runtime.LoadBytes(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", label, err)
	}
	img, err := billb.Decode(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", label, err)
	}
	p := &Program{label: label, img: img}
	if p.session, err = prog.NewSession(runtime.Options{}); err != nil {
		return nil, fmt.Errorf("%s: %w", label, err)
	}
	return p, nil
}

// Name is the label.
func (p *Program) Name() string { return p.label }

// Image is the decoded file.
func (p *Program) Image() *billb.Image { return p.img }

// Inputs is the input ports.
func (p *Program) Inputs() []Port { return programPorts(p.img.Inputs) }

// Outputs is the output ports.
func (p *Program) Outputs() []Port { return programPorts(p.img.Outputs) }

func programPorts(list []runtime.Port) []Port {
	out := make([]Port, len(list))
	for i, q := range list {
		out[i] = Port{q.Name, elemType(q.Elem, q.Shape)}
	}
	return out
}

func elemType(e runtime.Elem, shape []int) ir.Type {
	d, _ := ir.ParseDType(e.String())
	return ir.T(d, shape...)
}

// Close ends the sessions.
func (p *Program) Close() {
	p.session.Close()
	if p.exposed != nil {
		p.exposed.Close()
	}
}

// Run executes the program. With visit it executes a copy in which no memory is
// used twice and every result is an output.
func (p *Program) Run(ctx context.Context, inputs []*ir.Tensor, visit func(Layer)) ([]*ir.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if visit == nil {
		return runSession(p.session, p.Outputs(), inputs)
	}
	if p.exposed == nil {
		if err := p.expose(); err != nil {
			return nil, fmt.Errorf("%s: %w", p.label, err)
		}
	}
	values, err := runSession(p.exposed, p.exposedPorts, inputs)
	if err != nil {
		return nil, err
	}
	for _, l := range p.layers {
		visit(Layer{l.name, l.op, values[l.port]})
	}
	return values[:len(p.img.Outputs)], nil
}

// endsElsewhere reports whether an instruction is named after the convolution or
// matrix product that it begins with, though its steps may go on behind that layer:
// numbers are then those of the last step, such as the sum with a residual. Bits are
// those of the layer's threshold, or of one that the source knows by another name.
func endsElsewhere(op billb.Opcode) bool {
	return op == billb.OpConvSteps || op == billb.OpLinearSteps || op == billb.OpBConvSteps
}

// expose loads a copy of the program in which every result can be read: buffers
// do not share memory, and each is an output, those of planes after a conversion
// to row-major order.
func (p *Program) expose() error {
	img := *p.img
	img.Outputs = append([]runtime.Port{}, p.img.Outputs...)
	img.Buffers = append([]billb.Buffer{}, p.img.Buffers...)
	img.Code = append([]billb.Instr{}, p.img.Code...)
	portOf := map[int]int{}
	for i, o := range img.Outputs {
		portOf[o.Buffer] = i
	}
	read := p.read()
	for i, in := range p.img.Code {
		if p.img.RegionOf(i) != nil {
			continue // bands, of which there is no whole map
		}
		for _, id := range in.Out {
			if id < 0 || !read[id] {
				continue
			}
			b := img.Buffers[id]
			if !b.Elem.IsBit() && endsElsewhere(in.Op) {
				continue
			}
			dense := id
			if b.Planes {
				dense = len(img.Buffers)
				img.Buffers = append(img.Buffers, billb.Buffer{Elem: b.Elem, Shape: b.Shape})
				img.Code = append(img.Code, billb.Instr{Op: billb.OpRelayout, In: []int{id}, Out: []int{dense}})
			}
			port, ok := portOf[dense]
			if !ok {
				port = len(img.Outputs)
				portOf[dense] = port
				img.Outputs = append(img.Outputs, runtime.Port{Name: fmt.Sprintf("result %d of instruction %d", port, i), Elem: b.Elem, Shape: b.Shape, Buffer: dense})
			}
			p.layers = append(p.layers, exposedLayer{in.Name, in.Op.String(), port})
		}
	}
	img.Arena = 0
	for i := range img.Buffers {
		size, err := img.Buffers[i].Size()
		if err != nil {
			return err
		}
		img.Buffers[i].Offset = img.Arena
		img.Arena += (size + 63) / 64 * 64
		if img.Arena > maxExposed {
			return fmt.Errorf("the values of all layers together take more than %d bytes", maxExposed)
		}
	}
	file, err := img.Encode()
	if err != nil {
		return fmt.Errorf("BUG: the program with all results as outputs: %w", err)
	}
	prog, err := runtime.Loader{MaxArena: maxExposed}.LoadBytes(file)
	if err != nil {
		return fmt.Errorf("BUG: the program with all results as outputs: %w", err)
	}
	p.exposedPorts = programPorts(img.Outputs)
	p.exposed, err = prog.NewSession(runtime.Options{})
	return err
}

// read marks the buffers that an instruction or an output reads.
func (p *Program) read() []bool {
	read := make([]bool, len(p.img.Buffers))
	for _, in := range p.img.Code {
		for _, id := range in.In {
			if id >= 0 {
				read[id] = true
			}
		}
	}
	for _, o := range p.img.Outputs {
		read[o.Buffer] = true
	}
	return read
}

// maxExposed bounds the memory of a run that keeps the values of all layers.
const maxExposed = 1<<31 - 64

func runSession(s *runtime.Session, outputs []Port, inputs []*ir.Tensor) ([]*ir.Tensor, error) {
	in, out := make([][]byte, len(inputs)), make([][]byte, len(outputs))
	for i, t := range inputs {
		in[i] = encode(t)
	}
	for i, p := range outputs {
		out[i] = make([]byte, p.Type.Elems()*width(p.Type.DType))
	}
	if err := s.Run(in, out); err != nil {
		return nil, err
	}
	values := make([]*ir.Tensor, len(outputs))
	for i, p := range outputs {
		values[i] = decode(p.Type, out[i])
	}
	return values, nil
}

// width is the bytes of one element of a port: bits take a byte there.
func width(d ir.DType) int { return max(1, d.Bits()/8) }

// encode writes the elements as a port holds them.
func encode(t *ir.Tensor) []byte {
	d := t.Type.DType
	if !d.IsLogic() {
		return t.Data()
	}
	out := make([]byte, t.Len())
	for i, v := range t.Ints() {
		out[i] = byte(v)
	}
	return out
}

// decode reads the elements of a port.
func decode(t ir.Type, b []byte) *ir.Tensor {
	x := ir.NewTensor(t)
	size := width(t.DType)
	for i := range x.Len() {
		var u uint64
		for k := size - 1; k >= 0; k-- {
			u = u<<8 | uint64(b[i*size+k])
		}
		switch d := t.DType; {
		case d == ir.F32:
			x.Floats()[i] = math.Float32frombits(uint32(u))
		case d == ir.F64:
			x.Doubles()[i] = math.Float64frombits(u)
		case d == ir.Bit || d == ir.Bool || d == ir.U8 || d == ir.U16 || d == ir.U32 || d == ir.U64:
			x.Ints()[i] = int64(u)
		default: // signed, also sbit and tern
			shift := 64 - 8*size
			x.Ints()[i] = int64(u<<shift) >> shift
		}
	}
	return x
}

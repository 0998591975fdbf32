package c

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// selfTest is what the self-test expects.
type selfTest struct {
	Clips    []testClip
	Frames   int      // of a clip
	Layers   []string // names, as C strings
	Known    int      // elements of the first output that are compared one by one
	Word     string   // the type in which they are
	Elements []string // of every input: an element as C, of the byte v
}

// testClip is what a clip gives, as lists of C constants.
type testClip struct{ Checksums, Output string }

func (t *selfTest) KnownSize() int { return max(1, t.Known) }

// testClips is the number of clips of a self-test, testFrames that of the frames of each where there is a result after every one.
const (
	testClips  = 3
	testFrames = 7
)

// maxKnown bounds the elements of the output that a self-test lists.
const maxKnown = 256

// selfTest evaluates the module on clips of seeds.
func (g *generator) selfTest(m *ir.Module) (*selfTest, error) {
	t := &selfTest{Frames: g.frames}
	if g.causal {
		t.Frames = testFrames
	}
	for _, l := range g.checkedLayers() {
		t.Layers = append(t.Layers, cString(l.in.Name))
	}
	for _, p := range g.img.Inputs {
		e, ok := element(p.Elem)
		if !ok {
			return nil, &UnsupportedError{[]string{fmt.Sprintf("input %q (of %s)", p.Name, p.Elem)}}
		}
		t.Elements = append(t.Elements, e)
	}
	first := g.img.Outputs[0]
	t.Word = wordType(first.Elem)
	if n := billb.Product(first.Shape); n <= maxKnown {
		t.Known = n
	}
	for clip := range testClips {
		sums, out, err := g.evaluate(m, g.clip(m, clip))
		if err != nil {
			return nil, err
		}
		var checks, known []string
		for _, sum := range sums {
			checks = append(checks, fmt.Sprintf("%#xu", sum))
		}
		for i := range t.Known {
			known = append(known, constantWord(out, i))
		}
		t.Clips = append(t.Clips, testClip{constants(checks), constants(known)})
	}
	return t, nil
}

// constants is a list of constants of C, which has no empty one.
func constants(list []string) string {
	if len(list) == 0 {
		return "0"
	}
	return strings.Join(list, ", ")
}

// checkedLayers are the layers whose results the self-test knows, in the order of their checks.
func (g *generator) checkedLayers() (list []*layer) {
	for _, p := range g.phases {
		for _, l := range p.running() {
			if g.checked(l) != nil {
				list = append(list, l)
			}
		}
	}
	return list
}

// evaluate is the checksums of those layers and the first output for the inputs of a run, or of one after the other.
func (g *generator) evaluate(m *ir.Module, runs [][]*ir.Tensor) (sums []uint32, first *ir.Tensor, err error) {
	f, states := m.Main(), m.States()
	var carried []*ir.Tensor
	for _, p := range f.Params[len(f.Params)-states:] {
		carried = append(carried, ir.NewTensor(p.Value.Type))
	}
	layers := g.checkedLayers()
	sums = make([]uint32, len(layers))
	for _, in := range runs {
		of := map[*ir.Value]uint32{}
		in = append(ir.ConvertInputs(f, in), carried...)
		out, err := ir.Eval(context.Background(), f, in, func(n *ir.Node, out []*ir.Tensor) {
			for i, v := range n.Results {
				if !n.Is(ir.Const) {
					of[v] = checksum(out[i])
				}
			}
		})
		if err != nil {
			return nil, nil, err
		}
		for i, l := range layers {
			sums[i] = sums[i]*16777619 + of[g.checked(l)]
		}
		first, carried = out[0], out[len(out)-states:]
	}
	return sums, first, nil
}

// wordType is the type in which elements are compared: floats as their bits.
func wordType(e billb.Elem) string {
	switch e {
	case billb.F32:
		return "uint32_t"
	case billb.F64:
		return "uint64_t"
	}
	return cType(e)
}

// constantWord is element i in that type.
func constantWord(t *ir.Tensor, i int) string {
	switch {
	case t.Type.DType == ir.F64:
		return fmt.Sprintf("%#xu", math.Float64bits(t.Float(i)))
	case t.Type.DType.IsFloat():
		return fmt.Sprintf("%#xu", math.Float32bits(float32(t.Float(i))))
	}
	return integer(t.Int(i))
}

// checksum is that of source.c.tmpl.
func checksum(t *ir.Tensor) (sum uint32) {
	for i := range t.Len() {
		sum += (word(t, i) + 1) * (2*uint32(i) + 1) * 2654435761
	}
	return sum
}

// word is the low 32 bits of element i.
func word(t *ir.Tensor, i int) uint32 {
	switch {
	case t.Type.DType == ir.F64:
		return uint32(math.Float64bits(t.Float(i)))
	case t.Type.DType.IsFloat():
		return math.Float32bits(float32(t.Float(i)))
	}
	return uint32(t.Int(i))
}

// element is an element of an input as C, of the byte v.
func element(e billb.Elem) (string, bool) {
	switch e {
	case billb.F32:
		return "(float)v / 256.0f", true
	case billb.F64:
		return "(double)v / 256.0", true
	case billb.U8:
		return "v", true
	case billb.I8:
		return "(int8_t)(v - 128)", true
	case billb.Bool, billb.Bit:
		return "v >> 7", true
	case billb.SBit:
		return "(int8_t)(v < 128 ? -1 : 1)", true
	case billb.Tern:
		return "(int8_t)(v % 3 - 1)", true
	case billb.U16, billb.I16, billb.U32, billb.I32, billb.U64, billb.I64:
		return "v", true
	}
	return "", false
}

// elementValue is element computed here.
func elementValue(d ir.DType, v byte) float64 {
	switch {
	case d.IsFloat():
		return float64(v) / 256
	case d == ir.I8:
		return float64(v) - 128
	case d == ir.Bool || d == ir.Bit:
		return float64(v >> 7)
	case d == ir.SBit && v < 128:
		return -1
	case d == ir.SBit:
		return 1
	case d == ir.Tern:
		return float64(v%3) - 1
	}
	return float64(v)
}

// clip makes the inputs of a clip as the self-test does, or of its frames where there is a result after every one.
func (g *generator) clip(m *ir.Module, clip int) (runs [][]*ir.Tensor) {
	params := m.Main().Params
	params = params[:len(params)-m.States()]
	next := make([]func() byte, len(params))
	for k := range params {
		next[k] = testBytes(uint32(clip+1+100*k), []int{1, 16, 64}[clip%3])
	}
	runs = make([][]*ir.Tensor, 1)
	if g.causal {
		runs = make([][]*ir.Tensor, testFrames)
	}
	for r := range runs {
		for k, p := range params {
			x := ir.NewTensor(p.Value.Type)
			frames, outer, inner := 1, 1, x.Len()
			if k == 0 {
				frames, outer, inner = g.frames, g.outer(), g.inner()
			}
			for t := range frames {
				for o := range outer {
					for i := range inner {
						x.SetFloat((o*frames+t)*inner+i, elementValue(p.Value.Type.DType, next[k]()))
					}
				}
			}
			runs[r] = append(runs[r], x)
		}
	}
	return runs
}

// testBytes is bytes of a linear congruential generator, each hold times.
func testBytes(seed uint32, hold int) func() byte {
	b, left := byte(0), 0
	return func() byte {
		if left == 0 {
			seed = seed*1664525 + 1013904223
			b, left = byte(seed>>24), hold
		}
		left--
		return b
	}
}

package randgraph

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/kernels"
)

// Inputs returns n sets of inputs for a function: all zeros, all large, small
// numbers, one number everywhere, then random ones. Small numbers and constant
// maps put accumulators exactly on thresholds.
func Inputs(f *ir.Func, rng *rand.Rand, n int) [][]*ir.Tensor {
	sets := make([][]*ir.Tensor, n)
	for i := range sets {
		switch i {
		case 2, 3:
			sets[i] = ir.RandomInputs(f, rng, 0)
			for _, t := range sets[i] {
				same := float64(rng.IntN(4))
				for j := range t.Len() {
					if i == 2 {
						t.SetFloat(j, float64(rng.IntN(2)))
					} else {
						t.SetFloat(j, same)
					}
				}
			}
		default:
			sets[i] = ir.RandomInputs(f, rng, i)
		}
	}
	return sets
}

// Diff says where two lists of results first differ, "" when they agree:
// integers and bits must be equal, floats within 1e-5 relative.
func Diff(f *ir.Func, want, got []*ir.Tensor) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d results against %d", len(want), len(got))
	}
	for i := range want {
		if d := ir.Compare(want[i], got[i]); d != "" {
			return fmt.Sprintf("result %q (%s): %s", f.Results[i].Name, want[i].Type, d)
		}
	}
	return ""
}

// Expose returns a copy of a packed module every value of which is a result, in
// dense layout. Results are named by number, operation and layer.
func Expose(m *ir.Module) (*ir.Module, error) {
	m = m.Clone()
	f := m.Main()
	have := map[*ir.Value]bool{}
	for _, r := range f.Results {
		have[r.Value] = true
	}
	b := &ir.Builder{F: f}
	for i, n := range f.Nodes {
		if n.Is(ir.Const) {
			continue
		}
		for k, v := range n.Results {
			if have[v] {
				continue
			}
			name := fmt.Sprintf("%d.%d %s %s", i, k, n.Op.Name, n.Loc.Name)
			if v.Type.Layout.Planes {
				v = b.Op(ir.Relayout, nil, v)
				v.Type.Layout = ir.Layout{}
			}
			f.Results = append(f.Results, ir.Port{Name: name, Value: v})
		}
	}
	if b.Err != nil {
		return nil, b.Err
	}
	return m, ir.Verify(m)
}

// Eval evaluates a module's entry with the reference interpreter.
func Eval(m *ir.Module, in []*ir.Tensor) ([]*ir.Tensor, error) {
	return ir.Eval(context.Background(), m.Main(), ir.ConvertInputs(m.Main(), in), nil)
}

// Load generates bytecode of a packed module, writes it as a file and loads
// that.
func Load(m *ir.Module, loader runtime.Loader) (*runtime.Program, error) {
	img, _, err := bytecode.Generate(m, nil)
	if err != nil {
		return nil, fmt.Errorf("generating: %w", err)
	}
	file, err := img.Encode()
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	p, err := loader.LoadBytes(file)
	if err != nil {
		return nil, fmt.Errorf("loading: %w", err)
	}
	return p, nil
}

// Engine is one way of running bytecode.
type Engine struct {
	ISA     string
	Threads int
}

func (e Engine) String() string { return fmt.Sprintf("%s, %d threads", e.ISA, e.Threads) }

// Engines returns every instruction set of this machine with one and with two
// threads.
func Engines() []Engine {
	var list []Engine
	for _, isa := range kernels.ISAs() {
		if kernels.Available(isa) {
			list = append(list, Engine{isa.String(), 1}, Engine{isa.String(), 2})
		}
	}
	return list
}

// Run runs a session on inputs of the types of f's parameters and returns
// results of the types of f's results.
func Run(s *runtime.Session, f *ir.Func, in []*ir.Tensor) ([]*ir.Tensor, error) {
	in = ir.ConvertInputs(f, in)
	data, results := make([][]byte, len(in)), make([][]byte, len(f.Results))
	for i, t := range in {
		data[i] = encode(t)
	}
	for i, r := range f.Results {
		results[i] = make([]byte, r.Value.Type.Elems()*width(r.Value.Type.DType))
	}
	if err := s.Run(data, results); err != nil {
		return nil, err
	}
	out := make([]*ir.Tensor, len(results))
	for i, r := range f.Results {
		var err error
		if out[i], err = decode(r.Value.Type, results[i]); err != nil {
			return nil, fmt.Errorf("result %q: %w", r.Name, err)
		}
	}
	return out, nil
}

// width is the number of bytes of an element in a dense buffer.
func width(d ir.DType) int {
	if d.IsLogic() || d == ir.Bool {
		return 1
	}
	return d.Bits() / 8
}

// encode writes a tensor as a dense buffer: logic types a byte an element.
func encode(t *ir.Tensor) []byte {
	if !t.Type.DType.IsLogic() {
		return t.Data()
	}
	out := make([]byte, t.Len())
	for i, v := range t.Ints() {
		out[i] = byte(v)
	}
	return out
}

// decode reads a dense buffer; a byte that is no number of the type is an error.
func decode(t ir.Type, b []byte) (*ir.Tensor, error) {
	x := ir.NewTensor(t.With(t.DType))
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if !t.DType.IsFloat() {
		lo, hi = t.DType.Range()
	}
	for i := range x.Len() {
		switch e := b[i*width(t.DType):]; t.DType {
		case ir.F32:
			x.Floats()[i] = math.Float32frombits(binary.LittleEndian.Uint32(e))
			continue
		case ir.F64:
			x.Doubles()[i] = math.Float64frombits(binary.LittleEndian.Uint64(e))
			continue
		case ir.Bit, ir.Bool, ir.U8:
			x.Ints()[i] = int64(e[0])
		case ir.SBit, ir.Tern, ir.I8:
			x.Ints()[i] = int64(int8(e[0]))
		case ir.U16:
			x.Ints()[i] = int64(binary.LittleEndian.Uint16(e))
		case ir.I16:
			x.Ints()[i] = int64(int16(binary.LittleEndian.Uint16(e)))
		case ir.U32:
			x.Ints()[i] = int64(binary.LittleEndian.Uint32(e))
		case ir.I32:
			x.Ints()[i] = int64(int32(binary.LittleEndian.Uint32(e)))
		case ir.U64, ir.I64:
			x.Ints()[i] = int64(binary.LittleEndian.Uint64(e))
		default:
			return nil, fmt.Errorf("no buffer holds %s", t.DType)
		}
		if v := x.Int(i); v < lo || v > hi || t.DType == ir.SBit && v == 0 {
			return nil, fmt.Errorf("element %d is %d, which is no %s", i, v, t.DType)
		}
	}
	return x, nil
}

package bill

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/billnet/billnet/ir"
)

// initializers are how the elements of a parameter begin. fan is the number of
// products in a sum that the parameter is the weight of: the elements of a slice
// along the first axis. std is the standard deviation of normal elements, or the
// elements lie evenly between lo and hi.
var initializers = map[string]struct {
	args int
	make func(a []float64, t ir.Type) (std, lo, hi float64)
}{
	"zeros":   {0, func([]float64, ir.Type) (std, lo, hi float64) { return 0, 0, 0 }},
	"ones":    {0, func([]float64, ir.Type) (std, lo, hi float64) { return 0, 1, 1 }},
	"he":      {0, func(_ []float64, t ir.Type) (std, lo, hi float64) { return math.Sqrt(2 / fan(t)), 0, 0 }},
	"glorot":  {0, func(_ []float64, t ir.Type) (std, lo, hi float64) { return math.Sqrt(1 / fan(t)), 0, 0 }},
	"normal":  {1, func(a []float64, _ ir.Type) (std, lo, hi float64) { return a[0], 0, 0 }},
	"uniform": {2, func(a []float64, _ ir.Type) (std, lo, hi float64) { return 0, a[0], a[1] }},
}

func fan(t ir.Type) float64 {
	if t.Rank() == 0 {
		return 1
	}
	return float64(max(1, t.Elems()/max(1, t.Shape[0])))
}

// parameter makes a const whose elements are drawn from the module's seed and
// the parameter's name: no other parameter has a say in them, and they are the
// same on every machine.
func (b *builder) parameter(t *node, ty ir.Type, loc ir.Loc) (*ir.Node, error) {
	init := t.Payload.Init
	if ty.DType != ir.F32 {
		return nil, errorAt(t.Types[0].Pos, "a parameter of type %s; what is trained is f32", ty.DType)
	}
	if loc.Name == "" {
		return nil, errorAt(t.Results[0].Pos, "a parameter needs a name: call its value by a word, or say loc(\"name\")")
	}
	how := initializers[init.Name]
	if len(init.Args) != how.args {
		return nil, errorAt(t.Payload.Pos, "%s takes %d numbers, found %d", init.Name, how.args, len(init.Args))
	}
	args := make([]float64, len(init.Args))
	for i, e := range init.Args {
		v, err := b.number(e)
		if err != nil {
			return nil, err
		}
		args[i] = v.v
	}
	if err := b.reserve(t.Payload.Pos, ty); err != nil {
		return nil, err
	}
	h := fnv.New64a()
	h.Write([]byte(loc.Name))
	rng := rand.New(rand.NewPCG(uint64(int64(b.numbers[seedName].v)), h.Sum64()))
	std, lo, hi := how.make(args, ty)
	if std != 0 || lo != hi {
		if b.m.Meta == nil {
			b.m.Meta = map[string]string{}
		}
		b.m.Meta[ir.MetaUntrained] = "parameters are random"
	}
	x := ir.NewTensor(ty)
	for i := range x.Floats() {
		// float32 around each product: none may be fused into the sum behind it.
		if std != 0 {
			x.Floats()[i] = float32(std * normal(rng))
		} else {
			x.Floats()[i] = float32(float32((hi-lo)*unit(rng)) + float32(lo))
		}
	}
	return ir.NewConst(x, loc), nil
}

// unit is a number from 0 up to 1.
func unit(rng *rand.Rand) float64 { return float64(rng.Uint64()>>11) / (1 << 53) }

// normal is a number of mean 0 and variance 1: the sum of twelve even ones,
// which integers compute alike everywhere.
func normal(rng *rand.Rand) float64 {
	var sum int64
	for range 12 {
		sum += int64(rng.Uint64() >> 24) // 40 bits
	}
	return float64(sum-6<<40) / (1 << 40)
}

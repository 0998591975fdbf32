package exact

import (
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes/analysis"
)

// TestThresholdSearch compares thresholds with a batch norm and a comparison
// evaluated at every accumulator, for slopes of both signs, zero, and values
// that lie on the tie.
func TestThresholdSearch(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(v ...float32) float32 { return v[rng.IntN(len(v))] }
	for range 300 {
		const c = 7
		params := make([][]float32, 4) // scale, bias, mean, var
		for i := range params {
			params[i] = make([]float32, c)
		}
		for k := range c {
			params[0][k] = pick(0, 1, -1, 0.5, rng.Float32()-0.5, -1e-30)
			params[1][k] = pick(0, 1, -1, rng.Float32()-0.5)
			params[2][k] = pick(0, float32(rng.IntN(21)-10), rng.Float32()*20-10)
			params[3][k] = pick(1, 0, 4, rng.Float32()*10)
		}
		eps := float64(float32(1e-5))
		strict := rng.IntN(2) == 0
		lo, hi := int64(-rng.IntN(30)), int64(rng.IntN(30))

		f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "z", Value: &ir.Value{Type: ir.T(ir.I32, 1, c)}}}}
		b := &ir.Builder{F: f}
		args := []*ir.Value{b.Op(ir.ToFloat, nil, f.Params[0].Value)}
		for _, p := range params {
			args = append(args, b.Const(ir.FloatTensor(p, c)))
		}
		step := b.Node(ir.Step, map[string]any{"strict": strict}, b.Op(ir.BatchNorm, map[string]any{"epsilon": eps}, args...))
		if b.Err != nil {
			t.Fatal(b.Err)
		}
		ch := findChain(step.Args[0])
		if ch == nil {
			t.Fatal("no chain was found")
		}
		ch.step = step
		cert, err := ch.search(t.Context(), analysis.Uniform(lo, hi))
		if err != nil || cert == nil {
			t.Fatal(cert, err)
		}
		for k, p := range cert.Channels {
			for z := lo; z <= hi; z++ {
				y := ir.BatchNormScalar(float32(z), params[0][k], params[1][k], params[2][k], params[3][k], float32(eps))
				want := y > 0 || !strict && y == 0
				if (p.Bit(z) == 1) != want {
					t.Fatalf("scale %g bias %g mean %g var %g strict %v: z = %d gives %v, the threshold %d (flip %v) says %d",
						params[0][k], params[1][k], params[2][k], params[3][k], strict, z, want, p.T, p.Flip, p.Bit(z))
				}
			}
		}
	}
}

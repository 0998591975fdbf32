package lossy

import (
	"context"
	"slices"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/report"
)

// Simulated is what the calibration of a recurrent layer saw.
type Simulated struct {
	Left   string      // why the layer cannot be quantized
	Levels [][]float64 // the layer's input for every clip, as the quantized layer reads it
	run    *recurrentLayer
}

// Simulate quantizes the recurrent layer node of a module with the options of a
// quantize-lstm, as the pass does, and keeps the cell that calibration runs.
func Simulate(t testing.TB, m *ir.Module, node *ir.Node, options string, clips [][]*ir.Tensor) *Simulated {
	t.Helper()
	s := &Simulated{}
	p := &passes.Pass{Name: QuantizeLSTM.Name, Options: QuantizeLSTM.Options, Class: passes.Lossy, Run: func(c *passes.Context, m *ir.Module) error {
		l, left := readRecurrent(node)
		if s.run, s.Left = l, left; l == nil {
			return nil
		}
		l.bits, l.cellBits, l.ternary = c.Int("gates"), c.Int("cell"), c.Word("weights") == "ternary"
		var r report.Quantization
		if err := l.calibrate(c, m, &r); err != nil {
			return err
		}
		err := c.Observe(m, node.Args[:1], func(_ int, _ *ir.Value, x *ir.Tensor) {
			levels := make([]float64, x.Len())
			for i := range levels {
				levels[i] = l.input.level(float64(float32(x.Float(i))))
			}
			s.Levels = append(s.Levels, levels)
		})
		if err != nil {
			return err
		}
		return c.Rewrite(m.Main(), func(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
			if n != node {
				return nil
			}
			return l.write(rw, &r)
		})
	}}
	steps, err := passes.NewRegistry(nil, p).Parse("test", options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := passes.Run(context.Background(), m, steps, passes.RunOptions{Clips: clips}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Directions is the number of the layer's directions.
func (s *Simulated) Directions() int { return len(s.run.dirs) }

// H runs the cell of a direction over a sequence of the batch and returns its last
// h. sure is false where a row has sums of no spread, and the sign of its norm
// hangs on rounding.
func (s *Simulated) H(direction, sequence int, levels []float64) (h []float64, sure bool) {
	d := s.run.dirs[direction]
	_, _, h = s.run.runHard(d, levels, sequence, newRowMoments(len(d.w)))
	return h, !slices.ContainsFunc(d.norm.variance, func(v float64) bool { return v < 1e-3 })
}

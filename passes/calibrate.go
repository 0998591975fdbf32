package passes

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/ir"
)

// Lossy passes see real clips: the inputs given in RunOptions.Clips. With them a
// pass weighs its error by what its layer is fed, sets thresholds and scales from
// statistics, and the pipeline measures how far each lossy pass moved the outputs.

// Calibrated reports whether there are calibration clips.
func (c *Context) Calibrated() bool { return len(c.clips) > 0 }

// Observe evaluates the main function on every calibration clip and calls visit
// with each of the values as it is computed, parameters included. The order is
// that of evaluation; clips count from 0. The tensor is visit's to read, not to
// keep or change. Without clips it does nothing.
func (c *Context) Observe(m *ir.Module, values []*ir.Value, visit func(clip int, v *ir.Value, t *ir.Tensor)) error {
	wanted := map[*ir.Value]bool{}
	for _, v := range values {
		wanted[v] = true
	}
	f := m.Main()
	for i, clip := range c.clips {
		in := ir.ConvertInputs(f, clip)
		for k, p := range f.Params {
			if wanted[p.Value] {
				visit(i, p.Value, in[k])
			}
		}
		_, err := ir.Eval(c.ctx, f, in, func(n *ir.Node, out []*ir.Tensor) {
			for k, v := range n.Results {
				if wanted[v] {
					visit(i, v, out[k])
				}
			}
		})
		if err != nil {
			return fmt.Errorf("calibration clip %d: %w", i+1, err)
		}
	}
	return nil
}

// Movement says how far a lossy pass moved one output over the calibration
// clips, against the module before the pass and against the one that entered
// the pipeline.
type Movement struct {
	Pass   string  `json:"pass"`
	Output string  `json:"output"`
	Clips  int     `json:"clips"`
	Error  float64 `json:"error"`  // |after - before| / |before| (Frobenius), over all clips
	Total  float64 `json:"total"`  // likewise against the source
	Labels int     `json:"labels"` // clips whose largest element is another one than in the source
}

func (v *Movement) String() string {
	return fmt.Sprintf("pass %s moved output %q by %.3g (relative, over %d clips), %.3g from the source; %d of %d labels changed",
		v.Pass, v.Output, v.Error, v.Clips, v.Total, v.Labels, v.Clips)
}

// outputs evaluates the main function on every calibration clip.
func (c *Context) outputs(m *ir.Module) ([][]*ir.Tensor, error) {
	var all [][]*ir.Tensor
	for i, clip := range c.clips {
		out, err := ir.Eval(c.ctx, m.Main(), ir.ConvertInputs(m.Main(), clip), nil)
		if err != nil {
			return nil, fmt.Errorf("calibration clip %d: %w", i+1, err)
		}
		all = append(all, out)
	}
	return all, nil
}

// moved compares the outputs of one pass with those before it and with the
// source's.
func moved(p *Pass, m *ir.Module, source, before, after [][]*ir.Tensor) []Movement {
	var list []Movement
	for k, r := range m.Main().Results {
		v := Movement{Pass: p.Name, Output: r.Name, Clips: len(after)}
		v.Error, _ = distance(before, after, k)
		v.Total, v.Labels = distance(source, after, k)
		list = append(list, v)
	}
	return list
}

// distance is |b - a| / |a| of output k over all clips, and in how many clips
// the largest element is another one.
func distance(a, b [][]*ir.Tensor, k int) (relative float64, labels int) {
	var diff, norm float64
	for i := range a {
		x, y := a[i][k], b[i][k]
		topX, topY := 0, 0
		for j := range x.Len() {
			u, v := x.Float(j), y.Float(j)
			diff += (v - u) * (v - u)
			norm += u * u
			if u > x.Float(topX) {
				topX = j
			}
			if v > y.Float(topY) {
				topY = j
			}
		}
		if topX != topY {
			labels++
		}
	}
	switch {
	case diff == 0:
		return 0, labels
	case norm == 0:
		return math.Inf(1), labels
	}
	return math.Sqrt(diff / norm), labels
}

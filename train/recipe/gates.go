package recipe

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/exact"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/train/data"
)

// Gate is the density of a residual gate: the shares of ones in the maps that it
// takes and gives. With too many, OR and max pooling fill every map with ones,
// and nothing is learned from them; with too few, a map says nothing.
type Gate struct {
	Name   string   `json:"name"`
	Block  float64  `json:"block"`            // of the block's map F
	Beside float64  `json:"beside"`           // of the map x that goes past the block
	Select *float64 `json:"select,omitempty"` // of the selects S; nil: the gate has none
	Out    float64  `json:"out"`
}

// Shares of ones outside of these are reported.
const (
	fewestOnes = 0.02
	mostOnes   = 0.5
)

func (g Gate) healthy() bool {
	for _, share := range []float64{g.Block, g.Beside, g.Out} {
		if share < fewestOnes || share > mostOnes {
			return false
		}
	}
	return true
}

func (g Gate) String() string {
	return fmt.Sprintf("%.1f %% ones from its block, %.1f %% from beside it and %.1f %% in its result", 100*g.Block, 100*g.Beside, 100*g.Out)
}

// gateClips is the number of clips on which gates are measured.
const gateClips = 2

// toGates are the exact passes that find gates, whatever idiom they are written in:
// what comes before lower-lstm has made bits of the maps.
func toGates() []passes.Step { return pipeline.Before(exact.LowerLSTM) }

// gates measures the gates of a network on the first clips of evalSplit.
func (r *Run) gates(ctx context.Context, m *ir.Module) ([]Gate, error) {
	m = m.Clone()
	if _, err := passes.Run(ctx, m, toGates(), passes.RunOptions{}); err != nil {
		return nil, err
	}
	loader, err := data.NewLoader(r.Source, data.LoaderOptions{Split: r.evalSplit(), Batch: 1, Workers: 1, Once: true})
	if err != nil {
		return nil, err
	}
	defer loader.Close()
	var gates []Gate
	for clips := range gateClips {
		b, err := loader.Next(ctx)
		if errors.Is(err, io.EOF) && clips > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		found, err := gatesOn(ctx, m.Main(), b.Clips)
		if err != nil {
			return nil, err
		}
		if clips == 0 {
			gates = found
			continue
		}
		for i, g := range found { // the mean over the clips
			mean := func(a *float64, b float64) { *a += (b - *a) / float64(clips+1) }
			mean(&gates[i].Block, g.Block)
			mean(&gates[i].Beside, g.Beside)
			mean(&gates[i].Out, g.Out)
			if g.Select != nil {
				mean(gates[i].Select, *g.Select)
			}
		}
	}
	return gates, nil
}

// gatesOn evaluates a function on a clip.
func gatesOn(ctx context.Context, f *ir.Func, clip []uint8) ([]Gate, error) {
	in := ir.NewTensor(f.Params[0].Value.Type)
	for i, v := range clip {
		if in.Type.DType.IsFloat() {
			in.Floats()[i] = float32(v)
		} else {
			in.Ints()[i] = int64(v)
		}
	}
	var gates []Gate
	ones := map[*ir.Value]float64{}
	_, err := ir.Eval(ctx, f, []*ir.Tensor{in}, func(n *ir.Node, results []*ir.Tensor) {
		for i, v := range n.Results {
			if v.Type.DType == ir.Bit {
				ones[v] = share(results[i])
			}
		}
		if n.Result().Type.Rank() != 5 { // a gate of a recurrent cell
			return
		}
		g := Gate{Name: n.Loc.Name, Out: ones[n.Result()]}
		switch n.Op {
		case ir.MuxOr, ir.Mux:
			s := ones[n.Args[0]]
			g.Select, g.Block, g.Beside = &s, ones[n.Args[1]], ones[n.Args[2]]
		case ir.BitOr:
			g.Block, g.Beside = ones[n.Args[0]], ones[n.Args[1]]
		default:
			return
		}
		gates = append(gates, g)
	})
	return gates, err
}

func share(t *ir.Tensor) float64 {
	n := 0
	for _, v := range t.Ints() {
		if v > 0 {
			n++
		}
	}
	return float64(n) / float64(max(t.Len(), 1))
}

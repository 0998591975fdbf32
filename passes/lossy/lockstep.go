package lossy

import (
	"fmt"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

// clipsAtOnce bounds the calibration clips whose values are held in memory side
// by side: 2^26 elements of the largest value, and 256 clips.
func clipsAtOnce(f *ir.Func) int {
	largest := 1
	for _, n := range f.Nodes {
		for _, r := range n.Results {
			if !n.Is(ir.Const) {
				largest = max(largest, r.Type.Elems())
			}
		}
	}
	return min(max(1<<26/largest, 4), 256)
}

// lockstep evaluates a function node by node, each on all calibration clips (on
// the first clipsAtOnce). Before a node runs, visit sees its operands, operand by
// operand and clip by clip, and may replace the payload of a constant that only
// this node reads: whatever comes later is evaluated with it.
func lockstep(c *passes.Context, f *ir.Func, visit func(n *ir.Node, in [][]*ir.Tensor)) error {
	clips := c.Clips()[:min(len(c.Clips()), clipsAtOnce(f))]
	vals := map[*ir.Value][]*ir.Tensor{}
	for _, clip := range clips {
		for i, t := range ir.ConvertInputs(f, clip) {
			v := f.Params[i].Value
			vals[v] = append(vals[v], t)
		}
	}
	last := f.LastUses()
	for i, n := range f.Nodes {
		if err := c.Ctx().Err(); err != nil {
			return err
		}
		in := make([][]*ir.Tensor, len(n.Args))
		for j, a := range n.Args {
			if a != nil {
				in[j] = vals[a]
			}
		}
		visit(n, in)
		for k := range clips {
			args := make([]*ir.Tensor, len(n.Args))
			for j, a := range n.Args {
				switch {
				case a == nil:
				case ir.ConstOf(a) != nil:
					args[j] = ir.ConstOf(a)
				default:
					args[j] = in[j][k]
				}
			}
			out, err := ir.EvalNode(n, args)
			if err != nil {
				return fmt.Errorf("%s (%s): calibration clip %d: %w", n.Loc, n.Op.Name, k+1, err)
			}
			for j, r := range n.Results {
				vals[r] = append(vals[r], out[j])
			}
		}
		for _, v := range last[i] {
			delete(vals, v)
		}
	}
	return nil
}

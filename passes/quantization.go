package passes

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
)

// Quantization reports what quantize or quantize-lstm did to one layer.
type Quantization struct {
	Layer   string  `json:"layer"`
	Op      string  `json:"op"`
	Weights string  `json:"weights,omitempty"` // such as "8 bits", "binary"
	Input   string  `json:"input,omitempty"`   // what the layer reads now, and where its range comes from
	Gates   int     `json:"gates,omitempty"`   // bits of a recurrent layer's gates
	Cell    int     `json:"cell,omitempty"`    // bits of its cell
	Steps   int     `json:"steps,omitempty"`
	Error   float64 `json:"error"`             // relative Frobenius error of the weights; for binary and ternary ones with the best scale of every row
	Density float64 `json:"density,omitempty"` // share of set gates over the clips, where there are any
	Left    string  `json:"left,omitempty"`    // why the layer is as it was
}

func (r *Quantization) String() string {
	if r.Left != "" {
		return fmt.Sprintf("layer %q (%s) is not quantized: %s", r.Layer, r.Op, r.Left)
	}
	s := fmt.Sprintf("layer %q (%s): %s weights, relative error %.3g; input: %s", r.Layer, r.Op, r.Weights, r.Error, r.Input)
	if r.Gates > 0 {
		s += fmt.Sprintf("; %d-bit gates, %d-bit cell, %d steps", r.Gates, r.Cell, r.Steps)
	}
	if r.Density > 0 {
		s += fmt.Sprintf(", %.0f%% of the gates set on the clips", 100*r.Density)
	}
	return s + "; fine-tuning should follow"
}

// quantized records a report. The steps of one unrolled layer that is left as it
// was are one entry.
func (c *Context) quantized(r Quantization) {
	if r.Left != "" && slices.Contains(c.Quantized, r) {
		return
	}
	c.Quantized = append(c.Quantized, r)
	c.Note("%s", r.String())
}

// constantOf evaluates a value that depends on constants only; nil for others.
// Binary weights, for one, are a comparison of a latent constant.
func constantOf(v *ir.Value) *ir.Tensor {
	n := ir.Def(v)
	if n == nil || len(n.Args) == 0 {
		return ir.ConstOf(v)
	}
	in := make([]*ir.Tensor, len(n.Args))
	for i, a := range n.Args {
		if a == nil {
			continue
		}
		if in[i] = constantOf(a); in[i] == nil {
			return nil
		}
	}
	if v.Type.Elems() > maxFolded {
		return nil
	}
	out, err := ir.EvalNode(n, in)
	if err != nil {
		return nil
	}
	return out[v.Index]
}

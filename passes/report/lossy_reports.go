package report

import (
	"fmt"
)

// What the lossy passes record, layer by layer.

// Factorization reports what factorize-conv3d did to one layer.
type Factorization struct {
	Layer        string   `json:"layer"`
	Choice       string   `json:"choice,omitempty"` // how the number of channels was chosen
	Mid          int      `json:"mid,omitempty"`
	Groups       int      `json:"groups,omitempty"`
	LayerGroups  int      `json:"layer_groups,omitempty"`  // of the layer, each with Mid channels in Groups of its own; absent when it has one
	Error        float64  `json:"error"`                   // relative Frobenius error of the kernel, with the factors rounded to float32
	Weighed      *float64 `json:"weighed_error,omitempty"` // the same in the coordinates of the inputs' moments: what was minimised
	OutputError  *float64 `json:"output_error,omitempty"`  // |K~x - Kx| / |Kx| over all positions of the calibration clips, without the bias
	ParamsBefore int      `json:"params_before"`
	Params       int      `json:"params"`
	MACsBefore   int      `json:"macs_before"`
	MACs         int      `json:"macs"`
	Left         string   `json:"left,omitempty"` // why the layer is as it was
}

func (r *Factorization) String() string {
	if r.Left != "" {
		return fmt.Sprintf("layer %q is not factorized: %s", r.Layer, r.Left)
	}
	outputs := ""
	if r.OutputError != nil {
		outputs = fmt.Sprintf(", of the outputs on the clips %.3g", *r.OutputError)
	}
	return fmt.Sprintf("layer %q: %d channels in %d groups (%s), relative error of the kernel %.3g%s, parameters %d to %d, MACs %d to %d; fine-tuning should follow",
		r.Layer, max(r.LayerGroups, 1)*r.Mid, max(r.LayerGroups, 1)*r.Groups, r.Choice, r.Error, outputs, r.ParamsBefore, r.Params, r.MACsBefore, r.MACs)
}

// Gating reports what insert-mux-or did to one residual.
type Gating struct {
	Layer    string  `json:"layer"`
	Wiring   string  `json:"wiring,omitempty"`
	Shortcut string  `json:"shortcut,omitempty"` // where x comes from
	Through  float64 `json:"through,omitempty"`  // share of selects that let x through on the clips
	Left     string  `json:"left,omitempty"`     // why it is as it was
}

func (r *Gating) String() string {
	if r.Left != "" {
		return fmt.Sprintf("residual %q gets no gate: %s", r.Layer, r.Left)
	}
	s := fmt.Sprintf("residual %q: %s with the shortcut from %s", r.Layer, r.Wiring, r.Shortcut)
	if r.Through > 0 {
		s += fmt.Sprintf(", %.0f%% of the selects let it through on the clips", 100*r.Through)
	}
	return s + "; fine-tuning should follow"
}

// Binarization reports what binarize did to a layer or an activation.
type Binarization struct {
	Layer   string  `json:"layer"`
	Op      string  `json:"op"`
	Weights string  `json:"weights,omitempty"`       // of a layer: "binary", "ternary", "float"
	Input   string  `json:"input,omitempty"`         // what a layer reads now
	Norm    string  `json:"norm,omitempty"`          // "inserted" or "recalibrated"
	Error   float64 `json:"error,omitempty"`         // relative Frobenius error of the weights with the best scale of every output channel
	Bits    string  `json:"bits,omitempty"`          // of an activation, or where there was none: "heaviside" or "sign"
	Ones    float64 `json:"ones,omitempty"`          // share of ones over the clips, max pools behind the step included
	Flipped float64 `json:"flipped_share,omitempty"` // share of bits that are not what the same step in the source gives
	Left    string  `json:"left,omitempty"`          // why it is as it was
}

func (r *Binarization) String() string {
	name := fmt.Sprintf("%q (%s)", r.Layer, r.Op)
	switch {
	case r.Left != "":
		return fmt.Sprintf("%s is not binarized: %s", name, r.Left)
	case r.Bits != "":
		return fmt.Sprintf("%s: a %s step, %.3g%% ones, %.3g%% of the bits other than in the source", name, r.Bits, 100*r.Ones, 100*r.Flipped)
	case r.Norm != "" && r.Weights == "":
		return fmt.Sprintf("%s: norm %s", name, r.Norm)
	}
	s := fmt.Sprintf("%s: %s weights", name, r.Weights)
	if r.Error > 0 {
		s += fmt.Sprintf(", relative error %.3g", r.Error)
	}
	s += "; input: " + r.Input
	if r.Norm != "" {
		s += "; norm " + r.Norm
	}
	return s
}

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

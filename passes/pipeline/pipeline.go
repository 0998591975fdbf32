// Package pipeline knows the compiler's own passes: it names them all, and puts the
// exact ones in order.
//
// Default is the pipeline of an exact compilation. A text that names passes, such
// as that of billc's --passes, is read by a registry:
//
//	steps, err := pipeline.Registry().Parse("--passes", "quantize{bits=4}, default")
package pipeline

import (
	"slices"

	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/exact"
	"github.com/billnet/billnet/passes/lossy"
	"github.com/billnet/billnet/passes/packed"
)

// o0 only lowers.
func o0() []*passes.Pass {
	return []*passes.Pass{
		exact.FoldConstants, // instructions read weights as constants
		exact.LowerCumSum,
		packed.Layout, // the packed level, every value row-major
	}
}

// o1 leaves out what only saves memory or time.
func o1() []*passes.Pass {
	return []*passes.Pass{
		exact.FoldConstants,
		exact.MergeEqual,
		exact.BinaryActivations,
		exact.RollLSTM,
		exact.Integers,
		exact.LowerLSTM,
		exact.FuseBNThreshold,
		exact.IntegerArithmetic, // a rolled LSTM without a kernel has no instruction
		packed.NarrowIntegers,   // convolutions on planes need the bounds of their sums
		exact.LowerCumSum,
		packed.Layout,
	}
}

// o2 is the ordered list of passes of an exact compilation, from what ONNX says to
// kernels and layouts. The reason for each place stands beside it.
func o2() []*passes.Pass {
	return []*passes.Pass{
		exact.FoldConstants,     // first: binary weights arrive as Where(w >= 0, 1, -1), shapes as Gather(Shape(x))
		exact.MergeEqual,        // one value for equal constants, so that recognising patterns can compare values
		exact.SinkTransposes,    // before the activations are recognised: channels-last exports put transposes inside the idioms
		exact.Limits,            // before selections become limits, and limited values integers
		exact.BinaryActivations, // comparisons become steps, the one form that every later pass knows
		exact.MultiBit,          // likewise the few-bit quantizers
		exact.MergeEqual,        // the steps of one comparison written twice
		exact.RollLSTM,          // before integers: it matches the source's own float cell
		exact.Integers,          // to_float moves from the inputs to the outputs
		exact.LowerLSTM,         // once its input is bits
		exact.Integers,          // on through what follows the recurrent layer
		exact.MergeEqual,        // equal integer operations made for several readers
		exact.FuseBNThreshold,   // after integers: a step over float operations over an integer
		exact.SplitSigns,        // signs behind float layers, once those behind integers are comparisons
		exact.FuseBNThreshold,   // and on from there
		exact.LowerLSTM,         // when its input became bits only now
		exact.FuseBNThreshold,   // behind it
		exact.IntegerArithmetic, // what is left of whole numbers in float, once gates, residuals and recurrent layers are recognised
		exact.FewBitPlanes,      // after every threshold is found
		exact.TernaryPlanes,     // after every threshold is found: many a sign is no ternary value
		exact.FramesToTime,      // once every layer is integer: float layers stay as they are
		exact.SinkTransposes,    // what the thresholds left between layers
		exact.ScaleConversions,  // after the thresholds: they want the source's own division
		exact.MergeEqual,        // equal constants of the new thresholds
		exact.Reassociate,       // before thresholds go into convolutions: it wants the bare ones
		exact.PruneChannels,     // once every threshold is there, and while it is a node of its own
		exact.FuseThreshold,     // once every threshold is there, into the convolution before it
		exact.RollSteps,         // once steps are as they will run
		packed.NarrowIntegers,   // after fusing: only maps that reach memory have a width
		exact.LowerCumSum,       // after all that asks what a layer sees of time
		packed.Layout,           // last: it fixes where everything lies
	}
}

// Presets returns the pipelines that have a name of their own, from the shortest
// that reaches the packed level to the default one. All are exact; they differ in
// how much of a network becomes bits and in how fast it runs.
func Presets() []passes.Preset {
	return []passes.Preset{
		{Name: "O0", Doc: "constants are folded and everything else runs as the source says it, in float", Passes: o0()},
		{Name: "O1", Doc: "bits, integers and thresholds where they are recognised, without what only saves memory or time", Passes: o1()},
		{Name: "O2", Doc: "everything; the default", Passes: o2()},
	}
}

// Registry returns a registry of the compiler's own passes and presets; default is
// O2. It is the caller's, to register passes of its own with.
func Registry() *passes.Registry {
	r := passes.NewRegistry(Presets(), lossy.Binarize, lossy.FactorizeConv3D, lossy.InsertMuxOr, lossy.Quantize, lossy.QuantizeLSTM)
	r.Register(exact.SinkGates) // costs time, saves memory: where that is asked for
	for _, p := range o2() {
		if r.Lookup(p.Name) == nil {
			r.Register(p)
		}
	}
	return r
}

// Default returns the steps of an exact compilation, those of O2.
func Default() []passes.Step { return passes.Steps(o2()...) }

// WithLittleMemory adds passes to those of a pipeline that save memory and cost time, and writes
// steps out, which bands of maps cannot be made of.
func WithLittleMemory(steps []passes.Step) []passes.Step {
	at := slices.IndexFunc(steps, func(s passes.Step) bool { return s.Pass == packed.NarrowIntegers })
	if at < 0 {
		return steps
	}
	return WrittenOut(slices.Insert(slices.Clone(steps), at, passes.Steps(exact.SinkGates)...))
}

// WrittenOut removes the pass that rolls up steps, for what has no form of those: bands
// of maps and generated code.
func WrittenOut(steps []passes.Step) []passes.Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s passes.Step) bool { return s.Pass == exact.RollSteps })
}

// Before returns the steps of Default that come before the first of a pass.
func Before(p *passes.Pass) []passes.Step {
	list := o2()
	return passes.Steps(list[:slices.Index(list, p)]...)
}

package passes

// Pipeline is the ordered list of passes of an exact compilation, from what
// ONNX says to kernels and layouts. The reason for each place stands beside it.
var Pipeline = []string{
	"fold-constants",     // first: binary weights arrive as Where(w >= 0, 1, -1), shapes as Gather(Shape(x))
	"merge-equal",        // one value for equal constants, so that recognising patterns can compare values
	"sink-transposes",    // before the activations are recognised: channels-last exports put transposes inside the idioms
	"binary-activations", // comparisons become steps, the one form that every later pass knows
	"multi-bit",          // likewise the few-bit quantizers
	"merge-equal",        // the steps of one comparison written twice
	"roll-lstm",          // before integers: it matches the source's own float cell
	"integers",           // to_float moves from the inputs to the outputs
	"lower-lstm",         // once its input is bits
	"integers",           // on through what follows the recurrent layer
	"merge-equal",        // equal integer operations made for several readers
	"fuse-bn-threshold",  // after integers: a step over float operations over an integer
	"split-signs",        // signs behind float layers, once those behind integers are comparisons
	"fuse-bn-threshold",  // and on from there
	"lower-lstm",         // when its input became bits only now
	"fuse-bn-threshold",  // behind it
	"integer-arithmetic", // what is left of whole numbers in float, once gates, residuals and recurrent layers are recognised
	"few-bit-planes",     // after every threshold is found
	"ternary-planes",     // after every threshold is found: many a sign is no ternary value
	"frames-to-time",     // once every layer is integer: float layers stay as they are
	"sink-transposes",    // what the thresholds left between layers
	"scale-conversions",  // after the thresholds: they want the source's own division
	"merge-equal",        // equal constants of the new thresholds
	"reassociate",        // before thresholds go into convolutions: it wants the bare ones
	"prune-channels",     // once every threshold is there, and while it is a node of its own
	"fuse-threshold",     // once every threshold is there, into the convolution before it
	"narrow-integers",    // after fusing: only maps that reach memory have a width
	"layout",             // last: it fixes where everything lies
}

// Presets are pipelines that have a name of their own, from the shortest that
// reaches the packed level to the whole of Pipeline. All are exact; they differ in
// how much of a network becomes bits and in how fast it runs.
var Presets = []struct{ Name, Doc string }{
	{"O0", "constants are folded and everything else runs as the source says it, in float"},
	{"O1", "bits, integers and thresholds where they are recognised, without what only saves memory or time"},
	{"O2", "everything; the default"},
}

// Preset returns the passes of a preset; nil when there is none of that name.
func Preset(name string) []string {
	switch name {
	case "O0":
		return []string{
			"fold-constants", // instructions read weights as constants
			"layout",         // the packed level, every value row-major
		}
	case "O1":
		return []string{
			"fold-constants",
			"merge-equal",
			"binary-activations",
			"roll-lstm",
			"integers",
			"lower-lstm",
			"fuse-bn-threshold",
			"integer-arithmetic", // a rolled LSTM without a kernel has no instruction
			"narrow-integers",    // convolutions on planes need the bounds of their sums
			"layout",
		}
	case "O2":
		return Pipeline
	}
	return nil
}

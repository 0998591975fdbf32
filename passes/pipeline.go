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
	"few-bit-planes",     // after every threshold is found
	"ternary-planes",     // after every threshold is found: many a sign is no ternary value
	"frames-to-time",     // once every layer is integer: float layers stay as they are
	"sink-transposes",    // what the thresholds left between layers
	"scale-conversions",  // after the thresholds: they want the source's own division
	"merge-equal",        // equal constants of the new thresholds
	"fuse-threshold",     // once every threshold is there, into the convolution before it
	"narrow-integers",    // after fusing: only maps that reach memory have a width
	"layout",             // last: it fixes where everything lies
}

package billb

// StepOp is an operation of a list of steps, which follows an instruction element by element. v is the element as the steps
// before have left it, in f32 where not said otherwise; z an integer and q a byte that the list begins with, or q what a
// quantization has made. c is the next constant, of one element or one for every channel; x the next input, of the result's
// elements or of one for every channel of every image; a and b the next values.
type StepOp int

// The steps. Each computes what the operation of its name does.
const (
	StepToFloat    StepOp = iota // v = z
	StepAffine                   // v = z*c/c + c in f64, rounded once; three constants of f64: numerator, denominator, bias
	StepDequantize               // v = (q - zero)*scale; two constants: scale and zero, of q's type, of one element
	StepQuantize                 // q = round(v/scale) + zero, halves to even, limited to a..b; constants as for dequantize
	StepPlus                     // v + c
	StepMinus                    // v - c
	StepTimes                    // v * c
	StepOver                     // v / c
	StepPRelu                    // v, or v*c where v < 0
	StepBatchNorm                // (v - mean)/sqrt(var + a)*scale + bias, every operation rounded; constants scale, bias, mean, var
	StepRelu                     // max(v, 0)
	StepClip                     // v limited to at least a, then to at most b
	StepLeakyRelu                // v, or v*a where v < 0
	StepSigmoid                  // the functions
	StepTanh
	StepExp
	StepHardSigmoid    // max(0, min(1, a*v + b))
	StepHardSwish      // v*max(0, min(1, v/6 + 1/2))
	StepAddInput       // v + x
	StepMulInput       // v * x
	StepAddDequantized // v + (x - zero)*scale, x bytes; constants as for dequantize
	StepMulDequantized // v * ((x - zero)*scale)
	StepSign           // a bit, the last step: v > 0 where a is 1, v >= 0 where it is 0; NaN gives b
	StepTernary        // two bits, the last step: v > 0, and in as many channels more behind all of those v < 0; NaN gives neither
	StepErf            // the error function
)

var stepNames = []string{"to_float", "affine", "dequantize", "quantize", "plus", "minus", "times", "over", "prelu", "batch_norm", "relu", "clip", "leaky_relu",
	"sigmoid", "tanh", "exp", "hard_sigmoid", "hard_swish", "add", "mul", "add_dequantized", "mul_dequantized", "sign", "ternary", "erf"}

func (StepOp) names() []string  { return stepNames }
func (s StepOp) String() string { return enumName(s.names(), int(s)) }

// Steps is a list of steps and the values that they take.
type Steps struct {
	Steps  []StepOp
	Values []float64
}

// ConvSteps is the parameters of a convolution of bytes and its steps, axes in the order t, h, w. Of maps with fewer axes the
// last ones count.
type ConvSteps struct {
	Groups    int    `min:"1"`
	Stride    [3]int `min:"1"`
	PadBefore [3]int `min:"0"`
	PadAfter  [3]int `min:"0"`
	Dilation  [3]int `min:"1"`
	Steps     Steps
}

var (
	// Convolution of bytes, with one to three spatial axes: z[n,o,p] = sum over i in o's group and taps
	// k of w[o,i,k]*(x[n,i,p*stride + k*dilation - pad] - zero) in 32 bits, which wrap; padding adds
	// nothing. Then the steps. x is u8, i8, bool or a logic type, zero one of it (left out: 0), w of any
	// type with values from -256 to 254. y is f32, the bytes of the last quantize, or without steps the
	// sums as i32.
	_ = register(&Op{
		Code: OpConvSteps,
		Name: "conv_steps",
		In:   "x inputs...", Out: "y", Consts: "w zero? constants...",
		Params: (*ConvSteps)(nil),
		macs:   func(s shapes) float64 { return perChannel(s, s.konst(0)) },
	})
	// Convolution of bits on planes, as bconv without thresholds: z in 32 bits. Then the steps. w is sbit
	// or tern; x, [1,C,t,h,w], has bits or signs.
	_ = register(&Op{
		Code: OpBConvSteps,
		Name: "bconv_steps",
		In:   "x inputs...", Out: "y", Consts: "w constants...",
		Params: (*ConvSteps)(nil),
		macs:   func(s shapes) float64 { return perChannel(s, s.konst(0)) },
	})
	// Linear layer of bytes: z[..., o] = sum over k of w[o,k]*(x[..., k] - zero). Then the steps, with
	// channels on the last axis of y. Operands as in conv_steps; x may have any shape of as many
	// elements.
	_ = register(&Op{
		Code: OpLinearSteps,
		Name: "linear_steps",
		In:   "x inputs...", Out: "y", Consts: "w zero? constants...",
		Params: (*Steps)(nil),
		macs:   func(s shapes) float64 { return perChannel(s, s.konst(0)) },
	})
	// The steps of the elements of x, f32, i32, u8 or i8. Channels are on axis 1, or on the last of
	// fewer; axes behind them may be others in y. With a sign at their end, y is planes of bits and x f32;
	// with ternary, y has twice x's channels, which are a multiple of eight.
	_ = register(&Op{
		Code: OpMapSteps,
		Name: "map_steps",
		In:   "x inputs...", Out: "y", Consts: "constants...",
		Params: (*Steps)(nil),
	})
)

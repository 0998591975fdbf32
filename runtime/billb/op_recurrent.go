package billb

// BLSTM is the parameters of a binary LSTM.
type BLSTM struct {
	Sign0 int `min:"-1" max:"1"` // the sign of 0
}

// Sequence is how a recurrent operation reads its input.
type Sequence struct {
	Direction  Direction
	BatchFirst bool
}

// Gates is the activation functions of a recurrent operation's gates, direction
// after direction.
type Gates struct {
	Activations []Activation // none: the operation's own
	Clip        float64      // limits their inputs to -clip..clip; 0: nothing
	Scales      []AlphaBeta  // of every activation; none: the defaults
}

// LSTM is the parameters of an LSTM as ONNX defines it.
type LSTM struct {
	Sequence    Sequence
	InputForget bool // the forget gate is 1 less the input gate
	Gates       Gates
}

// GRU is the parameters of a GRU as ONNX defines it.
type GRU struct {
	Sequence          Sequence
	LinearBeforeReset bool
	Gates             Gates
}

// RNN is the parameters of a plain recurrence as ONNX defines it.
type RNN struct {
	Sequence Sequence
	Gates    Gates
}

// Quantizers is the number of quantizers of a quantized LSTM.
const Quantizers = 11

// QuantLSTM is the parameters of a quantized LSTM.
type QuantLSTM struct {
	BatchFirst bool
	Reverse    bool
	CIFG       bool `name:"cifg"` // the forget gate is Q6(1) less the input gate
	Quantizers [Quantizers]Quantizer
}

var (
	// Binary LSTM over a sequence, all integers. At every step z = wi.x[t] + wh.h; row r of z gives
	// the bit (z[r] >= t[r]) != flip[r]; rows are the gates i, f, o, g, H rows each. c = sat(f*c +
	// i*(2g-1)), saturating at -32767 and 32767; h = o*sign(c) with sign(0) = sign0. x [N,T,I], y
	// [N,T,H], h0, c0, h and c of N*H elements; h and c are the last. h0 and c0 left out are 0.
	_ = register(&Op{
		Code: OpBLSTM,
		Name: "blstm",
		In:   "x h0? c0?", Out: "y? h? c?", Consts: "wi wh t flip?",
		Params: (*BLSTM)(nil),
		macs:   func(s shapes) float64 { return perStep(s, s.konst(0), s.konst(1)) },
	})
	// Long short-term memory as ONNX defines it; gates in the order i o f c, peepholes i o f. f32 or
	// f64. Shapes are ONNX's: x [S,B,I], y [S,D,B,H], states [D,B,H]; with batch_first x [B,S,I], y
	// [B,S,D,H], states [B,D,H]. Without w, x has the sums W x of all directions and gates, [S,B,4*D*H].
	// Activations are three a direction, sigmoid tanh tanh where none is
	// given.
	_ = register(&Op{
		Code: OpLSTM,
		Name: "lstm",
		In:   "x w? r b? lens? h0? c0? p?", Out: "y? y_h? y_c?",
		Params: (*LSTM)(nil),
		macs:   perStepOfAll,
	})
	// Gated recurrent unit as ONNX defines it; gates in the order z r h. Shapes as lstm's. Activations
	// are two a direction, sigmoid tanh where none is given.
	_ = register(&Op{
		Code: OpGRU,
		Name: "gru",
		In:   "x w? r b? lens? h0?", Out: "y? y_h?",
		Params: (*GRU)(nil),
		macs:   perStepOfAll,
	})
	// Plain recurrence as ONNX defines it: h = f(W x + R h + Wb + Rb). Shapes as lstm's. Activations
	// are one a direction, tanh where none is given.
	_ = register(&Op{
		Code: OpRNN,
		Name: "rnn",
		In:   "x w? r b? lens? h0?", Out: "y? y_h?",
		Params: (*RNN)(nil),
		macs:   perStepOfAll,
	})
	// A quantized LSTM, f32 or f64; gates in the order i f c o, Q a quantizer as quant's. A step: i =
	// Q6(sigmoid(Q2(Wii x + Whi h + bi))); f = Q7(sigmoid(Q3(Wif x + Whf h + bf))), or Q6(1) - i with
	// cifg; g = Q8(tanh(Q4(Wic x + Whc h + bc))); o = Q9(sigmoid(Q5(Wio x + Who h + bo))); c =
	// Q1(Q1(f*c) + Q1(i*g)); h = Q0(o * Q10(tanh(c))). x [S,B,I], y [S,B,H], or with batch_first
	// [B,S,...]; h0 and c0 broadcast to [B,H], which y_h and y_c are. Constants: input weights [H,I]
	// and recurrent weights [H,H] of the four gates, biases that broadcast to [H], then scale, zero
	// and bits of quantizers 0 to 10, one number each.
	_ = register(&Op{
		Code: OpQuantLSTMCell,
		Name: "quant_lstm_cell",
		In:   "x h0 c0", Out: "y? y_h? y_c?", Consts: "w_ii w_if w_ic w_io w_hi w_hf w_hc w_ho b_i b_f b_c b_o q...",
		Params: (*QuantLSTM)(nil),
		macs: func(s shapes) float64 {
			n := 0.0
			for g := range 8 { // input and recurrent weights of four gates
				n += perStep(s, s.konst(g))
			}
			return n
		},
	})
)

package kernels

// A Set is one choice of kernels; it is read-only and may be shared. Plans are built for a Set.
//
// All kernels work on whole blocks of 64 positions; len(mask)/64 blocks unless said otherwise. A mask has 0xFF at the
// positions of logical elements and 0 elsewhere. Element offsets are relative to src and never negative.
type Set struct {
	isa ISA

	// packBit repacks the terms of 8 output channels. wm holds 16 bytes for a term: the weight bytes of the 8
	// channels, then their mask bytes. The result is what the bit kernels of the same masked index take.
	packBit [2]func(wm []byte) []byte

	// bitLE counts d_o = sum over j of popcount8((src[offs[j]+p] ^ w[j][o]) & m[j][o]), saturating at 255, for 8
	// outputs and writes dst[p] = (sum over o of (d_o <= le[o]) << o ^ flip) & mask[p]. Index 1 is masked; index 0
	// ignores m.
	bitLE [2]bitLEFunc

	// bitInsideLE is bitLE for maps of -1 and +1 with padding: a term with inside[ioffs[j]+p] = 0 counts 4, which is
	// half its bits, whatever the weights, so that z = K - 2d holds with the padding an exact 0. There are at most 63
	// terms, of 8 existing channels each. w is packed without masks.
	bitInsideLE bitInsideLEFunc

	// bitInt writes z_o = base[o] - d_o << shift at mask, 0 elsewhere, for outputs 0..outs-1; output o is at
	// dst[o*stride:] (bytes). add accumulates onto dst, where base is ignored. d_o must not exceed 255.
	// Indices: masked; 0 for i8 (never adds), 1 for i16, 2 for i32.
	bitInt [2][3]bitIntFunc

	// bitSpread writes the cells of bytes, 8 channels of a position each, at dst[i*step:]; a cell is bitCell bytes. The cells of
	// a tap are a multiple of bitGrain; where that is above 1, a cell of zeros is that of the byte 0.
	bitSpread bitSpreadFunc
	bitCell   int
	bitGrain  int

	// bitDot counts acc[p*64+o] += sum over taps t and c < nb of popcount8(x ^ w[t][c][o]), x the byte of cell c at
	// src[offs[4t+p]:], for 64 outputs at 4 positions; packBitDot has repacked w from its order.
	packBitDot func(w []byte) []byte
	bitDot     bitDotFunc

	// bitTurn writes dst[o*stride+p] = base[p] - acc[p*64+o]<<shift for 64 outputs at 4 positions.
	bitTurn bitTurnFunc

	// signs writes dst[p] = sum over c < 8 of (src[c*stride+p] xor flip[c] >= least[c]) << c; len(dst) is a multiple of 8.
	// Index 1 takes NaN for at least that, index 0 does not.
	signs [2]signsFunc

	// levels is Levels of a multiple of 16 elements.
	levels levelsFunc

	// sums makes the 2^(n-1) planes S_k = x_0 + sum over i>=1 of (bit i-1 of k ? -x_i : x_i), where x_i is the plane at
	// element offs[i] of src and n = len(offs) is 1 to 4. S_k is at dst[k*stride:] (bytes), in a form that only accLE and
	// accInt of the same indices know. Indices: the input's Elem (U8..I32; Bit is nil); 0 for sums in i16, 1 for i32; 1 where
	// neither the elements of src nor any acc_o or acc_o - t[o] of accLE and accInt leave that width, at any position in front
	// of a logical one. Else sums wrap. I32 does not fit i16.
	sums [5][2][2]sumsFunc

	// accLE adds terms and compares: acc_o = init[o] + sum of (src[off+p] ^ sign) over the terms of output o;
	// dst[p] = (sum over o of (acc_o >= t[o]) << o ^ flip) & mask[p]. terms holds for each of 8 outputs the number of terms,
	// then off (elements) and sign of each, those of sign 0 first. A sign of -1 subtracts src+1, which init makes up for: one
	// loop of a constant length costs less than two of any. Indices are the last two of sums.
	accLE [2][2]accLEFunc

	// accInt writes acc_o & mask as planes of i16 or i32 for outputs 0..outs-1, with the terms of just these outputs; output o
	// is at dst[o*stride:] (bytes). Indices are those of accLE.
	accInt [2][2]accIntFunc

	// threshold compares 8 planes of i16 (index 0) or i32 (index 1) at element offs[o] of src:
	// dst[p] = (sum over o of (x_o >= t[o]) << o ^ flip) & mask[p].
	threshold [2]thresholdFunc

	// convert writes (src + add) & mask as elements of another type, which they fit. Indices: from i16 (0) or i32 (1), to
	// i8 (0), i16 (1) or i32 (2).
	convert [2][3]convertFunc

	// pool writes dst[p] = (OR over j of (src[offs[j]+p] ^ pre) ^ post) & mask[p].
	pool poolFunc

	// gate writes dst = (f & (x & fx ^ f1)) ^ x & x1 with the bytes fx, f1, x1; len(dst) is a multiple of 64.
	gate gateFunc

	// count adds to n[j], len(n) <= 8, the number of set bits j of the bytes of src, any length.
	count countFunc

	// interleave writes dst[4*i+j] = sj[i] ^ flip; len(dst) = 4*len(sj).
	interleave interleaveFunc

	// dot computes four outputs at n = len(acc)/4 positions, a multiple of 16: acc[o*n+p] = init[o] + sum over j and c < 4
	// of w[j][o][c] * src[offs[j]+4*p+c]. src is unsigned, w signed, as packDot has repacked it from its order. Sums wrap.
	packDot func(w []int8) []byte
	dot     dotFunc

	// planeConv computes one output (index 0) or four at n positions, a multiple of 16: dst[o*stride+p] = bias[o] + sum over j of
	// w[j*outputs+o] * src[offs[j]/4+p], in the order of j, starting at 0, every product and sum rounded, the bias last.
	planeConv [2]planeConvFunc

	// depth computes eight channels at len(dst)/8 positions: dst[8*p+c] = bias[c] + sum over j of w[8*j+c] * src[offs[j]/4+p*step+c], in
	// the order of j, starting at 0, the bias last, every product and sum rounded.
	depth depthFunc

	// depthPool takes the taps of eight channels at len(dst)/8 positions, src[offs[j]/4+p*step+c] of position p and channel c, with the
	// operator Max, Min or Add, which sums and divides by counts[p].
	depthPool [operators]depthPoolFunc

	// dotRows computes 64 outputs for len(acc)/64 rows, one (index 0) or four: acc[r*64+o] += sum over k of w[k/4][o][k%4]
	// * x[r*K+k]. Each row of x has K bytes, a multiple of 4.
	packRows func(w []int8) []byte
	dotRows  [2]dotRowsFunc

	// fewDot and fewRows are dot and dotRows for few-bit weights, repacked by packFew and packFewRows: of any run terms that
	// follow each other, the positive weights of an output's first two channels, or of its last two, add up to at most
	// fewMost, and the negative ones to at least -fewMost, so that 16 bits hold their products' sums.
	packFew, packFewRows func(w []int8) []byte
	fewDot               fewDotFunc
	fewRows              [2]fewRowsFunc

	// dotWindow computes one output at len(acc) positions, a multiple of 16: acc[p] = init + sum over j and i < 4 of
	// w[j][i] * src[offs[j] + p/16*16*stride + index[4*(p%16)+i]], with w repacked by packDot. With laneIndex it is
	// p/4*4*stride + index[4*(p%4)+i]. An index is below 64, or below 16.
	dotWindow dotWindowFunc
	laneIndex bool

	// The elementwise functions on float32; lengths are multiples of 16. Map, Combine and their kin say what they compute.
	unary          [functions]unaryFunc
	hard           [2]hardFunc // the sigmoid and the swish
	binary         [operators]binaryFunc
	largest        func(src []float32) float32 // of at least 16 elements, NaN left out
	expSum         expSumFunc                  // writes exp(x - m), m not below x, and adds element i to sums[i%16]
	softmaxColumns columnsFunc                 // the softmax down 16 columns of d rows, step apart in src and in dst
	fromInts       func(dst []float32, src []int32)
	affine         affineFunc
	normalize      normalizeFunc
	quantize       quantizeFunc      // lo and hi limit the quotient
	dequantize     [2]dequantizeFunc // of u8 and i8

	// turn writes dst[j*to+i] = src[i*from+j] for i < 8 and j < n, a multiple of 8.
	turn turnFunc

	// split2 writes the even elements of src to even and the odd ones to odd; len(src) = 2*len(odd) or one more.
	split2 splitFunc
}

// The types of the kernels; Set says what they compute.
type (
	bitLEFunc       func(dst, src, mask []byte, offs []int32, w []byte, le *[8]uint8, flip uint8)
	bitInsideLEFunc func(dst, src, mask, inside []byte, offs, ioffs []int32, w []byte, le *[8]uint8, flip uint8)
	bitIntFunc      func(dst []byte, stride, outs int, src, mask []byte, offs []int32, w []byte, base *[8]int32, shift uint, add bool)
	bitSpreadFunc   func(dst []byte, step int, src []byte)
	bitDotFunc      func(acc []int16, src []byte, offs []int32, nb int, w []byte)
	bitTurnFunc     func(dst []int32, stride int, acc []int16, base *[4]int32, shift uint)
	signsFunc       func(dst []byte, src []float32, stride int, least *[8]float32, flip *[8]uint32)
	levelsFunc      func(dst []byte, z, t, flip []int32, stride, count, step int, base byte)
	sumsFunc        func(dst []byte, stride int, src []byte, offs []int32, blocks int)
	accLEFunc       func(dst, src, mask []byte, terms []int32, init, t *[8]int32, flip uint8)
	accIntFunc      func(dst []byte, stride, outs int, src, mask []byte, terms []int32, init *[8]int32)
	thresholdFunc   func(dst, src, mask []byte, offs *[8]int32, t *[8]int32, flip uint8)
	convertFunc     func(dst, src, mask []byte, add int32)
	poolFunc        func(dst, src, mask []byte, offs []int32, pre, post uint8)
	gateFunc        func(dst, f, x []byte, fx, f1, x1 uint8)
	countFunc       func(n []int32, src []byte)
	splitFunc       func(even, odd, src []byte)
	unaryFunc       func(dst, src []float32, a, b float32)
	hardFunc        func(dst, src []float32, alpha, beta float64)
	binaryFunc      func(dst, a, b []float32)
	expSumFunc      func(dst, src []float32, m float32, sums *[16]float64)
	columnsFunc     func(dst, src []float32, step, d int)
	turnFunc        func(dst, src []float32, to, from, n int)
	affineFunc      func(dst []float32, src []int32, num, den, bias []float64, step int)
	normalizeFunc   func(dst, src []float32, mean, deviation, scale, bias float32)
	quantizeFunc    func(dst []byte, src []float32, scale, lo, hi float32, zero int32)
	dequantizeFunc  func(dst []float32, src []byte, scale float32, zero int32)
	interleaveFunc  func(dst, s0, s1, s2, s3 []byte, flip uint8)
	dotFunc         func(acc []int32, src []byte, offs []int32, w []byte, init *[4]int32)
	planeConvFunc   func(dst []float32, stride int, src []float32, n int, offs []int32, w []float32, bias *[4]float32)
	depthFunc       func(dst, src []float32, step int, offs []int32, w []float32, bias *[8]float32)
	depthPoolFunc   func(dst, src []float32, step int, offs []int32, counts []float32)
	dotRowsFunc     func(acc []int32, x, w []byte)
	fewDotFunc      func(acc []int32, src []byte, offs []int32, w []byte, init *[4]int32, run int)
	fewRowsFunc     func(acc []int32, x, w []byte, run int)
	dotWindowFunc   func(acc []int32, src []byte, offs []int32, w []byte, index *[64]byte, stride int, init int32)
)

// ISA is the instruction set that the set was selected for.
func (s *Set) ISA() ISA { return s.isa }

// kernel is a row of the table of kernels. Of one name, the rows of a family are in the order of its levels; a later row
// replaces an earlier one.
type kernel struct {
	name    string
	isa     ISA
	install func(*Set)
}

func (k kernel) String() string { return k.name + "_" + k.isa.String() }

// table lists every kernel of this build.
func table() []kernel { return append(genericTable(), asmTable()...) }

// Select returns the best kernels that need no more than isa and that this CPU can run; Set.ISA tells which it is.
func Select(isa ISA) *Set {
	s := &Set{isa: bestOf(isa.Includes)}
	for _, k := range table() {
		if s.isa.Includes(k.isa) {
			k.install(s)
		}
	}
	return s
}

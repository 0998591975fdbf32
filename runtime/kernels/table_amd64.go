//go:build amd64 && !purego

package kernels

//go:generate go -C ../../internal/asmgen run . runtime/kernels

// features are the instruction sets of this CPU that the operating system supports.
var features = detect()

func detect() (f [len(isas)]bool) {
	if leaves, _, _, _ := cpuid(0, 0); leaves < 7 {
		return f
	}
	const osxsave, avx = 1 << 27, 1 << 28
	if _, _, c, _ := cpuid(1, 0); c&osxsave == 0 || c&avx == 0 {
		return f
	}
	const ymm, zmm = 0x06, 0xE6
	state, _ := xgetbv()
	_, b, c, _ := cpuid(7, 0)
	const avx2 = 1 << 5
	const f512, bw, vl = 1 << 16, 1 << 30, 1 << 31      // in b
	const vbmi, vnni, bitalg = 1 << 1, 1 << 11, 1 << 12 // in c
	f[AVX2] = state&ymm == ymm && b&avx2 != 0
	f[AVX512] = f[AVX2] && state&zmm == zmm && b&f512 != 0 && b&bw != 0 && b&vl != 0 && c&vbmi != 0 && c&vnni != 0 && c&bitalg != 0
	return f
}

func asmAvailable(isa ISA) bool { return features[isa] }

// asmTable lists the assembly kernels, AVX2 before AVX-512.
func asmTable() []kernel {
	return []kernel{
		{"bit", AVX2, func(s *Set) {
			s.bitInsideLE = bitInsideLEAVX2
			for m := range 2 {
				s.packBit[m] = packBitTables
				s.bitLE[m] = bitLEAVX2
				s.bitInt[m] = [3]bitIntFunc{bitInt8AVX2, bitInt16AVX2, bitInt32AVX2}
			}
		}},
		{"bit", AVX512, func(s *Set) {
			s.packBit = [2]func([]byte) []byte{packBitDwords, packBitMaskedDwords}
			s.bitInsideLE = bitInsideLEAVX512
			s.bitLE = [2]bitLEFunc{bitLEAVX512, bitLEMaskedAVX512}
			s.bitInt = [2][3]bitIntFunc{
				{bitInt8AVX512, bitInt16AVX512, bitInt32AVX512},
				{bitInt8MaskedAVX512, bitInt16MaskedAVX512, bitInt32MaskedAVX512},
			}
		}},
		{"bitdot", AVX2, func(s *Set) {
			s.bitSpread, s.bitCell, s.bitGrain = spreadCells, 32, 1
			s.packBitDot, s.bitDot, s.bitTurn = packBitDotLanes, bitDotAVX2, bitTurnAVX2
		}},
		{"signs", AVX2, func(s *Set) { s.signs = [2]signsFunc{signsAVX2, signsNaNAVX2} }},
		{"levels", AVX2, func(s *Set) { s.levels = levelsAVX2 }},
		{"intconv", AVX2, func(s *Set) {
			s.intConv([5][2]sumsFunc{
				U8:  {sumsU816AVX2, sumsU832AVX2},
				I8:  {sumsI816AVX2, sumsI832AVX2},
				I16: {sumsI1616AVX2, sumsI1632AVX2},
				I32: {sumsI3216AVX2, sumsI3232AVX2},
			}, [2]accLEFunc{accLE16AVX2, accLE32AVX2}, [2]accIntFunc{accInt16AVX2, accInt32AVX2})
		}},
		{"threshold", AVX2, func(s *Set) { s.threshold = [2]thresholdFunc{threshold16AVX2, threshold32AVX2} }},
		{"intconv", AVX512, func(s *Set) {
			s.intConv([5][2]sumsFunc{
				U8:  {sumsU816AVX512, sumsU832AVX512},
				I8:  {sumsI816AVX512, sumsI832AVX512},
				I16: {sumsI1616AVX512, sumsI1632AVX512},
				I32: {sumsI3216AVX512, sumsI3232AVX512},
			}, [2]accLEFunc{accLE16AVX512, accLE32AVX512}, [2]accIntFunc{accInt16AVX512, accInt32AVX512})
		}},
		{"threshold", AVX512, func(s *Set) { s.threshold = [2]thresholdFunc{threshold16AVX512, threshold32AVX512} }},
		{"pool", AVX2, func(s *Set) { s.pool = poolAVX2 }},
		{"gate", AVX2, func(s *Set) { s.gate = gateAVX2 }},
		{"convert", AVX2, func(s *Set) {
			s.convert[0][0], s.convert[0][2] = convert16To8AVX2, convert16To32AVX2
			s.convert[1][0], s.convert[1][1] = convert32To8AVX2, convert32To16AVX2
		}},
		{"count", AVX2, func(s *Set) { s.count = countAVX2 }},
		{"split2", AVX2, func(s *Set) { s.split2 = split2AVX2 }},
		{"vec", AVX2, func(s *Set) {
			s.unary = [functions]unaryFunc{
				Relu: vecReluAVX2, Clip: vecClipAVX2, LeakyRelu: vecLeakyReluAVX2, Exp: vecExpAVX2, Log: vecLogAVX2,
				Sigmoid: vecSigmoidAVX2, Tanh: vecTanhAVX2, Elu: vecEluAVX2, Sqrt: vecSqrtAVX2, Reciprocal: vecReciprocalAVX2,
				Plus: vecPlusAVX2, Times: vecTimesAVX2, Over: vecOverAVX2, Abs: vecAbsAVX2, Neg: vecNegAVX2,
				Floor: vecFloorAVX2, Ceil: vecCeilAVX2, RoundEven: vecRoundEvenAVX2, Erf: vecErfAVX2,
			}
			s.hard = [2]hardFunc{vecHardSigmoidAVX2, vecHardSwishAVX2}
			s.binary = [operators]binaryFunc{Add: vecAddAVX2, Sub: vecSubAVX2, Mul: vecMulAVX2, Div: vecDivAVX2, PRelu: vecPReluAVX2, Max: vecMaxAVX2, Min: vecMinAVX2}
			s.largest, s.expSum, s.softmaxColumns = vecLargestAVX2, vecExpSumAVX2, softmaxColumnsAVX2
			s.fromInts, s.affine, s.normalize, s.quantize = vecFromIntsAVX2, vecAffineAVX2, vecNormalizeAVX2, vecQuantizeAVX2
			s.dequantize = [2]dequantizeFunc{vecDequantizeU8AVX2, vecDequantizeI8AVX2}
		}},
		{"vec", AVX512, func(s *Set) {
			s.unary = [functions]unaryFunc{
				Relu: vecReluAVX512, Clip: vecClipAVX512, LeakyRelu: vecLeakyReluAVX512, Exp: vecExpAVX512, Log: vecLogAVX512,
				Sigmoid: vecSigmoidAVX512, Tanh: vecTanhAVX512, Elu: vecEluAVX512, Sqrt: vecSqrtAVX512, Reciprocal: vecReciprocalAVX512,
				Plus: vecPlusAVX512, Times: vecTimesAVX512, Over: vecOverAVX512, Abs: vecAbsAVX512, Neg: vecNegAVX512,
				Floor: vecFloorAVX512, Ceil: vecCeilAVX512, RoundEven: vecRoundEvenAVX512, Erf: vecErfAVX2,
			}
			s.hard = [2]hardFunc{vecHardSigmoidAVX512, vecHardSwishAVX512}
			s.binary = [operators]binaryFunc{Add: vecAddAVX512, Sub: vecSubAVX512, Mul: vecMulAVX512, Div: vecDivAVX512, PRelu: vecPReluAVX512, Max: vecMaxAVX2, Min: vecMinAVX2}
			s.largest, s.expSum = vecLargestAVX512, vecExpSumAVX512
			s.fromInts, s.affine, s.normalize, s.quantize = vecFromIntsAVX512, vecAffineAVX512, vecNormalizeAVX512, vecQuantizeAVX512
			s.dequantize = [2]dequantizeFunc{vecDequantizeU8AVX512, vecDequantizeI8AVX512}
		}},
		{"turn", AVX2, func(s *Set) { s.turn = turnAVX2 }},
		{"depth", AVX2, func(s *Set) { s.depth = depthAVX2 }},
		{"depthpool", AVX2, func(s *Set) {
			s.depthPool[Max], s.depthPool[Min], s.depthPool[Add] = depthMaxAVX2, depthMinAVX2, depthSumAVX2
		}},
		{"planeconv", AVX2, func(s *Set) { s.planeConv = [2]planeConvFunc{planeConv1AVX2, planeConv4AVX2} }},
		{"planeconv", AVX512, func(s *Set) { s.planeConv = [2]planeConvFunc{planeConv1AVX512, planeConv4AVX512} }},
		{"interleave", AVX2, func(s *Set) { s.interleave = interleaveAVX2 }},
		{"dot", AVX2, func(s *Set) {
			s.packDot, s.dot, s.dotWindow, s.laneIndex = packDotAVX2, dotAVX2, dotWindowAVX2, true
			s.packRows, s.dotRows = packRowsAVX2, [2]dotRowsFunc{dotRowAVX2, dotRowsAVX2}
		}},
		{"dot", AVX512, func(s *Set) {
			s.packDot, s.dot, s.dotWindow, s.laneIndex = packBytes, dotAVX512, dotWindowAVX512, false
			s.packRows, s.dotRows = packBytes, [2]dotRowsFunc{dotRowAVX512, dotRowsAVX512}
		}},
		{"fewdot", AVX2, func(s *Set) {
			s.packFew, s.fewDot = packBytes, fewDotAVX2
			s.packFewRows, s.fewRows = packFewRowsAVX2, [2]fewRowsFunc{fewRowAVX2, fewRowsAVX2}
		}},
		{"fewdot", AVX512, func(s *Set) { s.fewAsAny() }},
		{"pool", AVX512, func(s *Set) { s.pool = poolAVX512 }},
		{"gate", AVX512, func(s *Set) { s.gate = gateAVX512 }},
		{"convert", AVX512, func(s *Set) {
			s.convert[0][0], s.convert[0][2] = convert16To8AVX512, convert16To32AVX512
			s.convert[1][0], s.convert[1][1] = convert32To8AVX512, convert32To16AVX512
		}},
		{"count", AVX512, func(s *Set) { s.count = countAVX512 }},
	}
}

// intConv installs the kernels of integer convolutions, indexed by the width of the sums, whether these fit it or not.
func (s *Set) intConv(sums [5][2]sumsFunc, le [2]accLEFunc, sum [2]accIntFunc) {
	for acc := range 2 {
		for e := range sums {
			s.sums[e][acc] = [2]sumsFunc{sums[e][acc], sums[e][acc]}
		}
		s.accLE[acc] = [2]accLEFunc{le[acc], le[acc]}
		s.accInt[acc] = [2]accIntFunc{sum[acc], sum[acc]}
	}
}

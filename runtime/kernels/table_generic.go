package kernels

// genericTable lists the kernels in plain Go. They are complete: every other kernel replaces one of these.
func genericTable() []kernel {
	return []kernel{
		{"bit", Generic, func(s *Set) {
			s.bitInsideLE = bitInsideLEGeneric
			for m := range 2 {
				s.packBit[m] = packBitGeneric(m)
				s.bitLE[m] = bitLEGeneric(m)
				s.bitInt[m] = [3]bitIntFunc{bitIntGeneric[int8](m), bitIntGeneric[int16](m), bitIntGeneric[int32](m)}
			}
		}},
		{"bitdot", Generic, func(s *Set) {
			s.bitSpread, s.bitCell, s.bitGrain = spreadBytes, 1, 8
			s.packBitDot, s.bitDot, s.bitTurn = packBitDotGeneric, bitDotGeneric, bitTurnGeneric
		}},
		{"signs", Generic, func(s *Set) { s.signs = [2]signsFunc{signsGeneric(false), signsGeneric(true)} }},
		{"levels", Generic, func(s *Set) { s.levels = levelsGeneric }},
		{"intconv", Generic, func(s *Set) {
			for e := U8; e <= I32; e++ {
				for wide, l := range []*lane{&lane16, &lane32} {
					s.sums[e][wide] = [2]sumsFunc{sumsLanes(l, e.Size(), e != U8), sumsWords(l, e.Size(), e != U8)}
				}
			}
			s.accLE = [2][2]accLEFunc{{accLEWrapping, accLEWords(&lane16)}, {accLEGeneric, accLEWords(&lane32)}}
			s.accInt = [2][2]accIntFunc{{accIntWrapping, accIntWords(&lane16)}, {accIntGeneric, accIntWords(&lane32)}}
		}},
		{"threshold", Generic, func(s *Set) {
			s.threshold = [2]thresholdFunc{thresholdGeneric[int16], thresholdGeneric[int32]}
		}},
		{"convert", Generic, func(s *Set) {
			s.convert = [2][3]convertFunc{
				{convertGeneric[int8, int16], nil, convertGeneric[int32, int16]},
				{convertGeneric[int8, int32], convertGeneric[int16, int32], nil},
			}
		}},
		{"pool", Generic, func(s *Set) { s.pool = poolGeneric }},
		{"gate", Generic, func(s *Set) { s.gate = gateGeneric }},
		{"count", Generic, func(s *Set) { s.count = countGeneric }},
		{"split2", Generic, func(s *Set) { s.split2 = split2Generic }},
		{"vec", Generic, func(s *Set) {
			s.unary, s.hard, s.binary, s.dequantize = unaryGeneric, hardGeneric, binaryGeneric, dequantizeGeneric
			s.largest, s.expSum, s.softmaxColumns = largestGeneric, expSumGeneric, softmaxColumnsGeneric
			s.fromInts, s.affine, s.normalize, s.quantize = fromIntsGeneric, affineGeneric, normalizeGeneric, quantizeGeneric
		}},
		{"turn", Generic, func(s *Set) { s.turn = turnGeneric }},
		{"depth", Generic, func(s *Set) { s.depth = depthGeneric }},
		{"depthpool", Generic, func(s *Set) {
			for _, op := range []Operator{Max, Min, Add} {
				s.depthPool[op] = depthPoolGeneric(op)
			}
		}},
		{"planeconv", Generic, func(s *Set) { s.planeConv = [2]planeConvFunc{planeConvGeneric, planeConvGeneric} }},
		{"interleave", Generic, func(s *Set) { s.interleave = interleaveGeneric }},
		{"dot", Generic, func(s *Set) {
			s.packDot, s.dot, s.dotWindow = packDotGeneric, dotGeneric, dotWindowGeneric
			s.packRows, s.dotRows = packRowsGeneric, [2]dotRowsFunc{dotRowsGeneric, dotRowsGeneric}
		}},
		{"fewdot", Generic, func(s *Set) { s.fewAsAny() }},
	}
}

//go:build amd64 && !purego

package vec

//go:generate go -C ../../internal/asmgen run . train/vec

import "golang.org/x/sys/cpu"

func native() []kernels {
	var list []kernels
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		list = append(list, avx2)
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ {
		list = append(list, avx512)
	}
	return list
}

var avx2 = kernels{
	name: "avx2", lanes: 8,
	fill: fillAVX2, shift: shiftAVX2, add: addAVX2,
	sub: subAVX2, relu: reluAVX2, addScaled: addScaledAVX2,
	scale: scaleAVX2, affine: affineAVX2, stepGreater: stepGreaterAVX2,
	stepGreaterEqual: stepGreaterEqualAVX2, stepNotLessEqual: stepNotLessEqualAVX2, stepNotLess: stepNotLessAVX2,
	scaleShift: scaleShiftAVX2, normalize: normalizeAVX2, plus: plusAVX2,
	minus: minusAVX2, times: timesAVX2, ratio: ratioAVX2, or: orAVX2,
	max: maxAVX2, min: minAVX2, greater: greaterAVX2,
	greaterEqual: greaterEqualAVX2, addTimes: addTimesAVX2, addTimesNot: addTimesNotAVX2,
	addWhere: addWhereAVX2, triangle: triangleAVX2, box: boxAVX2,
	combine: combineAVX2, rows: rowsAVX2, pairMax: pairMaxAVX2, even: evenAVX2, sum: sumAVX2, moments: momentsAVX2,
	dots: dotsAVX2,
}

var avx512 = kernels{
	name: "avx512", lanes: 16,
	fill: fillAVX512, shift: shiftAVX512, add: addAVX512,
	sub: subAVX512, relu: reluAVX512, addScaled: addScaledAVX512,
	scale: scaleAVX512, affine: affineAVX512, stepGreater: stepGreaterAVX512,
	stepGreaterEqual: stepGreaterEqualAVX512, stepNotLessEqual: stepNotLessEqualAVX512, stepNotLess: stepNotLessAVX512,
	scaleShift: scaleShiftAVX512, normalize: normalizeAVX512, plus: plusAVX512,
	minus: minusAVX512, times: timesAVX512, ratio: ratioAVX512, or: orAVX512,
	max: maxAVX512, min: minAVX512, greater: greaterAVX512,
	greaterEqual: greaterEqualAVX512, addTimes: addTimesAVX512, addTimesNot: addTimesNotAVX512,
	addWhere: addWhereAVX512, triangle: triangleAVX512, box: boxAVX512,
	combine: combineAVX512, rows: rowsAVX2, pairMax: pairMaxAVX2, even: evenAVX512, sum: sumAVX512, moments: momentsAVX512,
	dots: dotsAVX512,
}

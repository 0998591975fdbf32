//go:build amd64 && !purego

package kernels

// The assembly handles whole blocks; plain Go what is left of a row or frame.

func countAVX2(n []int32, src []byte) {
	var c [8]int32
	m := len(src) &^ (block - 1)
	countBlocksAVX2(&c, src[:m])
	countRest(n, &c, src[m:])
}

func countAVX512(n []int32, src []byte) {
	var c [8]int32
	m := len(src) &^ (block - 1)
	countBlocksAVX512(&c, src[:m])
	countRest(n, &c, src[m:])
}

func countRest(n []int32, c *[8]int32, rest []byte) {
	countGeneric(c[:], rest)
	for j := range n {
		n[j] += c[j]
	}
}

func split2AVX2(even, odd, src []byte) {
	m := len(src) &^ (block - 1)
	split2BlocksAVX2(even, odd, src[:m])
	split2Generic(even[m/2:], odd[m/2:], src[m:])
}

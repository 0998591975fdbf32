package kernels

import "unsafe"

type integer interface {
	~uint8 | ~int8 | ~int16 | ~int32
}

// viewOf sees bytes as elements of T.
func viewOf[T integer](b []byte) []T {
	var t T
	if n := len(b) / int(unsafe.Sizeof(t)); n > 0 {
		return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
	}
	return nil
}

// accumulate sets acc to init plus the terms of one output at a block of positions and returns the remaining terms.
func accumulate(acc *[block]int32, src []int32, terms []int32, init int32) []int32 {
	n := 2 * int(terms[0])
	terms = terms[1:]
	for i := range acc {
		acc[i] = init
	}
	for j := 0; j < n; j += 2 {
		x, sign := (*[block]int32)(src[terms[j]:]), terms[j+1]
		for i := range acc {
			acc[i] += x[i] ^ sign
		}
	}
	return terms[n:]
}

func accLEGeneric(dst, src, mask []byte, terms []int32, init, t *[8]int32, flip uint8) {
	x := viewOf[int32](src)
	var acc [block]int32
	for p := 0; p < len(mask); p += block {
		rest := terms
		to := (*[block]byte)(dst[p:])
		*to = [block]byte{}
		for o := range 8 {
			rest = accumulate(&acc, x[p:], rest, init[o])
			for i, v := range acc {
				if v >= t[o] {
					to[i] |= 1 << o
				}
			}
		}
		for i, m := range mask[p : p+block] {
			to[i] = (to[i] ^ flip) & m
		}
	}
}

func accIntGeneric(dst []byte, stride, outs int, src, mask []byte, terms []int32, init *[8]int32) {
	x := viewOf[int32](src)
	var acc [block]int32
	for p := 0; p < len(mask); p += block {
		rest := terms
		for o := range outs {
			rest = accumulate(&acc, x[p:], rest, init[o])
			to := viewOf[int32](dst[o*stride:])[p : p+block]
			for i, m := range mask[p : p+block] {
				to[i] = acc[i] & int32(int8(m))
			}
		}
	}
}

func thresholdGeneric[D int16 | int32](dst, src, mask []byte, offs *[8]int32, t *[8]int32, flip uint8) {
	x := viewOf[D](src)
	clear(dst[:len(mask)])
	for o := range 8 {
		for i, v := range x[offs[o]:][:len(mask)] {
			if int32(v) >= t[o] {
				dst[i] |= 1 << o
			}
		}
	}
	for i, m := range mask {
		dst[i] = (dst[i] ^ flip) & m
	}
}

func convertGeneric[D int8 | int16 | int32, S int16 | int32](dst, src, mask []byte, add int32) {
	d, s := viewOf[D](dst)[:len(mask)], viewOf[S](src)[:len(mask)]
	for i, m := range mask {
		d[i] = D((int32(s[i]) + add) & int32(int8(m)))
	}
}

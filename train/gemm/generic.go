package gemm

import (
	"slices"
	"unsafe"
)

// view is the slice of n elements that starts at p; the callers in gemm.go have
// checked that they exist.
func view(p *float32, n int) []float32 { return unsafe.Slice(p, n) }

func tileGeneric(k int, w, x *float32, off *int, at *[tileCols / octet]int, y *float32, ystride int, add bool) {
	offs := unsafe.Slice(off, k)
	ws, ys := view(w, k*PanelRows), view(y, (PanelRows-1)*ystride+tileCols)
	xs := view(x, slices.Max(offs)+slices.Max(at[:])+octet)
	var acc [PanelRows][tileCols]float32
	for i, o := range offs {
		weights := (*[PanelRows]float32)(ws[i*PanelRows:])
		var row [tileCols]float32
		for j, p := range at {
			copy(row[j*octet:(j+1)*octet], xs[o+p:])
		}
		for r := range acc {
			v, a := weights[r], &acc[r]
			for j := range a {
				a[j] += float32(v * row[j])
			}
		}
	}
	for r := range acc {
		row := ys[r*ystride:][:tileCols]
		if !add {
			clear(row)
		}
		for j, v := range acc[r] {
			row[j] += v
		}
	}
}

// dotAtGeneric gathers the octets and takes their dot products.
func dotAtGeneric(n int, y *float32, yoff *[dotRows]int, x *float32, xoff *[dotCols]int, at *int, out *[dotRows * dotCols]float32) {
	places := unsafe.Slice(at, n/octet)
	xs := view(x, slices.Max(xoff[:])+slices.Max(places)+octet)
	rows := make([]float32, dotCols*n)
	var off [dotCols]int
	for k, o := range xoff {
		off[k] = k * n
		for i, p := range places {
			copy(rows[k*n+i*octet:][:octet], xs[o+p:])
		}
	}
	dotGeneric(n, y, yoff, &rows[0], &off, out)
}

func dotGeneric(n int, y *float32, yoff *[dotRows]int, x *float32, xoff *[dotCols]int, out *[dotRows * dotCols]float32) {
	at := func(p *float32, o int) []float32 {
		return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(p), 4*o)), n)
	}
	for i, yo := range yoff {
		ys := at(y, yo)
		for k, xo := range xoff {
			xs := at(x, xo)
			var a, b, c, d float32
			for p := 0; p+3 < n; p += 4 {
				a += float32(ys[p] * xs[p])
				b += float32(ys[p+1] * xs[p+1])
				c += float32(ys[p+2] * xs[p+2])
				d += float32(ys[p+3] * xs[p+3])
			}
			out[i*dotCols+k] = (a + c) + (b + d)
		}
	}
}

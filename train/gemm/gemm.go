package gemm

import "slices"

// The shape of a tile: rows that one weight panel serves, and columns.
const (
	PanelRows = 8
	tileCols  = 48
	octet     = 8 // columns that lie next to each other
	dotRows   = 4
	dotCols   = 6
	lanes     = 16 // positions that dot takes at once
)

// Slack is the number of elements that a buffer of right operands should have
// beyond the last one named, so that no tile at its end takes the slow path.
const Slack = 64

// kernels is one implementation of the kernels. Offsets are in elements.
type kernels struct {
	name string
	tile func(k int, w, x *float32, off *int, at *[tileCols / octet]int, y *float32, ystride int, add bool)
	dot  func(n int, y *float32, yoff *[dotRows]int, x *float32, xoff *[dotCols]int, out *[dotRows * dotCols]float32)
	// dotAt is dot with x at place at[p/8] + p%8 instead of p.
	dotAt func(n int, y *float32, yoff *[dotRows]int, x *float32, xoff *[dotCols]int, at *int, out *[dotRows * dotCols]float32)
}

// implementations are the kernels that this machine can run, the fastest last.
var implementations = append([]kernels{{"generic", tileGeneric, dotGeneric, dotAtGeneric}}, native()...)

var active = implementations[len(implementations)-1]

// PanelLen is the length of the packed form of rows x k weights.
func PanelLen(rows, k int) int { return (rows + PanelRows - 1) / PanelRows * PanelRows * k }

// Pack lays out the matrix w, with element (i, k) at w[i*rs+k*cs], in panels of
// 8 rows: element (i, k) goes to dst[(i/8*cols+k)*8 + i%8]. Rows beyond the last
// are zero.
func Pack(dst, w []float32, rows, cols, rs, cs int) {
	for first := 0; first < rows; first += PanelRows {
		panel := dst[first*cols:]
		n := min(PanelRows, rows-first)
		for k := range cols {
			row := panel[k*PanelRows : (k+1)*PanelRows]
			at := first*rs + k*cs
			for i := range n {
				row[i] = w[at]
				at += rs
			}
			clear(row[n:])
		}
	}
}

// Mul sets y[i*ystride+j] = sum over k of w(i,k) * x[off[k]+j] for i < rows and
// j < cols, with w packed by Pack and len(off) its columns. The sum starts at 0
// and runs in the order of k.
func Mul(y []float32, ystride int, w []float32, rows int, x []float32, off []int, cols int) {
	if rows == 0 || cols == 0 {
		return
	}
	if len(off) == 0 {
		for i := range rows {
			clear(y[i*ystride : i*ystride+cols])
		}
		return
	}
	_ = y[(rows-1)*ystride+cols-1]
	far := slices.Max(off)
	_ = x[slices.Min(off) : far+cols]
	_ = w[PanelLen(rows, len(off))-1]
	x = x[:cap(x)]
	var edge [PanelRows * tileCols]float32
	for j := 0; j < cols; j += tileCols {
		n := min(tileCols, cols-j)
		safe := far+j+tileCols <= len(x)
		for first := 0; first < rows; first += PanelRows {
			panel := w[first*len(off):]
			m := min(PanelRows, rows-first)
			dst := y[first*ystride+j:]
			switch {
			case !safe:
				tileEdge(panel, x[j:], off, dst, ystride, m, n)
			case m == PanelRows && n == tileCols:
				active.tile(len(off), &panel[0], &x[j], &off[0], &inOrder, &dst[0], ystride, false)
			default:
				active.tile(len(off), &panel[0], &x[j], &off[0], &inOrder, &edge[0], tileCols, false)
				for i := range m {
					copy(dst[i*ystride:i*ystride+n], edge[i*tileCols:])
				}
			}
		}
	}
}

// inOrder are the places of octets without gaps.
var inOrder = [tileCols / octet]int{0, 8, 16, 24, 32, 40}

// MulAt sets y[i*ystride+8*o+j], or adds to it, the sum over k of
// w(i,k) * x[off[k]+at[o]+j], for i < rows, o < len(at) and j < 8, with w packed
// by Pack and len(off) its columns. It is Mul for columns that come in octets with
// gaps between them: rows of a padded map.
func MulAt(y []float32, ystride int, w []float32, rows int, x []float32, off, at []int, add bool) {
	if rows == 0 || len(at) == 0 || len(off) == 0 {
		panic("gemm: a product without elements")
	}
	_ = y[(rows-1)*ystride+len(at)*octet-1]
	_ = x[slices.Min(off)+slices.Min(at) : slices.Max(off)+slices.Max(at)+octet]
	_ = w[PanelLen(rows, len(off))-1]
	var edge [PanelRows * tileCols]float32
	var places [tileCols / octet]int // an octet too many repeats the first one
	for o := 0; o < len(at); o += tileCols / octet {
		n := min(tileCols/octet, len(at)-o)
		for i := range places {
			places[i] = at[o]
		}
		copy(places[:], at[o:o+n])
		for first := 0; first < rows; first += PanelRows {
			panel := w[first*len(off):]
			m := min(PanelRows, rows-first)
			dst := y[first*ystride+o*octet:]
			if m == PanelRows && n == len(places) {
				active.tile(len(off), &panel[0], &x[0], &off[0], &places, &dst[0], ystride, add)
				continue
			}
			active.tile(len(off), &panel[0], &x[0], &off[0], &places, &edge[0], tileCols, false)
			for i := range m {
				row := dst[i*ystride : i*ystride+n*octet]
				for j, v := range edge[i*tileCols:][:len(row)] {
					if add {
						v += row[j]
					}
					row[j] = v
				}
			}
		}
	}
}

// tileEdge computes m x n elements of a tile without reading beyond them.
func tileEdge(w, x []float32, off []int, y []float32, ystride, m, n int) {
	for i := range m {
		row := y[i*ystride : i*ystride+n]
		clear(row)
		for k, o := range off {
			v := w[k*PanelRows+i]
			for j, xv := range x[o : o+n] {
				row[j] += float32(v * xv)
			}
		}
	}
}

// Dot adds to dst[i*rs+k*cs] the sum over p < n of y[i*ystride+p] * x[off[k]+p],
// for i < rows and k < len(off).
func Dot(dst []float32, rs, cs int, y []float32, ystride, rows int, x []float32, off []int, n int) {
	if rows == 0 || len(off) == 0 || n == 0 {
		return
	}
	_ = y[(rows-1)*ystride+n-1]
	x = x[:slices.Max(off)+n]
	_ = x[slices.Min(off):]
	dots(dst, rs, cs, y, ystride, rows, x, off, nil, n)
}

// DotAt adds to dst[i*rs+k*cs] the sum over octets o and j < 8 of
// y[i*ystride+8*o+j] * x[off[k]+at[o]+j], for i < rows, k < len(off) and
// o < len(at). It is Dot for positions that come in octets with gaps between
// them in x.
func DotAt(dst []float32, rs, cs int, y []float32, ystride, rows int, x []float32, off, at []int) {
	if rows == 0 || len(off) == 0 || len(at) == 0 {
		return
	}
	n := octet * len(at)
	_ = y[(rows-1)*ystride+n-1]
	_ = x[slices.Min(off)+slices.Min(at) : slices.Max(off)+slices.Max(at)+octet]
	dots(dst, rs, cs, y, ystride, rows, x, off, at, n)
}

// dots is Dot, or DotAt with places.
func dots(dst []float32, rs, cs int, y []float32, ystride, rows int, x []float32, off, at []int, n int) {
	whole := n / lanes * lanes
	var yoff [dotRows]int
	var xoff [dotCols]int
	var sums [dotRows * dotCols]float32
	for first := 0; first < rows; first += dotRows {
		m := min(dotRows, rows-first)
		for i := range yoff { // a row or column too many repeats the first one
			yoff[i] = first * ystride
			if i < m {
				yoff[i] += i * ystride
			}
		}
		for k := 0; k < len(off); k += dotCols {
			c := min(dotCols, len(off)-k)
			for i := range xoff {
				xoff[i] = off[k]
				if i < c {
					xoff[i] = off[k+i]
				}
			}
			switch {
			case whole == 0:
				sums = [dotRows * dotCols]float32{}
			case at != nil:
				active.dotAt(whole, &y[0], &yoff, &x[0], &xoff, &at[0], &sums)
			default:
				active.dot(whole, &y[0], &yoff, &x[0], &xoff, &sums)
			}
			for i := range m {
				for j := range c {
					s := sums[i*dotCols+j]
					for p := whole; p < n; p++ {
						q := p
						if at != nil {
							q = at[p/octet] + p%octet
						}
						s += float32(y[yoff[i]+p] * x[xoff[j]+q])
					}
					dst[(first+i)*rs+(k+j)*cs] += s
				}
			}
		}
	}
}

package kernels

// rows plans the way of few positions: a row is all inputs of a position.
func (d *Dot) rows(w [][]int8) {
	d.way = dotRows
	d.k = roundUp(d.inC*product3(d.s.Kernel), 4)
	d.blocks = ceilDiv(d.outC, dotLanes)
	k := d.inC * product3(d.s.Kernel)
	var lists [][]int8
	for g := range d.s.Groups {
		for b := range d.blocks {
			out := make([]int8, len(w)*d.k*dotLanes)
			for l, list := range w {
				for o := range min(dotLanes, d.outC-b*dotLanes) {
					row := list[(g*d.outC+b*dotLanes+o)*k:][:k]
					for i, v := range row {
						out[((l*d.k/4+i/4)*dotLanes+o)*4+i%4] = v
					}
				}
			}
			lists = append(lists, out)
		}
	}
	d.pack(lists, dotLanes, d.set.packRows, d.set.packFewRows)
	if len(w) > 1 {
		d.k *= 2 // the row is there twice
	}
	d.images, d.places = d.s.Batch, product3(d.s.Result)
	if d.s.Groups == 1 && d.places == 1 {
		d.images, d.places = 1, d.s.Batch // a matrix product
	}
	s := &d.s
	for ot := range s.Result[0] {
		for oh := range s.Result[1] {
			for ow := range s.Result[2] {
				for range w {
					d.rowAt = d.appendTaps(d.rowAt, ot, oh, ow)
				}
			}
		}
	}
}

// appendTaps appends, for every byte of the row of a position, its place in a group's channels, or -1 in the padding.
func (d *Dot) appendTaps(list []int32, ot, oh, ow int) []int32 {
	s := &d.s
	n := 0
	for c := range d.inC {
		for kt := range s.Kernel[0] {
			for kh := range s.Kernel[1] {
				for kw := range s.Kernel[2] {
					t := ot*s.Stride[0] + kt*s.Dil[0] - s.Pad[0]
					h := oh*s.Stride[1] + kh*s.Dil[1] - s.Pad[1]
					x := ow*s.Stride[2] + kw*s.Dil[2] - s.Pad[2]
					at := int32(-1)
					if t >= 0 && t < s.Size[0] && h >= 0 && h < s.Size[1] && x >= 0 && x < s.Size[2] {
						at = int32(((c*s.Size[0]+t)*s.Size[1]+h)*s.Size[2] + x)
					}
					list = append(list, at)
					n++
				}
			}
		}
	}
	for ; n%4 != 0; n++ {
		list = append(list, -1)
	}
	return list
}

// gather writes a part of the rows.
func (d *Dot) gather(part, parts int, src, scratch []byte) {
	positions, size := product3(d.s.Result), d.inC*product3(d.s.Size)
	lo, hi := share(d.s.Batch*d.s.Groups*positions, part, parts)
	for u := lo; u < hi; u++ {
		x, row := src[u/positions*size:][:size], scratch[u*d.k:][:d.k]
		for i, at := range d.rowAt[u%positions*d.k:][:d.k] {
			v := d.zero
			if at >= 0 {
				v = x[at] ^ d.flip
			}
			row[i] = v
		}
	}
}

// row computes 64 outputs at up to four places.
func (d *Dot) row(r *DotBlock, u, b int, scratch, mine []byte) {
	block, n := u%d.blocks, u/d.blocks
	g := n % d.s.Groups
	o := block * dotLanes
	channel := g*d.outC + o
	acc := view32(mine)
	r.Rows, r.Along = min(4, d.places-4*b), true
	x := scratch[(n*d.places+4*b)*d.k:][:r.Rows*d.k]
	for i := range r.Rows {
		copy(acc[i*dotLanes:(i+1)*dotLanes], d.init[channel:])
	}
	w := d.w[g*d.blocks+block]
	if r.Rows == 4 {
		d.multiply(1, acc[:4*dotLanes], x, w)
	} else {
		for i := range r.Rows {
			d.multiply(0, acc[i*dotLanes:(i+1)*dotLanes], x[i*d.k:(i+1)*d.k], w)
		}
	}
	for i := range r.Rows {
		place := 4*b + i
		r.Z[i], r.Channel[i] = acc[i*dotLanes:][:min(dotLanes, d.outC-o)], channel
		r.At[i], r.Step = (n/d.s.Groups*d.s.Out+channel)*d.places+place, d.places
		if d.images < d.s.Batch {
			r.At[i], r.Step = place*d.s.Out+channel, 1
		}
	}
}

// multiply adds 64 outputs of one row, or of four.
func (d *Dot) multiply(rows int, acc []int32, x, w []byte) {
	if d.few > 0 {
		d.set.fewRows[rows](acc, x, w, d.few)
	} else {
		d.set.dotRows[rows](acc, x, w)
	}
}

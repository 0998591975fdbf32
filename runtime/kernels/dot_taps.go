package kernels

// windows plans the way of one input channel a group: a term is up to four taps of a row.
func (d *Dot) windows(w [][]int8) {
	d.way = dotWindows
	s := &d.s
	for a := range 3 {
		d.axes[a].size = (s.Result[a]-1)*s.Stride[a] + (s.Kernel[a]-1)*s.Dil[a] + 1
	}
	pitch := d.axes[2].size
	d.frame = d.axes[1].size * pitch
	d.plane = d.axes[0].size * d.frame
	for p := range 16 {
		for i := range 4 {
			at := p*s.Stride[2] + i*s.Dil[2]
			if d.set.laneIndex { // an index inside a lane of four positions
				at = p%4*s.Stride[2] + i*s.Dil[2]
			}
			d.index[4*p+i] = byte(at)
		}
	}
	quads := ceilDiv(s.Kernel[2], 4)
	for range w {
		for kt := range s.Kernel[0] {
			for kh := range s.Kernel[1] {
				for q := range quads {
					d.offs = append(d.offs, int32(kt*s.Dil[0]*d.frame+kh*s.Dil[1]*pitch+4*q*s.Dil[2]))
				}
			}
		}
	}
	for o := range s.Out {
		var terms []int8
		for _, list := range w {
			rows := s.Kernel[0] * s.Kernel[1]
			for r := range rows {
				row := make([]int8, 4*quads)
				copy(row, list[(o*rows+r)*s.Kernel[2]:][:s.Kernel[2]])
				terms = append(terms, row...)
			}
		}
		d.w = append(d.w, d.set.packDot(terms))
	}
	d.chunk = 1
	if positions := product3(s.Result); positions <= fewPlaces {
		d.chunk = min(s.Out, dotTile/positions)
	}
}

// window computes a run of output channels, one after the other.
func (d *Dot) window(r *DotBlock, u int, src, mine []byte) {
	s := &d.s
	positions, runs := product3(s.Result), ceilDiv(s.Out, d.chunk)
	n, first := u/runs, u%runs*d.chunk
	count := min(d.chunk, s.Out-first)
	acc := view32(mine[roundUp(d.plane+dotSlack, 64):])
	for i := range count {
		if i == 0 { // no channel writes to the padding
			d.fill(mine[:d.plane])
		}
		d.channel(acc[i*positions:], n, first+i, src, mine[:d.plane+dotSlack])
	}
	r.Rows, r.Along, r.Step = 1, false, 1
	r.Z[0], r.Channel[0], r.At[0] = acc[:count*positions], first, (n*s.Out+first)*positions
}

// channel computes output channel o of image n.
func (d *Dot) channel(acc []int32, n, o int, src, padded []byte) {
	s := &d.s
	size := product3(s.Size)
	d.place(padded, src[(n*s.Groups+o/d.outC)*size:][:size])
	pitch, width := d.axes[2].size, s.Result[2]
	at := 0
	for t := range s.Result[0] {
		frame := padded[t*s.Stride[0]*d.frame:]
		if rows := max(1, dotTile/pitch); s.Stride[1] == 1 && s.Stride[2] == 1 {
			for h := 0; h < s.Result[1]; h += rows {
				count := (min(rows, s.Result[1]-h)-1)*pitch + width
				z := acc[at:][:roundUp(count, 16)]
				d.set.dotWindow(z, frame[h*pitch:], d.offs, d.w[o], &d.index, 1, d.init[o])
				at += len(dropHalo(z, z[:count], 0, pitch, width))
			}
			continue
		}
		for h := range s.Result[1] { // what is beyond a row is overwritten by the next
			d.set.dotWindow(acc[at:][:roundUp(width, 16)], frame[h*s.Stride[1]*pitch:], d.offs, d.w[o], &d.index, s.Stride[2], d.init[o])
			at += width
		}
	}
}

// place copies a map between its padding, which is there already.
func (d *Dot) place(dst, x []byte) {
	s := &d.s
	lo := min(s.Pad[2], d.axes[2].size)
	n := min(s.Size[2], d.axes[2].size-lo)
	t0, t1 := d.covered(0)
	h0, h1 := d.covered(1)
	for t := t0; t < t1; t++ {
		for h := h0; h < h1; h++ {
			row := dst[t*d.frame+h*d.axes[2].size+lo:][:n]
			copy(row, x[((t-s.Pad[0])*s.Size[1]+h-s.Pad[1])*s.Size[2]:])
			if d.flip != 0 {
				for i := range row {
					row[i] ^= d.flip
				}
			}
		}
	}
}

// covered is the part of an axis of a padded map that is inside the map.
func (d *Dot) covered(a int) (lo, hi int) {
	lo = min(d.s.Pad[a], d.axes[a].size)
	return lo, min(d.s.Pad[a]+d.s.Size[a], d.axes[a].size)
}

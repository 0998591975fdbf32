package data

// canvas is one frame: three planes of h rows of w bytes.
type canvas struct {
	plane [3][]uint8
	h, w  int
}

// colour is red, green, blue in 0..255.
type colour [3]int64

// luma is the brightness of a colour, 0..255.
func (c colour) luma() int64 { return (77*c[0] + 150*c[1] + 29*c[2]) >> 8 }

// scaled returns the colour with its brightness times f/4096, saturated.
func (c colour) scaled(f int64) colour {
	for k := range c {
		c[k] = min(max(c[k]*f>>12, 0), 255)
	}
	return c
}

// blend is the colour p/4096 of the way to another.
func (c colour) blend(to colour, p int64) colour {
	for k := range c {
		c[k] = lerp(c[k], to[k], p)
	}
	return c
}

// shading of a solid, in 1/256 of the colour's brightness: full minus rim at the outline, plus the light's direction,
// a vector whose length is the difference between the lit and the dark side.
type shading struct {
	full, rim int64
	light     vec
}

// capsule paints the points nearer than r to the line from a to b as a round solid. With d the distance to the line, n
// the vector from the line and q = n/r the normal's part in the picture,
//
//	coverage = clamp(1/2 + (r^2 - d^2) / 2r)            in pixels: the edge is one pixel wide
//	shade    = full - rim d^2/r^2 + light . q
func (c *canvas) capsule(a, b vec, r int64, col colour, sh shading) {
	r = max(r, pixel/2)
	const half = pixel / 2
	x0 := max((min(a.x, b.x)-r-half)>>8, 0)
	x1 := min((max(a.x, b.x)+r+half)>>8, int64(c.w)-1)
	y0 := max((min(a.y, b.y)-r-half)>>8, 0)
	y1 := min((max(a.y, b.y)+r+half)>>8, int64(c.h)-1)
	if x0 > x1 || y0 > y1 {
		return
	}
	d := b.sub(a)
	length2 := max(d.x*d.x+d.y*d.y, 1)
	r2 := r * r
	outer, inner := (r+half)*(r+half), (r-half)*(r-half)
	// Reciprocals, so that no pixel divides. Lengths stay below 2^22, so all products below 2^63.
	overLength2 := (int64(1) << 44) / length2
	over2r := (int64(1) << 24) / (2 * r)
	overR := (int64(1) << 24) / r
	overR2 := (int64(1) << 44) / r2
	for y := y0; y <= y1; y++ {
		py := y<<8 + half - a.y
		px := x0<<8 + half - a.x
		row0 := c.plane[0][int(y)*c.w:][:c.w]
		row1 := c.plane[1][int(y)*c.w:][:c.w]
		row2 := c.plane[2][int(y)*c.w:][:c.w]
		dot := px*d.x + py*d.y
		for x := x0; x <= x1; x, px, dot = x+1, px+pixel, dot+d.x<<8 {
			t := min(max(dot, 0), length2)
			f := (t >> 10) * overLength2 >> 22 // t / length2 in 1/4096
			qx, qy := px-d.x*f>>12, py-d.y*f>>12
			d2 := qx*qx + qy*qy
			if d2 >= outer {
				continue
			}
			s := sh.full - sh.rim*((d2>>8)*overR2>>28)>>8 + (qx*sh.light.x+qy*sh.light.y)*overR>>24
			s = max(s, 0)
			v0, v1, v2 := min(col[0]*s>>8, 255), min(col[1]*s>>8, 255), min(col[2]*s>>8, 255)
			if d2 > inner {
				cov := min(max(half+(r2-d2)*over2r>>24, 0), 256)
				o0, o1, o2 := int64(row0[x]), int64(row1[x]), int64(row2[x])
				v0, v1, v2 = o0+(v0-o0)*cov>>8, o1+(v1-o1)*cov>>8, o2+(v2-o2)*cov>>8
			}
			row0[x], row1[x], row2[x] = uint8(v0), uint8(v1), uint8(v2)
		}
	}
}

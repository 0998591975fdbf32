package data

// Fixed-point numbers of the generator, all in int64:
//
//	positions, lengths   1/256 pixel
//	angles               1/65536 turn, growing clockwise on the screen (y points down)
//	progress, fractions  1/4096
//	sine, cosine         1/16384
const (
	pixel = 256
	turn  = 1 << 16
	one   = 1 << 12
	unit  = 1 << 14
)

// degrees converts whole degrees to an angle.
func degrees(d int64) int64 { return d * turn / 360 }

// sin is odd and exact at quarter turns; elsewhere within 2^-12. Between them it is the polynomial
//
//	sin(pi/2 x) = x (a - x^2 (b - x^2 c)),  x in [0,1],  a - b + c = 1
func sin(angle int64) int64 {
	const a, b, c = 25734, 10543, 1193
	x := angle & (turn/4 - 1)
	quarter := angle >> 14 & 3
	if quarter&1 == 1 {
		x = unit - x
	}
	xx := x * x >> 14
	y := x * (a - xx*(b-xx*c>>14)>>14) >> 14
	if quarter&2 == 2 {
		return -y
	}
	return y
}

func cos(angle int64) int64 { return sin(angle + turn/4) }

// smooth is the smoothstep 3p^2 - 2p^3 of a fraction, clamped to [0, one].
func smooth(p int64) int64 {
	p = min(max(p, 0), one)
	return p * p >> 12 * (3*one - 2*p) >> 12
}

// lerp goes from a at p = 0 to b at p = one.
func lerp(a, b, p int64) int64 { return a + (b-a)*p>>12 }

// vec is a point or a direction.
type vec struct{ x, y int64 }

func (a vec) add(b vec) vec { return vec{a.x + b.x, a.y + b.y} }
func (a vec) sub(b vec) vec { return vec{a.x - b.x, a.y - b.y} }

// scale multiplies by f/4096.
func (a vec) scale(f int64) vec { return vec{a.x * f >> 12, a.y * f >> 12} }

// polar is the vector of a length at an angle.
func polar(angle, length int64) vec {
	return vec{cos(angle) * length >> 14, sin(angle) * length >> 14}
}

// turned rotates by an angle.
func (a vec) turned(by int64) vec {
	c, s := cos(by), sin(by)
	return vec{(a.x*c - a.y*s) >> 14, (a.x*s + a.y*c) >> 14}
}

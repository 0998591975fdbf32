package data

import "math"

// The gestures, in the order of gestureNames; a generator of N classes has the first N. Directions are as seen on the
// screen.
const (
	swipeLeft = iota
	swipeRight
	swipeUp
	swipeDown
	zoomIn   // two hands open and move apart
	zoomOut  // two hands close and come together
	turnCW   // the hand turns in place
	turnCCW  //
	pushAway // towards the camera: the hand grows
	pullIn   // away from the camera: the hand shrinks
	shake    // to and fro, twice or more
	other    // any movement that comes back to where it began, once; also none, and circles, where they have no class
	stop     // held still
	rollCW   // round a circle
	rollCCW  //
)

// gestureNames are Jester's names. Where Jester moves in depth, these move on the screen: rolling forward is clockwise.
var gestureNames = []string{
	"Swiping Left", "Swiping Right", "Swiping Up", "Swiping Down",
	"Zooming In With Full Hand", "Zooming Out With Full Hand",
	"Turning Hand Clockwise", "Turning Hand Counterclockwise",
	"Pushing Hand Away", "Pulling Hand In",
	"Shaking Hand", "Doing other things",
	"Stop Sign", "Rolling Hand Forward", "Rolling Hand Backward",
}

// quantity is what a gesture moves. The first four are ranges that every clip has, moved or not.
type quantity int

const (
	path   quantity = iota // along a line
	spread                 // of the fingers
	angle
	radius
	ranges
	swing = iota // to and fro about the place
	circle
	nothing
)

// span is a range with a direction.
type span struct{ from, to int64 }

func (s span) at(p int64) int64 { return lerp(s.from, s.to, p) }

func (s span) reversed() span { return span{s.to, s.from} }

func (s span) rising(yes bool) span {
	if (s.from < s.to) != yes {
		return s.reversed()
	}
	return s
}

// wave is a slow sine over the clip.
type wave struct{ amplitude, frequency, phase int64 }

func (w wave) at(t int64) int64 { return w.amplitude * sin(w.phase+w.frequency*t>>12) >> 14 }

// motion is what the hands of a clip do. Every clip draws a line to move along, a range of spreads, one of angles and
// one of sizes. Its gesture moves one of them, or swings, or circles; what it does not move stands still somewhere in
// its range, most often at an end. So a hand at the left edge, or closed, or small, says little about the gesture.
type motion struct {
	moves      quantity
	back       bool  // there and back again
	start, end int64 // of the gesture, in a clip from 0 to one
	direction  int64 // of the line
	span       [ranges]span
	rest       [ranges]int64 // the place in the span, 0..one, of what stands still
	arm        vec           // amplitude of a swing, radius of a circle
	turns      int64         // how often it swings or circles, in angle; circles are clockwise when positive
	wobble     [4]wave       // of x, y, spread and angle: no hand is quite still
}

// pose is a hand at one moment.
type pose struct {
	at     vec   // relative to its place
	spread int64 // of the fingers, 0 (a fist) .. one
	angle  int64 // from the wrist to the fingers
	radius int64 // of the palm
	apart  int64 // of two hands, 1 as drawn: open ones are further apart than closed ones
}

// newMotion draws the motion of a gesture among the first n. u is the side of the picture in 1/256 pixel; the number of
// frames bounds how fast a hand can shake.
func newMotion(r *rng, gesture, n int, u int64, frames int) motion {
	var m motion
	m.direction = r.n(4) * turn / 4
	half := r.in(u*24/100, u*36/100)
	m.span[path] = span{-half, half}
	low := r.in(0, one*8/100)
	m.span[spread] = span{low, low + r.in(one*82/100, one*92/100)}
	a := r.n(turn)
	m.span[angle] = span{a, a + r.in(degrees(110), degrees(170))}
	small := r.in(u*115/1000, u*145/1000)
	m.span[radius] = span{small, small * r.in(195, 225) / 100}
	for q := range ranges {
		m.span[q] = m.span[q].rising(r.percent(50))
		// Where it stands: at the one end, at the other, in between.
		m.rest[q] = [5]int64{0, 0, one, one, r.n(one)}[r.n(5)]
	}
	m.arm = polar(r.n(turn), r.in(u*8/100, u*14/100))
	for i, amplitude := range []int64{u / 60, u / 60, one / 24, degrees(5)} {
		m.wobble[i] = wave{r.n(amplitude + 1), r.in(turn/2, turn*3/2), r.n(turn)}
	}
	duration := r.in(one*55/100, one*90/100)
	tilt := r.in(-degrees(14), degrees(14))

	switch gesture {
	case swipeLeft, swipeRight, swipeUp, swipeDown:
		m.moves = path
		m.direction = [...]int64{turn / 2, 0, turn * 3 / 4, turn / 4}[gesture]
		m.span[path] = m.span[path].rising(true)
	case zoomIn, zoomOut:
		m.moves = spread
		m.span[spread] = m.span[spread].rising(gesture == zoomIn)
	case turnCW, turnCCW:
		m.moves = angle
		m.span[angle] = m.span[angle].rising(gesture == turnCW)
	case pushAway, pullIn:
		m.moves = radius
		m.span[radius] = m.span[radius].rising(gesture == pushAway)
	case shake:
		m.moves = swing
		duration = r.in(one*75/100, one*95/100)
		// Three swings, but never fewer than four frames a swing.
		m.turns = turn * min(3, max(int64(frames)*duration/one/4, 2))
	case other:
		kinds := []quantity{path, path, [...]quantity{spread, angle, radius}[r.n(3)]}
		if n <= stop {
			kinds = append(kinds, nothing, nothing, nothing)
		}
		if n <= rollCW {
			kinds = append(kinds, circle)
		}
		m.moves, m.back = kinds[r.n(int64(len(kinds)))], true
		m.turns = r.in(turn, turn*3/2)
		if r.percent(50) {
			m.turns = -m.turns
		}
		duration = r.in(one*65/100, one*95/100)
	case stop:
		m.moves = nothing
	case rollCW, rollCCW:
		m.moves = circle
		m.turns = r.in(turn*5/4, turn*2)
		if gesture == rollCCW {
			m.turns = -m.turns
		}
		duration = r.in(one*75/100, one*95/100)
	}
	m.direction += tilt
	m.start = r.in(one*2/100, one*98/100-duration)
	m.end = m.start + duration
	return m
}

// at returns the hand at time t, 0..one over the clip.
func (m *motion) at(t int64) pose {
	linear := min(max((t-m.start)*one/(m.end-m.start), 0), one)
	p := smooth(linear)
	var v [ranges]int64
	for q := range ranges {
		switch {
		case q != m.moves:
			v[q] = m.span[q].at(m.rest[q])
		case m.back:
			v[q] = m.span[q].at(smooth(one - max(2*linear-one, one-2*linear)))
		default:
			v[q] = m.span[q].at(p)
		}
	}
	at := polar(m.direction, v[path])
	switch m.moves {
	case swing:
		at = at.add(m.arm.scale(sin(m.turns*linear>>12) >> 2))
	case circle:
		at = at.add(m.arm.turned(m.turns * p >> 12))
	}
	open := min(max(v[spread]+m.wobble[2].at(t), 0), one)
	return pose{
		at:     at.add(vec{m.wobble[0].at(t), m.wobble[1].at(t)}),
		spread: open,
		angle:  v[angle] + m.wobble[3].at(t),
		radius: v[radius],
		apart:  lerp(one*50/100, one*170/100, open),
	}
}

// inside moves a place such that the middle of a hand that is apart from it stays within a picture of a size, less a
// margin, if it can.
func (m *motion) inside(at, apart, size vec, margin int64) vec {
	low, high := vec{math.MaxInt64, math.MaxInt64}, vec{math.MinInt64, math.MinInt64}
	for i := range int64(9) {
		p := m.at(i * one / 8)
		q := at.add(apart.scale(p.apart)).add(p.at)
		low = vec{min(low.x, q.x), min(low.y, q.y)}
		high = vec{max(high.x, q.x), max(high.y, q.y)}
	}
	shift := func(low, high, end int64) int64 {
		below, above := margin-low, high-(end-margin)
		if below > 0 && above > 0 {
			return (below - above) / 2
		}
		return max(below, 0) - max(above, 0)
	}
	return at.add(vec{shift(low.x, high.x, size.x), shift(low.y, high.y, size.y)})
}

package data

// scene is everything a clip shows, drawn once per clip from its random numbers: the hands and how they move, and all
// that makes them hard to see.
type scene struct {
	size  Size
	label int

	motion motion
	hands  []hand
	light  vec // direction of the light on solids

	texture    texture
	drift      vec    // of the background, per frame
	jitter     int64  // amplitude of the camera's shake
	brightness span   // over the clip, in 1/4096
	flicker    int64  // amplitude, 1/4096
	behind     []lump // a head and shoulders, balls
	before     []lump // a bar in front of the hands
	noise      int64  // amplitude of the sensor's noise, 0..255
	seed       uint64 // of what is drawn anew for each frame
}

// hand is one hand of the clip.
type hand struct {
	at     vec   // where it would be without the other hand
	apart  vec   // from there
	angle  int64 // added to the motion's
	left   int64 // +1 or -1: the side of the thumb
	still  bool  // it does not take part
	skin   colour
	sleeve colour
	arm    int64 // length of the bare arm, in 1/256 of the palm's radius
}

// lump is a capsule that drifts.
type lump struct {
	a, b     vec
	velocity vec // per frame
	r        int64
	col      colour
	flat     bool // not shaded
}

// skins are the colours of bare hands; gloves may have any.
var skins = []colour{{255, 219, 190}, {240, 194, 160}, {224, 172, 128}, {198, 134, 92}, {150, 98, 66}, {104, 66, 46}, {72, 46, 34}}

// newScene draws the scene of a gesture among the first n.
func newScene(r *rng, size Size, gesture, n int) *scene {
	// u, the unit of all sizes, is the height of the largest 4:3 picture that fits, in 1/256 pixel.
	u := int64(max(min(size.H, size.W*3/4), 1)) * pixel
	s := &scene{size: size, label: gesture}
	s.motion = newMotion(r, gesture, n, u, size.T)
	width, height := int64(size.W)*pixel, int64(size.H)*pixel
	anywhere := func() vec { return vec{r.n(width), r.n(height)} }
	slow := func(limit int64) vec { // limit: the way over the whole clip
		limit /= int64(size.T)
		return vec{r.in(-limit, limit), r.in(-limit, limit)}
	}

	// Hands: one in the middle, or two, apart in any direction. It takes two to zoom.
	skin := skins[r.n(int64(len(skins)))]
	if r.percent(25) {
		skin = anyColour(r)
	}
	sleeve := anyColour(r)
	centre := vec{width/2 + r.in(-width/10, width/10), height/2 + r.in(-height/10, height/10)}
	first := hand{at: centre, left: 1 - 2*r.n(2), skin: skin, sleeve: sleeve, arm: r.in(300, 620)}
	second := first
	second.left, second.angle, second.still = -first.left, r.n(turn), r.percent(20)
	apart := polar(r.n(turn), r.in(u*20/100, u*29/100))
	zooms := gesture == zoomIn || gesture == zoomOut
	second.still = second.still && !zooms
	if r.percent(60) || zooms {
		first.apart, second.apart = vec{}.sub(apart), apart
		s.hands = append(s.hands, second)
	}
	s.hands = append(s.hands, first)
	for i := range s.hands {
		h := &s.hands[i]
		h.at = s.motion.inside(h.at, h.apart, vec{width, height}, u*18/100)
	}
	s.light = polar(r.n(turn), r.in(20, 60))

	// The background keeps its distance in brightness from the hands, so that they can be seen at all.
	dark, bright := anyColour(r), anyColour(r)
	for range 6 {
		middle := (dark.luma() + bright.luma()) / 2
		if d := middle - skin.luma(); d > 60 || d < -60 {
			break
		}
		dark, bright = anyColour(r), anyColour(r)
		if skin.luma() > 128 {
			dark, bright = dark.scaled(one/2), bright.scaled(one/2)
		}
	}
	s.texture = newTexture(r, size, dark, dark.blend(bright, r.in(one*30/100, one*80/100)))
	s.drift = slow(u * 30 / 100)
	s.jitter = r.in(0, u*2/100) * r.n(2)
	lit := r.in(one*75/100, one*110/100)
	s.brightness = span{lit, lit + r.in(-one*15/100, one*15/100)}
	s.flicker = r.in(0, one*4/100) * r.n(2)
	s.noise = r.in(2, 8)

	if r.percent(30) {
		s.behind = append(s.behind, person(r, width, height, u, slow(u*8/100))...)
	}
	if r.percent(30) {
		for range r.in(1, 2) {
			at := anywhere()
			s.behind = append(s.behind, lump{a: at, b: at.add(polar(r.n(turn), r.n(u*20/100))), velocity: slow(u * 25 / 100), r: r.in(u*4/100, u*10/100), col: anyColour(r)})
		}
	}
	if r.percent(15) {
		at, along := anywhere(), polar(r.n(turn), u*2)
		s.before = append(s.before, lump{a: at.sub(along), b: at.add(along), velocity: slow(u * 20 / 100), r: r.in(u*3/100, u*6/100), col: anyColour(r), flat: true})
	}
	s.seed = r.next()
	return s
}

// person is a head over shoulders, at the bottom of the picture.
func person(r *rng, width, height, u int64, velocity vec) []lump {
	x := width/2 + r.in(-width/5, width/5)
	neck := height - r.in(u*15/100, u*40/100)
	head := r.in(u*13/100, u*20/100)
	skin := skins[r.n(int64(len(skins)))]
	wide := r.in(u*18/100, u*28/100)
	return []lump{
		{a: vec{x - wide/2, height}, b: vec{x + wide/2, height}, velocity: velocity, r: height - neck, col: anyColour(r)},
		{a: vec{x, neck - head}, b: vec{x, neck - head*13/10}, velocity: velocity, r: head, col: skin},
	}
}

// anyColour is of even distribution in brightness, and mostly pale.
func anyColour(r *rng) colour {
	v := r.in(10, 245)
	grey := colour{v, v, v}
	return grey.blend(colour{r.n(256), r.n(256), r.n(256)}, r.in(0, one*60/100))
}

// draw paints frame t.
func (s *scene) draw(c *canvas, scratch *scratch, t int) {
	r := newRNG(s.seed, uint64(t))
	time := int64(0)
	if s.size.T > 1 {
		time = int64(t) * one / int64(s.size.T-1)
	}
	lit := s.brightness.at(time) + r.in(-s.flicker, s.flicker)
	camera := vec{r.in(-s.jitter, s.jitter), r.in(-s.jitter, s.jitter)}
	shift := func(v vec) vec { return vec{v.x * int64(t), v.y * int64(t)}.add(camera) }

	s.texture.draw(c, scratch, shift(s.drift), lit)
	solid := shading{full: 236, rim: 90, light: s.light}
	lumps := func(list []lump) {
		for _, l := range list {
			sh := solid
			if l.flat {
				sh = shading{full: 256}
			}
			d := shift(l.velocity)
			c.capsule(l.a.add(d), l.b.add(d), l.r, l.col.scaled(lit), sh)
		}
	}
	lumps(s.behind)
	moving, still := s.motion.at(time), s.motion.at(0)
	for _, h := range s.hands {
		p := moving
		if h.still {
			p = still
		}
		p.at = p.at.add(h.at).add(h.apart.scale(p.apart)).add(camera)
		p.angle += h.angle
		h.draw(c, p, lit, solid)
	}
	lumps(s.before)
	scratch.addNoise(c, r)
}

// The fingers, from the thumb's side to the other, in 1/4096 of the palm's radius: where they begin across the palm,
// how far they reach when spread, how they fan out.
var fingers = [4]struct{ across, reach, fan int64 }{
	{2600, 5400, degrees(26)},
	{900, 6300, degrees(9)},
	{-800, 5800, degrees(-9)},
	{-2400, 4500, degrees(-28)},
}

// draw paints the hand in a pose: sleeve, arm, palm, thumb and fingers, each a capsule. A fist has short fingers close
// together, an open hand long ones that fan out.
func (h *hand) draw(c *canvas, p pose, lit int64, solid shading) {
	skin, sleeve := h.skin.scaled(lit), h.sleeve.scaled(lit)
	ahead, side := polar(p.angle, p.radius), polar(p.angle-h.left*turn/4, p.radius)
	point := func(forth, across int64) vec { return p.at.add(ahead.scale(forth)).add(side.scale(across)) }
	part := func(a, b vec, r int64, col colour) { c.capsule(a, b, p.radius*r>>12, col, solid) }

	arm := h.arm * one / 256
	part(point(-arm, 0), point(-arm-one, 0), one*62/100, sleeve)
	part(point(-one/2, 0), point(-arm, 0), one*50/100, skin)
	part(point(-one*35/100, 0), point(one*25/100, 0), one*86/100, skin)
	for _, f := range fingers {
		base := point(lerp(one*55/100, one*75/100, p.spread), f.across)
		length := lerp(one*10/100, f.reach, p.spread)
		tip := base.add(polar(p.angle-h.left*f.fan*p.spread>>12, p.radius*length>>12))
		part(base, tip, one*25/100, skin)
	}
	base := point(-one*20/100, one*70/100)
	tip := base.add(polar(p.angle-h.left*lerp(degrees(25), degrees(62), p.spread), p.radius*lerp(one*45/100, one*165/100, p.spread)>>12))
	part(base, tip, one*27/100, skin)
}

package data

import (
	"fmt"
	"hash/crc32"
	"math"
	"sync"
	"testing"
)

func newGestures(t testing.TB, size Size, o GestureOptions) *Gestures {
	t.Helper()
	g, err := NewGestures(size, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func clipOf(t testing.TB, src Source, s Split, i int, variant uint64) ([]uint8, int) {
	t.Helper()
	dst := make([]uint8, src.Size().Bytes())
	label, err := src.Clip(s, i, variant, dst)
	if err != nil {
		t.Fatal(err)
	}
	return dst, label
}

// The bytes of some clips, on every machine and word size.
func TestGesturesGolden(t *testing.T) {
	for _, c := range []struct {
		size  Size
		o     GestureOptions
		split Split
		want  string
	}{
		{DefaultSize(), GestureOptions{}, Train, "64c18322"},
		{DefaultSize(), GestureOptions{Seed: 1}, Test, "3896b8fe"},
		{Size{16, 96, 128}, GestureOptions{Classes: 15}, Val, "a15f52e4"},
		{Size{1, 1, 1}, GestureOptions{Classes: 2}, Val, "a630250f"},
		{Size{5, 33, 150}, GestureOptions{Classes: 13}, Train, "e26aa3b0"},
	} {
		g := newGestures(t, c.size, c.o)
		sum := crc32.NewIEEE()
		for i := range 6 {
			pix, label := clipOf(t, g, c.split, i, uint64(i/3))
			sum.Write(pix)
			sum.Write([]byte{byte(label)})
		}
		if got := fmt.Sprintf("%08x", sum.Sum32()); got != c.want {
			t.Errorf("%s, %s %s: checksum %s, want %s", c.size, g.Name(), c.split, got, c.want)
		}
	}
}

func TestGesturesPure(t *testing.T) {
	g := newGestures(t, DefaultSize(), GestureOptions{})
	const n = 24
	var want [n]uint32
	for i := range n {
		pix, label := clipOf(t, g, Train, i, 7)
		want[i] = crc32.ChecksumIEEE(append(pix, byte(label)))
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for k := range n {
				i := (k*5 + w*7) % n
				pix, label := clipOf(t, g, Train, i, 7)
				if got := crc32.ChecksumIEEE(append(pix, byte(label))); got != want[i] {
					t.Errorf("clip %d differs when read again", i)
				}
			}
		})
	}
	wg.Wait()
}

// Seeds, splits, variants and indices all give other clips; finite splits have no variants.
func TestGesturesStreams(t *testing.T) {
	seen := map[uint32]string{}
	for _, seed := range []uint64{0, 1} {
		g := newGestures(t, DefaultSize(), GestureOptions{Seed: seed})
		for _, s := range []Split{Train, Val, Test} {
			for i := range 3 {
				for variant := range uint64(2) {
					if variant > 0 && s != Train {
						continue
					}
					pix, _ := clipOf(t, g, s, i, variant)
					name, sum := fmt.Sprint(seed, s, i, variant), crc32.ChecksumIEEE(pix)
					if was, ok := seen[sum]; ok {
						t.Errorf("clips %s and %s are the same", name, was)
					}
					seen[sum] = name
				}
			}
		}
		a, _ := clipOf(t, g, Test, 1, 0)
		b, _ := clipOf(t, g, Test, 1, 99)
		if string(a) != string(b) {
			t.Error("a clip of the test split depends on the variant")
		}
	}
}

func TestGesturesBalance(t *testing.T) {
	for _, n := range []int{2, 12, 15} {
		g := newGestures(t, Size{2, 8, 8}, GestureOptions{Classes: n})
		places := make([][]int, n) // label, place in the block
		for i := range places {
			places[i] = make([]int, n)
		}
		const blocks = 200
		for i := range blocks * n {
			places[g.scene(Train, i, 1).label][i%n]++
		}
		for label := range places {
			total, first := 0, places[label][0]
			for _, k := range places[label] {
				total += k
			}
			if total != blocks {
				t.Errorf("%d classes: %d clips of class %d in %d", n, total, label, blocks*n)
			}
			if mean := blocks / n; first < mean/3 || first > mean*3 {
				t.Errorf("%d classes: class %d comes first in %d of %d blocks", n, label, first, blocks)
			}
		}
	}
}

func TestSine(t *testing.T) {
	for a := -int64(turn); a <= 2*turn; a += 7 {
		want := math.Sin(2 * math.Pi * float64(a) / turn)
		if got := float64(sin(a)) / unit; math.Abs(got-want) > 1.0/(1<<11) {
			t.Fatalf("sin(%d) = %v, want %v", a, got, want)
		}
	}
	for k, want := range []int64{0, unit, 0, -unit} {
		if got := sin(int64(k) * turn / 4); got != want {
			t.Errorf("sin of %d quarter turns = %d, want %d", k, got, want)
		}
	}
}

// hand as seen in a mirror, upside down, or backwards in time.
var flips = []struct {
	name  string
	flip  func(func(int64) pose) func(int64) pose
	label func(int) int
}{
	{"none", func(f func(int64) pose) func(int64) pose { return f }, func(l int) int { return l }},
	{"horizontal", func(f func(int64) pose) func(int64) pose {
		return func(t int64) pose {
			p := f(t)
			p.at.x, p.angle = -p.at.x, turn/2-p.angle
			return p
		}
	}, swapped(swipeLeft, swipeRight, turnCW, turnCCW, rollCW, rollCCW)},
	{"vertical", func(f func(int64) pose) func(int64) pose {
		return func(t int64) pose {
			p := f(t)
			p.at.y, p.angle = -p.at.y, -p.angle
			return p
		}
	}, swapped(swipeUp, swipeDown, turnCW, turnCCW, rollCW, rollCCW)},
	{"time", func(f func(int64) pose) func(int64) pose {
		return func(t int64) pose { return f(one - t) }
	}, swapped(swipeLeft, swipeRight, swipeUp, swipeDown, zoomIn, zoomOut, turnCW, turnCCW, pushAway, pullIn, rollCW, rollCCW)},
}

func swapped(pairs ...int) func(int) int {
	return func(l int) int {
		for i, p := range pairs {
			if p == l {
				return pairs[i^1]
			}
		}
		return l
	}
}

// gestureOf names the gesture by where the hand is over time, whatever was meant: by what has changed from the first
// to the last moment, or by the sense in which the hand goes round. Gestures that do neither are all "other".
func gestureOf(u int64, hand func(t int64) pose) int {
	const steps = 256
	a, b := hand(0), hand(one)
	x, y := b.at.x-a.at.x, b.at.y-a.at.y
	area := int64(0) // twice the area the hand goes round, clockwise positive
	last := a.at
	for i := range int64(steps + 1) {
		p := hand(i * one / steps).at
		area += last.x*p.y - last.y*p.x
		last = p
	}
	area += last.x*a.at.y - last.y*a.at.x
	choose := func(value int64, positive, negative int) int {
		if value > 0 {
			return positive
		}
		return negative
	}
	switch turned := b.angle - a.angle; {
	case abs(x) > u*28/100 && abs(x) > 2*abs(y):
		return choose(x, swipeRight, swipeLeft)
	case abs(y) > u*28/100 && abs(y) > 2*abs(x):
		return choose(y, swipeDown, swipeUp)
	case abs(b.spread-a.spread) > one*40/100:
		return choose(b.spread-a.spread, zoomIn, zoomOut)
	case abs(turned) > degrees(50):
		return choose(turned, turnCW, turnCCW)
	case b.radius*2 > a.radius*3:
		return pushAway
	case a.radius*2 > b.radius*3:
		return pullIn
	case abs(area) > 5*(u*7/100)*(u*7/100): // most of a round of the smallest circle
		return choose(area, rollCW, rollCCW)
	}
	return other
}

func abs(x int64) int64 { return max(x, -x) }

// The label is what the hand does, also in a mirror, upside down and backwards: then it is that of the flipped gesture.
func TestGesturesMotion(t *testing.T) {
	const u = 48 * pixel
	for label, name := range gestureNames {
		for i := range uint64(300) {
			m := newMotion(newRNG(i, uint64(label)), label, len(gestureNames), u, 16)
			m.wobble = [4]wave{}
			for _, f := range flips {
				want := f.label(label)
				if label == shake || label == stop {
					want = other
				}
				if got := gestureOf(u, f.flip(m.at)); got != want {
					t.Fatalf("motion %d of %q, flip %s, is %q", i, name, f.name, gestureNames[got])
				}
			}
		}
	}
}

// A hand that shakes goes to and fro at least twice; another that comes back does so once; a stopped one stays.
func TestGesturesReturn(t *testing.T) {
	const u = 48 * pixel
	for i := range uint64(300) {
		turns := func(label int) (n int, longest int64) {
			m := newMotion(newRNG(i, uint64(label)), label, len(gestureNames), u, 16)
			m.wobble = [4]wave{}
			var last, way vec
			for k := range int64(129) {
				p := m.at(k * one / 128).at
				if k > 0 {
					d := p.sub(last)
					longest += abs(d.x) + abs(d.y)
					if d.x*way.x+d.y*way.y < 0 {
						n++
					}
					if d != (vec{}) {
						way = d
					}
				}
				last = p
			}
			return n, longest
		}
		if n, _ := turns(shake); n < 4 {
			t.Fatalf("motion %d of a shaking hand turns back %d times", i, n)
		}
		if n, _ := turns(other); n > 1 {
			t.Fatalf("motion %d of doing other things turns back %d times", i, n)
		}
		if n, way := turns(stop); n != 0 || way != 0 {
			t.Fatalf("motion %d of a stopped hand goes %d and turns back %d times", i, way, n)
		}
	}
}

// The pictures show the motion: with all else taken away, the bright pixels move as the pose does.
func TestGesturesPictures(t *testing.T) {
	size := Size{8, 96, 128}
	white := colour{255, 255, 255}
	for label := range pullIn + 1 {
		for i := range uint64(12) {
			s := newScene(newRNG(i, uint64(label)), size, label, 12)
			s.hands = s.hands[len(s.hands)-1:]
			h := &s.hands[0]
			h.at, h.apart = vec{int64(size.W) * pixel / 2, int64(size.H) * pixel / 2}, vec{}
			h.skin, h.sleeve, h.arm = white, colour{}, 256
			s.texture.dark, s.texture.bright = colour{}, colour{}
			s.behind, s.before, s.noise, s.jitter, s.flicker = nil, nil, 0, 0, 0
			s.brightness = span{one, one}
			pix := make([]uint8, size.Bytes())
			s.render(new(scratch), pix)
			// Of the first and the last frame: the number of bright pixels, their centre, the sense of rotation by the
			// line from the wrist to the centre.
			seen := func(f int) (n, x, y int64) {
				for k, v := range pix[f*size.H*size.W:][:size.H*size.W] {
					if v > 60 {
						n, x, y = n+1, x+int64(k%size.W), y+int64(k/size.W)
					}
				}
				if n == 0 {
					t.Fatalf("class %s, clip %d: frame %d shows no hand", gestureNames[label], i, f)
				}
				return n, x * 16 / n, y * 16 / n
			}
			n0, x0, y0 := seen(0)
			n1, x1, y1 := seen(size.T - 1)
			ok := true
			switch label {
			case swipeLeft:
				ok = x1 < x0-64
			case swipeRight:
				ok = x1 > x0+64
			case swipeUp:
				ok = y1 < y0-64
			case swipeDown:
				ok = y1 > y0+64
			case zoomIn, pushAway:
				ok = n1*10 > n0*11
			case zoomOut, pullIn:
				ok = n0*10 > n1*11
			}
			if !ok {
				t.Errorf("class %s, clip %d: the hand goes from (%d,%d)/16, %d pixels, to (%d,%d)/16, %d pixels", gestureNames[label], i, x0, y0, n0, x1, y1, n1)
			}
		}
	}
}

func TestGesturesErrors(t *testing.T) {
	for _, c := range []struct {
		size Size
		o    GestureOptions
	}{
		{Size{0, 48, 64}, GestureOptions{}},
		{Size{16, 1 << 20, 64}, GestureOptions{}},
		{Size{4096, 4096, 4096}, GestureOptions{}},
		{DefaultSize(), GestureOptions{Classes: 1}},
		{DefaultSize(), GestureOptions{Classes: 16}},
		{DefaultSize(), GestureOptions{Test: -3}},
	} {
		if _, err := NewGestures(c.size, c.o); err == nil {
			t.Errorf("%v %+v: no error", c.size, c.o)
		}
	}
	g := newGestures(t, DefaultSize(), GestureOptions{Test: 10})
	dst := make([]uint8, g.Size().Bytes())
	for _, c := range []struct {
		s   Split
		i   int
		dst []uint8
	}{{Test, 10, dst}, {Test, -1, dst}, {Split(3), 0, dst}, {Train, 0, dst[1:]}} {
		if _, err := g.Clip(c.s, c.i, 0, c.dst); err == nil {
			t.Errorf("clip %d of split %d into %d bytes: no error", c.i, c.s, len(c.dst))
		}
	}
}

func BenchmarkGestures(b *testing.B) {
	for _, size := range []Size{DefaultSize(), {16, 96, 128}} {
		b.Run(size.String(), func(b *testing.B) {
			g := newGestures(b, size, GestureOptions{})
			dst := make([]uint8, size.Bytes())
			for i := range b.N {
				if _, err := g.Clip(Train, i, 1, dst); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "clips/s")
		})
	}
}

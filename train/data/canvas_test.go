package data

import (
	"math"
	"testing"
)

func newCanvas(h, w int) *canvas {
	c := &canvas{h: h, w: w}
	for k := range c.plane {
		c.plane[k] = make([]uint8, h*w)
	}
	return c
}

// A capsule covers its area, 2 r length + pi r^2, centred where it should be, in its colour.
func TestCapsuleArea(t *testing.T) {
	for _, r := range []int64{300, 700, 2000, 5000} {
		for k := range int64(16) {
			c := newCanvas(100, 100)
			a := vec{50*pixel + k*37, 50*pixel - k*11}
			b := a.add(polar(k*turn/16, 20*pixel))
			c.capsule(a, b, r, colour{200, 100, 50}, shading{full: 256})
			sum, x, y := 0.0, 0.0, 0.0
			for i, v := range c.plane[0] {
				sum += float64(v)
				x += float64(v) * (float64(i%100) + 0.5)
				y += float64(v) * (float64(i/100) + 0.5)
				if v1, v2 := int(c.plane[1][i]), int(c.plane[2][i]); abs(int64(int(v)-2*v1)) > 3 || abs(int64(v1-2*v2)) > 3 {
					t.Fatalf("pixel %d is %d %d %d", i, v, v1, v2)
				}
			}
			radius := float64(r) / pixel
			want := 2*radius*20 + math.Pi*radius*radius
			if got := sum / 200; math.Abs(got-want) > 0.04*want+1 {
				t.Errorf("radius %.2f, direction %d: area %.1f, want %.1f", radius, k, got, want)
			}
			cx, cy := float64(a.x+b.x)/2/pixel, float64(a.y+b.y)/2/pixel
			if math.Hypot(x/sum-cx, y/sum-cy) > 0.2 {
				t.Errorf("radius %.2f, direction %d: centre %.2f %.2f, want %.2f %.2f", radius, k, x/sum, y/sum, cx, cy)
			}
		}
	}
}

// Light brightens the side it comes from, and the rim is darker than the middle.
func TestCapsuleShade(t *testing.T) {
	c := newCanvas(40, 40)
	at := vec{20 * pixel, 20 * pixel}
	c.capsule(at, at, 15*pixel, colour{200, 200, 200}, shading{full: 236, rim: 90, light: vec{50, 0}})
	left, middle, right := c.plane[0][20*40+8], c.plane[0][20*40+20], c.plane[0][20*40+32]
	if !(left < middle && left+30 < right) {
		t.Errorf("from left to right the ball is %d, %d, %d", left, middle, right)
	}
	if top := c.plane[0][8*40+20]; top >= middle {
		t.Errorf("the rim is %d, the middle %d", top, middle)
	}
}

// Whatever its place and size, a capsule stays within the canvas; pictures of any shape can be drawn.
func TestDrawAnywhere(t *testing.T) {
	r := newRNG(1)
	for range 2000 {
		c := newCanvas(int(r.in(1, 20)), int(r.in(1, 20)))
		far := int64(1) << uint(r.in(4, 20))
		c.capsule(vec{r.in(-far, far), r.in(-far, far)}, vec{r.in(-far, far), r.in(-far, far)}, r.in(-5, far), colour{255, 0, 9}, shading{full: r.in(0, 400), rim: r.in(0, 200), light: vec{r.in(-99, 99), 5}})
	}
	for _, size := range []Size{{1, 1, 1}, {2, 1, 300}, {2, 300, 1}, {1, 600, 600}, {40, 7, 5}, {1, 1, 4096}} {
		g := newGestures(t, size, GestureOptions{Classes: 15})
		for i := range 15 {
			clipOf(t, g, Train, i, 0)
		}
	}
}

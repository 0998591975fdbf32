package data

import (
	"fmt"
	"sync"
)

// Gestures is a generator of clips of moving hands: textured backgrounds that drift, one hand or two at any angle, of
// any colour and size, people and objects behind, bars in front, changing light, camera shake, noise. The classes are
// told apart by movement only; one frame says little (see motion).
//
// Labels are exactly balanced: every run of len(Classes()) clips that begins at a multiple of it has each class once.
type Gestures struct {
	opt  GestureOptions
	size Size
	pool sync.Pool // *scratch
}

// GestureOptions describe a set of generated clips. Sets with different seeds share no clips.
type GestureOptions struct {
	Classes int    // the first of the 15 gestures, at least 2; 0 = 12
	Seed    uint64 // of the whole set
	Train   int    // clips of the train split; 0 = Endless
	Val     int    // 0 = 1000
	Test    int    // 0 = 2000
}

// NewGestures returns a generator of clips of a size.
func NewGestures(size Size, o GestureOptions) (*Gestures, error) {
	if err := size.check(); err != nil {
		return nil, fmt.Errorf("gestures: %w", err)
	}
	fill := func(v *int, value int) {
		if *v == 0 {
			*v = value
		}
	}
	fill(&o.Classes, 12)
	fill(&o.Train, Endless)
	fill(&o.Val, 1000)
	fill(&o.Test, 2000)
	if o.Classes < 2 || o.Classes > len(gestureNames) {
		return nil, fmt.Errorf("gestures: %d classes: there are %d to choose from, and at least 2 are needed", o.Classes, len(gestureNames))
	}
	if o.Train < Endless || o.Val < 0 || o.Test < 0 {
		return nil, fmt.Errorf("gestures: train=%d, val=%d, test=%d: numbers of clips are positive", o.Train, o.Val, o.Test)
	}
	g := &Gestures{opt: o, size: size}
	g.pool.New = func() any { return new(scratch) }
	return g, nil
}

// Name implements Source.
func (g *Gestures) Name() string {
	s := fmt.Sprintf("gestures{classes=%d, seed=%d, val=%d, test=%d", g.opt.Classes, g.opt.Seed, g.opt.Val, g.opt.Test)
	if g.opt.Train != Endless {
		s += fmt.Sprintf(", train=%d", g.opt.Train)
	}
	return s + "}"
}

// Classes implements Source.
func (g *Gestures) Classes() []string {
	return append([]string(nil), gestureNames[:g.opt.Classes]...)
}

// Size implements Source.
func (g *Gestures) Size() Size { return g.size }

// Len implements Source.
func (g *Gestures) Len(s Split) int { return [...]int{g.opt.Train, g.opt.Val, g.opt.Test}[s] }

// Stats implements Source.
func (g *Gestures) Stats() Stats { return Stats{Clips: [3]int{g.opt.Train, g.opt.Val, g.opt.Test}} }

// Clip implements Source. Only an endless split has variants: a finite one has that many clips, always the same.
func (g *Gestures) Clip(s Split, i int, variant uint64, dst []uint8) (int, error) {
	if err := checkClip(g, s, i, dst); err != nil {
		return 0, err
	}
	sc := g.scene(s, i, variant)
	w := g.pool.Get().(*scratch)
	sc.render(w, dst)
	g.pool.Put(w)
	return sc.label, nil
}

// scene draws the random numbers of a clip.
func (g *Gestures) scene(s Split, i int, variant uint64) *scene {
	if g.Len(s) != Endless {
		variant = 0
	}
	n := g.opt.Classes
	var buf [16]int32
	order := buf[:n]
	newRNG(g.opt.Seed, uint64(s), variant, uint64(i/n), 'o').perm(order)
	return newScene(newRNG(g.opt.Seed, uint64(s), variant, uint64(i), 'c'), g.size, int(order[i%n]), n)
}

// render draws the frames into dst, [3][T][H][W].
func (s *scene) render(w *scratch, dst []uint8) {
	s.texture.make(w)
	w.makeNoise(newRNG(s.seed), s.noise)
	frame := s.size.H * s.size.W
	for t := range s.size.T {
		c := canvas{h: s.size.H, w: s.size.W}
		for k := range c.plane {
			c.plane[k] = dst[(k*s.size.T+t)*frame:][:frame]
		}
		s.draw(&c, w, t)
	}
}

// Package data gives training and evaluation their clips: a procedural generator of hand gestures, the Jester data set
// in its own layout, and any folder with one sub-folder of clips a class.
//
//	Open     a spec such as "gestures", "jester:DIR" or "DIR" -> Source: random access to clips and labels
//	Loader   Source -> batches, shuffled, made ahead of time on several goroutines, resumable
//
// Everything is a pure function of its arguments: clip i of a split has the same bytes on every machine, and batch k of a
// loader depends on the seed and on k only, not on threads or on what was read before. To that end all arithmetic on
// pixels and positions is in integers.
package data

import (
	"fmt"
	"strings"
	"sync"
)

// Size is the size of a clip. Clips are RGB, one byte a sample, planar: [3][T][H][W].
type Size struct{ T, H, W int }

// DefaultSize is used where no size is given.
func DefaultSize() Size { return Size{T: 16, H: 48, W: 64} }

// Bytes is the length of a clip, 3*T*H*W.
func (s Size) Bytes() int { return 3 * s.T * s.H * s.W }

func (s Size) String() string { return fmt.Sprintf("%dx%dx%d", s.T, s.H, s.W) }

// Bounds of a clip's size, so that sums of squared distances fit their integers and a clip fits memory.
const (
	maxFrames = 4096
	maxSide   = 4096
	maxBytes  = 1 << 28
)

func (s Size) check() error {
	if s.T < 1 || s.H < 1 || s.W < 1 || s.T > maxFrames || s.H > maxSide || s.W > maxSide || int64(s.T)*int64(s.H)*int64(s.W) > maxBytes/3 {
		return fmt.Errorf("clips of %d frames %dx%d (width x height): frames go from 1 to %d, sides from 1 to %d, and a clip up to %d bytes",
			s.T, s.W, s.H, maxFrames, maxSide, maxBytes)
	}
	return nil
}

// Split names a part of a data set.
type Split int

// The three parts of a data set. Their clips are disjoint.
const (
	Train Split = iota
	Val
	Test
)

var splitNames = [...]string{"train", "val", "test"}

func (s Split) String() string { return splitNames[s] }

// ParseSplit reads "train", "val" or "test".
func ParseSplit(name string) (Split, error) {
	for i, n := range splitNames {
		if n == name {
			return Split(i), nil
		}
	}
	return 0, fmt.Errorf("split %q is none of train, val, test", name)
}

// Endless is the length of a split whose clips never run out.
const Endless = -1

// Source is random access to the clips of a data set.
type Source interface {
	// Name is the spec that opens the source again: for logs and checkpoints.
	Name() string
	// Classes are the names of the labels, in order.
	Classes() []string
	// Size is the size of every clip.
	Size() Size
	// Len is the number of clips of a split, or Endless.
	Len(Split) int
	// Clip fills dst, of Size().Bytes(), with clip i of a split and returns its label. It is a pure function of its
	// arguments and may be called from several goroutines. Variant 0 is the clip as it is; any other number stands for
	// one random version of it: a file is cropped, recoloured, shifted in time and mirrored (which may change the
	// label); of an endless split it is another clip. A *BadClip error means that this one clip cannot be read.
	Clip(s Split, i int, variant uint64, dst []uint8) (label int, err error)
	// Stats tells what was found and what was skipped so far.
	Stats() Stats
}

// EvalSplit is the split to measure accuracy on: Test when it has clips, else Val, else Train.
func EvalSplit(src Source) Split {
	for _, s := range []Split{Test, Val} {
		if src.Len(s) != 0 {
			return s
		}
	}
	return Train
}

// BadClip says that one clip cannot be read. A Loader passes over it.
type BadClip struct {
	Path string
	Err  error
}

func (b *BadClip) Error() string { return b.Err.Error() }

// Unwrap returns the cause.
func (b *BadClip) Unwrap() error { return b.Err }

// Stats is what a source found.
type Stats struct {
	Clips    [3]int   // per split; Endless for a generator
	Skipped  int      // clips, lines of lists and classes that could not be used
	Problems []string // the first of them, and why
}

// maxProblems bounds the list of problems kept.
const maxProblems = 20

func (s Stats) String() string {
	var b strings.Builder
	for i, n := range s.Clips {
		switch {
		case n == Endless:
			fmt.Fprintf(&b, "%s: endless; ", Split(i))
		case n > 0:
			fmt.Fprintf(&b, "%s: %d clips; ", Split(i), n)
		}
	}
	fmt.Fprintf(&b, "%d skipped", s.Skipped)
	for _, p := range s.Problems {
		b.WriteString("\n  " + p)
	}
	if n := s.Skipped - len(s.Problems); n > 0 {
		fmt.Fprintf(&b, "\n  and %d more", n)
	}
	return b.String()
}

// problems counts what is skipped. The same clip may be met many times and counts once.
type problems struct {
	mu   sync.Mutex
	seen map[string]bool
	list []string
}

// add records a problem; key is the clip or line it is about.
func (p *problems) add(key, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[key] {
		return
	}
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	p.seen[key] = true
	if len(p.list) < maxProblems {
		p.list = append(p.list, text)
	}
}

func (p *problems) stats(clips [3]int) Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Clips: clips, Skipped: len(p.seen), Problems: append([]string(nil), p.list...)}
}

// checkClip reports a call of Clip that is out of range.
func checkClip(src Source, s Split, i int, dst []uint8) error {
	if s < Train || s > Test {
		return fmt.Errorf("split %d is none of train, val, test", int(s))
	}
	if n := src.Len(s); i < 0 || n != Endless && i >= n {
		return fmt.Errorf("%s: clip %d of the %s split, which has %d", src.Name(), i, s, n)
	}
	if len(dst) != src.Size().Bytes() {
		return fmt.Errorf("%s: a clip of %s takes %d bytes, the destination has %d", src.Name(), src.Size(), src.Size().Bytes(), len(dst))
	}
	return nil
}

package runtime

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

// clipOf is the clip of some frames, as a program takes it.
func clipOf(p *Program, frames [][]byte) []byte {
	f := newFeed(p.img)
	clip := make([]byte, f.outer*f.frames*f.inner)
	for _, frame := range frames {
		f.put(clip, frame)
		f.next++
	}
	return clip
}

// A window that slides has the results of the clips that it holds, one after every so many frames, with regions and without.
func TestSlide(t *testing.T) {
	for _, b := range []*builder{smallNet(), regionNet()} {
		prog, err := LoadBytes(encode(t, &b.img))
		if err != nil {
			t.Fatal(err)
		}
		rng, whole, s := newRand(94), b.session(t), b.session(t)
		before := s.Memory()
		for every := 1; every <= prog.Frames(); every++ {
			if err := s.Slide(every); err != nil {
				t.Fatal(err)
			}
			var frames [][]byte
			for f := range 3*prog.Frames() + 1 {
				frame := make([]byte, prog.FrameBytes())
				for i := range frame {
					frame[i] = byte(rng.IntN(256))
				}
				ready, err := s.Push(frame)
				if behind := f - (prog.Frames() - 1); err != nil || ready != (behind >= 0 && behind%every == 0) {
					t.Fatalf("%s by %d, frame %d: ready is %v, %v", prog.Name(), every, f, ready, err)
				}
				if frames = append(frames, frame); !ready {
					continue
				}
				if err := whole.Run([][]byte{clipOf(prog, frames[f+1-prog.Frames():])}, nil); err != nil {
					t.Fatal(err)
				}
				for i, p := range prog.Outputs() {
					want, got := make([]byte, billb.Product(p.Shape)*p.Elem.Width()), make([]byte, billb.Product(p.Shape)*p.Elem.Width())
					if err := fmt.Sprint(whole.Result(i, want), s.Result(i, got)); err != "<nil> <nil>" || !bytes.Equal(want, got) {
						t.Fatalf("%s by %d, frame %d, output %d: %v, want %v, %s", prog.Name(), every, f, i, got, want, err)
					}
				}
			}
		}
		frame := make([]byte, prog.FrameBytes())
		if n := testing.AllocsPerRun(9, func() { _, _ = s.Push(frame) }); n > 0 {
			t.Errorf("%v allocations a frame", n)
		}
		if got := s.Memory().Ports - before.Ports; got != prog.Frames()*prog.FrameBytes() {
			t.Errorf("%d bytes of memory for %d frames of %d", got, prog.Frames(), prog.FrameBytes())
		}
		for _, n := range []int{-1, 0, prog.Frames() + 1} {
			if err := s.Slide(n); err == nil || !strings.Contains(err.Error(), "expected 1 to ") {
				t.Errorf("a window that slides by %d: %v", n, err)
			}
		}
	}
	b := stateNet()
	if err := b.session(t).Slide(1); err == nil || !strings.Contains(err.Error(), "has a result after every frame") {
		t.Errorf("states: %v", err)
	}
}

// A run between frames forgets them, one with inputs that were set too.
func TestRunForgetsFrames(t *testing.T) {
	b := smallNet()
	s := b.session(t)
	frame := make([]byte, s.prog.FrameBytes())
	clip := b.inputs[0].bytes()
	for _, run := range []func() error{
		func() error { return s.Run([][]byte{clip}, nil) },
		func() error {
			if err := SetInput(s, s.prog.Inputs()[0].Name, clip); err != nil {
				return err
			}
			return s.Execute()
		},
		func() error { return s.Slide(2) },
	} {
		if _, err := s.Push(frame); err != nil {
			t.Fatal(err)
		}
		if err := run(); err != nil {
			t.Fatal(err)
		}
		for f := range s.prog.Frames() {
			if ready, err := s.Push(frame); err != nil || ready != (f == s.prog.Frames()-1) {
				t.Errorf("frame %d: ready is %v, %v", f, ready, err)
			}
		}
	}
}

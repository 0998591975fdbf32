package runtime

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

// stateNet is a program with states: the sum of all inputs so far, in place; the inputs of the last three runs, dense, moved to
// their place, and on planes with halos, in place, whole and split into phases.
func stateNet() *builder {
	rng := newRand(92)
	b := &builder{}
	b.img.Name = "states"
	x := b.input(randTensor(rng, I16, 1, 9, 1, 3, 4))
	sum := b.dense(I16, 1, 9, 1, 3, 4)
	b.op(billb.OpAdd, []int{sum, x}, []int{sum}, nil)
	b.output(sum)
	old, last := b.dense(I16, 1, 9, 3, 3, 4), b.dense(I16, 1, 9, 3, 3, 4)
	b.op(billb.OpShift, []int{old, x}, []int{last}, []int{2})
	b.output(last)
	p := b.toPlanes(x, geom(9, 1, 3, 4, ones, ones))
	maps := b.planes(I16, geom(9, 3, 3, 4, [3]int{1, 1, 2}, ones))
	b.op(billb.OpShift, []int{maps, p}, []int{maps}, []int{2})
	b.output(b.fromPlanes(maps))
	split := b.planes(I16, geom(9, 3, 3, 4, [3]int{0, 1, 0}, [3]int{1, 2, 2}))
	b.op(billb.OpShift, []int{split, b.toPlanes(x, geom(9, 1, 3, 4, [3]int{0, 0, 1}, [3]int{1, 2, 2}))}, []int{split}, []int{2})
	b.output(b.fromPlanes(split))
	b.img.States = []billb.State{{From: sum, To: sum}, {From: old, To: last}, {From: maps, To: maps}, {From: split, To: split}}
	return b
}

func changeStates(rng *rand.Rand, img *billb.Image) {
	s := &img.States[rng.IntN(len(img.States))]
	switch rng.IntN(4) {
	case 0:
		s.From = rng.IntN(len(img.Buffers))
	case 1:
		s.To = rng.IntN(len(img.Buffers))
	case 2:
		img.States = append(img.States, img.States[rng.IntN(len(img.States))])
	default:
		b := &img.Buffers[rng.IntN(len(img.Buffers))]
		b.Offset = max(0, b.Offset+align*(rng.IntN(9)-4))
	}
}

// Steps add up what they are given, from zeros, whatever the memory held; Restart begins anew, and nothing is allocated.
func TestStep(t *testing.T) {
	b := stateNet()
	prog, err := LoadBytes(encode(t, &b.img))
	if err != nil {
		t.Fatal(err)
	}
	rng := newRand(93)
	for i, opt := range []Options{{ISA: "generic"}, {}, {Threads: 3}} {
		s, err := prog.newSession(opt, filled(byte(0x5a*i)))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			var frames [][]float64
			sum := make([]int16, 108)
			for f := range 7 {
				x := randTensor(rng, I16, 1, 9, 1, 3, 4)
				frames = append(frames, x.v)
				for k, v := range x.v {
					sum[k] += int16(v)
				}
				if f == 4 { // a run is a step too
					err = s.Run([][]byte{x.bytes()}, nil)
				} else {
					err = s.Step(x.bytes())
				}
				if err != nil {
					t.Fatal(err)
				}
				got, last, maps, split := make([]int16, 108), make([]int16, 324), make([]int16, 324), make([]int16, 324)
				if err := errors.Join(s.Result(0, Bytes(got)), s.Result(1, Bytes(last)), s.Result(2, Bytes(maps)), s.Result(3, Bytes(split))); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, sum) {
					t.Fatalf("%+v, frame %d: sum %v, want %v", opt, f, got, sum)
				}
				want := make([]int16, 324)
				for c := range 9 {
					for k := range 3 {
						for p := 0; p < 12 && f-2+k >= 0; p++ {
							want[(c*3+k)*12+p] = int16(frames[f-2+k][c*12+p])
						}
					}
				}
				if !slices.Equal(last, want) || !slices.Equal(maps, want) || !slices.Equal(split, want) {
					t.Fatalf("%+v, frame %d: %v, %v and %v, want %v", opt, f, last, maps, split, want)
				}
			}
			s.Restart()
		}
		x := b.inputs[0].bytes()
		if n := testing.AllocsPerRun(3, func() { _ = s.Step(x) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
		s.Close()
	}
}

// What states must not do.
func TestStatesRefused(t *testing.T) {
	for _, c := range []struct {
		name, text string
		change     func(img *billb.Image)
	}{
		{"no buffer", "buffers 99 and", func(img *billb.Image) { img.States[0].From = 99 }},
		{"another type", "expected equal types", func(img *billb.Image) { img.States[0].To = img.States[1].To }},
		{"twice", "overlaps another state's", func(img *billb.Image) { img.States = append(img.States, img.States[0]) }},
		{"an input", "overlaps another input's, or a state's", func(img *billb.Image) {
			img.States[0] = billb.State{From: img.Inputs[0].Buffer, To: img.States[0].To}
		}},
		{"never written", "was never written", func(img *billb.Image) { img.Code = slices.Delete(img.Code, 1, 2); img.Outputs = img.Outputs[:1] }},
		{"over an output", `output "out2": buffer`, func(img *billb.Image) {
			img.Buffers[img.States[1].From].Offset = img.Buffers[img.Outputs[2].Buffer].Offset
		}},
		{"signs", "no sign is zero", func(img *billb.Image) {
			for _, id := range []int{img.States[0].From, img.Inputs[0].Buffer} {
				img.Buffers[id].Elem = SBit
			}
		}},
		{"regions too", "states and regions", func(img *billb.Image) {
			img.Regions = []billb.Region{{Steps: 1, Pace: 1, Feed: -1, Stages: []billb.Stage{{Len: 1, Every: [2]int{1, 0}, Count: 1, Bands: 1}}}}
		}},
	} {
		b := stateNet()
		c.change(&b.img)
		file, err := b.img.Encode()
		if err == nil {
			_, err = LoadBytes(file)
		}
		if err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, expected %q", c.name, err, c.text)
		}
	}
}

// A program that carries nothing takes no steps, and a file says what it carries.
func TestStepRefused(t *testing.T) {
	s := smallNet().session(t)
	if err := s.Step(nil); err == nil || !strings.Contains(err.Error(), "billc compile --stream") {
		t.Errorf("%v", err)
	}
	b := stateNet()
	file := encode(t, &b.img)
	img, err := billb.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if again := encode(t, img); !slices.Equal(img.States, b.img.States) || !bytes.Equal(again, file) {
		t.Errorf("%v, want %v", img.States, b.img.States)
	}
}

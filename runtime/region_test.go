package runtime

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

var (
	regionMutants = flag.Int("region-mutants", 3000, "number of changed programs with regions; a million are a release's")
	firstMutant   = flag.Uint64("first-mutant", 0, "the first of them")
)

// regionNet is a program with a region that is fed with a clip of 5 frames: a convolution whose bits are counted and kept
// for three frames, and one over them whose result is kept whole.
func regionNet() *builder {
	rng := newRand(91)
	b := &builder{}
	b.img.Name = "regions"
	clip := randTensor(rng, U8, 1, 2, 5, 6, 8)
	ring := b.dense(U8, 1, 2, 3, 6, 8)
	b.img.Inputs = append(b.img.Inputs, Port{Name: "clip", Elem: U8, Shape: clip.shape, Buffer: ring})
	b.inputs = append(b.inputs, clip)
	none, side := [3]int{}, [3]int{0, 0, 1}
	part, total := b.dense(I32, 1, 8), b.dense(I32, 1, 8)
	b.op(billb.OpIdentity, []int{billb.ConstOperand(b.konst(newTensor(I32, 1, 8)))}, []int{total}, nil)

	rows, x, bits, kept := b.dense(U8, 1, 2, 3, 4, 8), b.planes(U8, geom(2, 3, 4, 8, side, ones)), b.planes(Bit, geom(8, 1, 2, 8, none, ones)), b.planes(Bit, geom(8, 3, 6, 8, none, ones))
	b.op(billb.OpBandLoad, []int{ring}, []int{rows}, []int{5, 6, -1, -1, 1, 2})
	b.op(billb.OpRelayout, []int{rows}, []int{x}, nil)
	threshold, flip := randThreshold(rng, 8, 400)
	limits := func(v float64) int {
		t := newTensor(I32, 8)
		for i := range t.v {
			t.v[i] = v
		}
		return b.konst(t)
	}
	b.op(billb.OpIConv, []int{x}, []int{bits}, []int{1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 16},
		[]int{b.konst(randTensor(rng, SBit, 8, 2, 3, 3, 3)), b.konst(threshold), b.konst(flip), limits(-13770), limits(13770)})
	b.op(billb.OpCount, []int{bits}, []int{part}, []int{0})
	b.op(billb.OpAdd, []int{total, part}, []int{total}, nil)
	b.op(billb.OpBandStore, []int{bits}, []int{kept}, []int{5, 6, 0, 0, 1, 2})

	again, y, all := b.planes(Bit, geom(8, 3, 4, 8, side, ones)), b.planes(Bit, geom(8, 1, 2, 8, none, ones)), b.planes(Bit, geom(8, 5, 6, 8, ones, ones))
	threshold, flip = randThreshold(rng, 8, 6)
	b.op(billb.OpBandLoad, []int{kept}, []int{again}, []int{5, 6, -1, -1, 1, 2})
	b.op(billb.OpBConv, []int{again}, []int{y}, []int{1, 1, 1, 0, 0, 1, 1, 1, 1, 1},
		[]int{b.konst(randTensor(rng, SBit, 8, 8, 3, 3, 3)), b.konst(threshold), b.konst(flip)})
	b.op(billb.OpBandClip, []int{y}, []int{y}, []int{5, 6, 0, 0, 1, 2})
	b.op(billb.OpBandStore, []int{y}, []int{all}, []int{5, 6, 0, 0, 1, 2})
	count := b.dense(I32, 1, 8)
	b.op(billb.OpCount, []int{all}, []int{count}, []int{0})
	b.output(total)
	b.output(count)
	b.img.Regions = []billb.Region{{First: 1, Steps: 7, Pace: 1, Feed: 0, Stages: []billb.Stage{
		{Len: 6, Delay: 1, Every: [2]int{1, 0}, Count: 5, Bands: 3},
		{Len: 4, Delay: 2, Every: [2]int{1, 0}, Count: 5, Bands: 3},
	}}}
	return b
}

// filled allocates memory that held something before.
func filled(v byte) func(n int) []byte {
	return func(n int) []byte {
		b := alignedBytes(n)
		fill(b, v)
		return b
	}
}

// A clip that is run gives what its frames give that are pushed, whatever the memory held and on all kernels and threads.
func TestRegion(t *testing.T) {
	b := regionNet()
	prog, err := LoadBytes(encode(t, &b.img))
	if err != nil {
		t.Fatal(err)
	}
	clip := b.inputs[0].bytes()
	var want []int32
	for i, opt := range []Options{{ISA: "generic"}, {}, {Threads: 3}} {
		s, err := prog.newSession(opt, filled(byte(0x5a*i)))
		if err != nil {
			t.Fatal(err)
		}
		got := make([]int32, 16)
		for range 2 {
			if err := s.Run([][]byte{clip}, [][]byte{Bytes(got[:8]), Bytes(got[8:])}); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = append(want, got...)
			}
			if !bytes.Equal(Bytes(want), Bytes(got)) {
				t.Errorf("%+v: %v, want %v", opt, got, want)
			}
		}
		frame := make([]byte, prog.FrameBytes())
		pushes := func(n int) (ready bool) {
			for f := range n {
				for c := range 2 {
					copy(frame[c*48:], clip[(c*5+f)*48:][:48])
				}
				if ready, err = s.Push(frame); err != nil {
					t.Fatal(err)
				}
			}
			return ready
		}
		if pushes(3) {
			t.Error("ready after three frames")
		}
		s.Restart()
		if !pushes(5) {
			t.Error("not ready after five frames")
		}
		clear(got)
		if err := errors.Join(Output(s, "out0", got[:8]), Output(s, "out1", got[8:])); err != nil || !bytes.Equal(Bytes(want), Bytes(got)) {
			t.Errorf("%+v: pushed: %v, want %v, %v", opt, got, want, err)
		}
		if n := testing.AllocsPerRun(3, func() { pushes(5) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
		if err := SetInput(s, "clip", clip); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Execute(), Output(s, "out0", got[:8])); err != nil || !bytes.Equal(Bytes(want[:8]), Bytes(got[:8])) {
			t.Errorf("%+v: set: %v, want %v, %v", opt, got[:8], want[:8], err)
		}
		if m := s.Memory(); m.Ports != len(clip) || m.Arena != prog.ArenaBytes() {
			t.Errorf("memory %+v", m)
		}
		s.Close()
	}
}

// A session works in what it says, between pages that nothing may touch, and reaches the end of it.
func TestRegionMemory(t *testing.T) {
	b := regionNet()
	prog, err := LoadBytes(encode(t, &b.img))
	if err != nil {
		t.Fatal(err)
	}
	planned, err := prog.Memory(1)
	if err != nil {
		t.Fatal(err)
	}
	memory := &guarded{}
	defer memory.free()
	for _, atEnd := range []bool{false, true} {
		for _, isa := range []string{"", "generic"} {
			memory.atEnd = atEnd
			var all [][]byte
			s, err := prog.newSession(Options{ISA: isa}, func(n int) []byte {
				m := memory.reuse(t, len(all), n)
				fill(m, 0x5a)
				all = append(all, m)
				return m
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Run([][]byte{b.inputs[0].bytes()}, nil); err != nil {
				t.Fatal(err)
			}
			size, touched := 0, 0
			for _, m := range all {
				for i, v := range m {
					if v != 0x5a {
						touched = size + i + 1
					}
				}
				size += len(m)
			}
			if got := s.Memory().Total(); got != size || got > planned.Total() {
				t.Errorf("%q: %d bytes allocated, memory says %d and the plan %d", isa, size, got, planned.Total())
			}
			if isa == "" && (size != planned.Total() || touched <= planned.Arena-2*align) {
				t.Errorf("%d bytes allocated, %d planned, %d of an arena of %d touched", size, planned.Total(), touched, planned.Arena)
			}
			s.Close()
		}
	}
}

// Push of a program without regions keeps the frames until the last one is there.
func TestPushWhole(t *testing.T) {
	b := smallNet()
	s := b.session(t)
	clip := b.inputs[0].bytes()
	p := s.prog.Outputs()[0]
	want, got := make([]byte, billb.Product(p.Shape)*p.Elem.Width()), make([]byte, billb.Product(p.Shape)*p.Elem.Width())
	out := make([][]byte, len(s.prog.Outputs()))
	out[0] = want
	if err := s.Run([][]byte{clip}, out); err != nil {
		t.Fatal(err)
	}
	if s.prog.Frames() != 4 || s.prog.FrameBytes() != 3*10*12 {
		t.Fatalf("%d frames of %d bytes", s.prog.Frames(), s.prog.FrameBytes())
	}
	for f := range 4 {
		var frame []byte
		for c := range 3 {
			frame = append(frame, clip[(c*4+f)*120:][:120]...)
		}
		if ready, err := s.Push(frame); err != nil || ready != (f == 3) {
			t.Fatalf("frame %d: %v, %v", f, ready, err)
		}
	}
	if err := s.Result(0, got); err != nil || !bytes.Equal(want, got) {
		t.Errorf("%v, want %v, %v", got, want, err)
	}
	if _, err := s.Push(clip); err == nil || !strings.Contains(err.Error(), "has 360 bytes, got 1440") {
		t.Errorf("a clip pushed as a frame: %v", err)
	}
}

// What a region must not do.
func TestRegionRefused(t *testing.T) {
	band := func(img *billb.Image, i int) *billb.Band { return img.Code[i].Params.(*billb.Band) }
	for _, c := range []struct {
		name, text string
		change     func(img *billb.Image, r *billb.Region)
	}{
		{"too early", "frame 1 is read before it is stored", func(_ *billb.Image, r *billb.Region) { r.Stages[1].Delay = 1 }},
		{"too late", "or after another took its place", func(_ *billb.Image, r *billb.Region) { r.Stages[0].Delay, r.Stages[1].Delay, r.Steps = 3, 4, 9 }},
		{"few steps", "does not fit 6 steps", func(_ *billb.Image, r *billb.Region) { r.Steps = 6 }},
		{"frames that no step takes", "expected 1 for each of 5 frames but the last", func(_ *billb.Image, r *billb.Region) {
			r.Steps, r.Stages[0].Count, r.Stages[1].Count = 4, 1, 1
		}},
		{"rows left out", "is read before it is written", func(_ *billb.Image, r *billb.Region) { r.Stages[1].Bands = 2 }},
		{"rows between", "is read before it is written", func(img *billb.Image, _ *billb.Region) { band(img, 10).Step[1] = 3 }},
		{"an incomplete map", "is read before it is written", func(_ *billb.Image, r *billb.Region) { r.Stages[1].Count = 4 }},
		{"another map", "a map of 4 frames of 6 rows, buffer 6 keeps one of 5 of 6", func(img *billb.Image, _ *billb.Region) { band(img, 7).Frames = 4 }},
		{"outside of a region", "it is in no region", func(img *billb.Image, r *billb.Region) { img.Regions[0].Stages = r.Stages[:1] }},
		{"a stage's own", "is read before it is written", func(img *billb.Image, _ *billb.Region) { img.Code[9].In[0] = img.Code[3].Out[0] }},
		{"kept by an instruction", "expected to be read by band_load", func(img *billb.Image, _ *billb.Region) { img.Code[4].In[0] = img.Code[6].Out[0] }},
		{"stored twice", "is stored to by another instruction", func(img *billb.Image, _ *billb.Region) { img.Code[10].Out[0] = img.Code[6].Out[0] }},
		{"over a kept map", "overlaps", func(img *billb.Image, _ *billb.Region) {
			img.Buffers[img.Code[8].Out[0]].Offset = img.Buffers[img.Code[6].Out[0]].Offset
		}},
		{"over the sum", "read before it is written, or after", func(img *billb.Image, _ *billb.Region) {
			img.Buffers[img.Code[8].Out[0]].Offset = img.Buffers[img.Code[5].Out[0]].Offset
		}},
		{"no sum", "is read before it is written", func(img *billb.Image, _ *billb.Region) { img.Code[0].Out[0] = img.Code[4].Out[0] }},
		{"a first row", "row 5 of frame 0 is read before it is stored", func(img *billb.Image, _ *billb.Region) { band(img, 6).First[1] = -1 }},
		{"many runs", "instructions are executed", func(_ *billb.Image, r *billb.Region) {
			r.Steps, r.Stages[0].Count, r.Stages[0].Bands = 1<<16, 1<<15, 1<<16
		}},
		{"a port", "frames of u8[1,2,5,6,8] arrive one by one", func(img *billb.Image, _ *billb.Region) {
			img.Inputs[0].Shape = []int{1, 2, 5, 6, 8}
			img.Buffers[0].Shape[1] = 1
		}},
		{"runs that overlap", "before its 3 bands every 1 have ended", func(_ *billb.Image, r *billb.Region) { r.Stages[0].Every[1], r.Steps = 1, 9 }},
		{"no pace", "a frame every 0 steps", func(_ *billb.Image, r *billb.Region) { r.Pace = 0 }},
		{"a slow pace", "expected 2 for each of 5 frames", func(_ *billb.Image, r *billb.Region) { r.Pace = 2 }},
		{"far", "expected at most", func(img *billb.Image, _ *billb.Region) { band(img, 1).First[0] = 1 << 30 }},
	} {
		b := regionNet()
		c.change(&b.img, &b.img.Regions[0])
		file, err := b.img.Encode()
		if err == nil {
			_, err = LoadBytes(file)
		}
		if err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got %v, expected %q", c.name, err, c.text)
		}
	}
}

// TestHostileRegions loads programs with regions, and with states, that were changed: nothing may panic, and what loads may not
// depend on what its memory held before, nor leave it.
func TestHostileRegions(t *testing.T) {
	n := *regionMutants
	valid := [][]byte{encode(t, &regionNet().img), encode(t, &stateNet().img)}
	for _, name := range []string{"regions_rolled.billb", "regions_split.billb"} { // as the compiler makes them
		file, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		valid = append(valid, file)
	}
	memory := &guarded{}
	defer memory.free()
	loaded, ran := 0, 0
	for i := range uint64(n) {
		seed := *firstMutant + i
		rng := newRand(seed)
		file := changedRegions(rng, valid[seed%uint64(len(valid))])
		if file == nil {
			continue
		}
		prog, err := Loader{MaxArena: hostileArena}.LoadBytes(file)
		if err != nil {
			continue
		}
		loaded++
		runs := 0
		for i := range prog.img.Code {
			runs += prog.img.Runs(i)
		}
		code, err := prog.prepared(prog.best)
		if err != nil {
			t.Fatal(err)
		}
		if runs > 1<<10 || !small(code.steps) {
			continue
		}
		ran++
		inputs := hostileInputs(rng, prog)
		var want [][]byte
		for _, v := range []byte{0x5a, 0xa5} {
			at := 0
			memory.atEnd = v == 0xa5
			s, err := prog.newSession(Options{}, func(n int) []byte {
				at++
				b := memory.reuse(t, at, n)
				fill(b, v)
				return b
			})
			if err != nil {
				t.Fatal(err)
			}
			var got [][]byte
			for _, p := range prog.Outputs() {
				got = append(got, make([]byte, billb.Product(p.Shape)*p.Elem.Width()))
			}
			for range 3 { // which a program with states tells apart
				if err := s.Run(inputs, got); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			for i := range got {
				if want != nil && !bytes.Equal(want[i], got[i]) {
					t.Fatalf("seed %d: output %d depends on what memory held\n%s\n%+v", seed, i, listing(prog), prog.img.Regions)
				}
			}
			want = got
			s.Close()
		}
	}
	t.Logf("%d programs, %d loaded, %d run", n, loaded, ran)
	if ran < n/50 {
		t.Errorf("%d of %d programs ran: the test does not reach far", ran, n)
	}
}

// changedRegions changes a program's regions and other parts; nil where its form is wrong.
func changedRegions(rng *rand.Rand, valid []byte) []byte {
	if rng.IntN(8) == 0 {
		return changedBytes(rng, valid)
	}
	img, err := billb.Decode(valid)
	if err != nil {
		panic(err)
	}
	for range 1 + rng.IntN(3) {
		if rng.IntN(3) == 0 {
			mutate(rng, img)
			continue
		}
		if len(img.Regions) == 0 {
			changeStates(rng, img)
			continue
		}
		r := &img.Regions[rng.IntN(len(img.Regions))]
		s := &r.Stages[rng.IntN(len(r.Stages))]
		b := rng.IntN(len(img.Code))
		list := []*int{&r.Steps, &r.First, &s.Delay, &s.Every[0], &s.Every[1], &s.Count, &r.Pace, &s.Bands, &s.Len, &r.Feed}
		if p, ok := img.Code[b].Params.(*billb.Band); ok {
			list = append(list, &p.Frames, &p.Rows, &p.First[0], &p.First[1], &p.Step[0], &p.Step[1])
		}
		v := list[rng.IntN(len(list))]
		*v += []int{-2, -1, 1, 2, 3}[rng.IntN(5)]
	}
	file, err := img.Encode()
	if err != nil {
		return nil
	}
	return file
}

// Files of the first version load and run.
func TestVersionOne(t *testing.T) {
	file, err := os.ReadFile("../examples/gestures/gestures.billb")
	if err != nil {
		t.Fatal(err)
	}
	if file[8] != 1 {
		t.Fatalf("the file has version %d: a file of version 1 must be kept", file[8])
	}
	prog, err := LoadBytes(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := prog.NewSession(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Run([][]byte{Sample(prog.Inputs()[0], 2, newRand(1))}, nil); err != nil {
		t.Fatal(err)
	}
}

// A file of version 3, whose frames are kept whole and whose stages run all bands in one step, gives what it gave.
func TestVersionThree(t *testing.T) {
	file, err := os.ReadFile("testdata/regions_v3.billb")
	if err != nil {
		t.Fatal(err)
	}
	if file[8] != 3 {
		t.Fatalf("the file has version %d, expected 3", file[8])
	}
	b := regionNet()
	var want []byte
	for _, file := range [][]byte{encode(t, &b.img), file} {
		prog, err := LoadBytes(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := prog.NewSession(Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 64)
		if err := s.Run([][]byte{b.inputs[0].bytes()}, [][]byte{got[:32], got[32:]}); err != nil {
			t.Fatal(err)
		}
		if want != nil && !bytes.Equal(want, got) {
			t.Errorf("got %v, want %v", got, want)
		}
		want = got
		s.Close()
	}
}

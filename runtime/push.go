package runtime

import (
	"strings"

	"github.com/billnet/billnet/runtime/billb"
)

// feed is the input that takes a clip frame by frame. A frame is the part of the
// clip at one index of an axis.
type feed struct {
	port         int           // -1: no input is a clip
	axis         int           // of its frames
	region       *billb.Region // that takes the frames as they arrive; nil: the program takes whole clips
	outer, inner int           // pieces of a frame, and bytes of each
	frames       int           // of a clip
	next         int           // the frame that Push takes next
	every        int           // frames from one result of a sliding window to the next; 0: windows do not overlap
	window       []byte        // the frames of a sliding window
	clip         []byte        // all frames, of the run that begins
	kept         []byte        // the memory of a clip that was set before its run
}

// newFeed finds the input that is a clip: the only one, of rank 4 or 5, whose axis
// of frames the metadata clip.layout names, by default that of CTHW.
func newFeed(img *billb.Image) feed {
	f := feed{port: -1}
	port, region := img.Fed()
	axis := 2
	if region == nil {
		if len(img.Inputs) != 1 {
			return f
		}
		port = 0
		if axis = framesAxis(img); axis < 0 {
			return f
		}
	}
	p := &img.Inputs[port]
	f.port, f.axis, f.region = port, axis, region
	f.outer, f.inner = billb.Product(p.Shape[:axis]), billb.Product(p.Shape[axis+1:])*p.Elem.Width()
	f.frames = p.Shape[axis]
	return f
}

// framesAxis is the axis of the frames of the first input; -1 when it is no clip.
func framesAxis(img *billb.Image) int {
	layout := "CTHW"
	for _, kv := range img.Meta {
		if kv[0] == "clip.layout" {
			layout = kv[1]
		}
	}
	shape := img.Inputs[0].Shape
	at := strings.IndexByte(layout, 'T')
	axis := len(shape) - len(layout) + at
	if at < 0 || len(shape) < 4 || axis < 0 || axis >= len(shape) || billb.Product(shape) == 0 {
		return -1
	}
	return axis
}

// take keeps a clip until its run begins; one that is lent stays where it is.
func (f *feed) take(clip []byte, lent bool) {
	if !lent {
		if f.kept == nil {
			f.kept = make([]byte, len(clip))
		}
		copy(f.kept, clip)
		clip = f.kept
	}
	f.clip = clip
}

// slide moves a window on when it has had its result: its first frames leave it.
func (f *feed) slide() {
	kept := f.frames - f.every
	for i := range f.outer {
		line := f.window[i*f.frames*f.inner:][:f.frames*f.inner]
		copy(line[:kept*f.inner], line[f.every*f.inner:])
	}
	f.next = kept
}

// slides makes the window slide by n frames. It forgets the frames so far.
func (f *feed) slides(n int) error {
	if n < 1 || n > f.frames {
		return errorf("a window of %d frames that slides by %d, expected 1 to %d", f.frames, n, f.frames)
	}
	f.every, f.next = n, 0
	if f.window == nil {
		f.window = alignedBytes(f.outer * f.frames * f.inner) // a run reads it where it lies
	}
	return nil
}

// put copies the frame that is next into the memory of a clip.
func (f *feed) put(clip, frame []byte) {
	for i := range f.outer {
		copy(clip[(i*f.frames+f.next)*f.inner:][:f.inner], frame[i*f.inner:])
	}
}

// FrameBytes is the size of the frames that Push takes; 0 when the program has no
// single input that is a clip.
func (p *Program) FrameBytes() int {
	f := newFeed(p.img)
	if f.port < 0 {
		return 0
	}
	return f.outer * f.inner
}

// Frames is the number of frames of a clip that Push makes a result of; 0 when the
// program has no single input that is a clip.
func (p *Program) Frames() int {
	f := newFeed(p.img)
	if f.port < 0 {
		return 0
	}
	return f.frames
}

// FramesAxis is the axis of the frames of the input that Push takes frames of; -1 when
// the program has no single input that is a clip.
func (p *Program) FramesAxis() int {
	f := newFeed(p.img)
	if f.port < 0 {
		return -1
	}
	return f.axis
}

// Push takes the next frame of a clip: its elements as Run takes those of a clip, in
// the order of the input's axes without the one of the frames. ready says that it was
// the last frame of a clip, and that the outputs, which Output reads, are those of
// the clip; the next frame begins another one. A program that was compiled for little
// memory computes with every frame what it can; others when the last one is there.
// Slide makes the clips overlap. Run and Execute in between forget the frames so far, as
// does Restart. Push allocates nothing.
func (s *Session) Push(frame []byte) (ready bool, err error) {
	if err := s.begin(); err != nil {
		return false, s.named(err)
	}
	defer s.end()
	f := &s.feed
	if f.port < 0 {
		return false, errorf("%s: Push needs a program with one input that is a clip, of shape %s or as its metadata clip.layout says", s.prog.img.Name, "[1,C,T,H,W]")
	}
	p := &s.prog.img.Inputs[f.port]
	if len(frame) != f.outer*f.inner {
		return false, errorf("a frame of input %q, %s%s, has %d bytes, got %d", p.Name, p.Elem, billb.ShapeString(p.Shape), f.outer*f.inner, len(frame))
	}
	if at := invalidLogic(p.Elem, frame); at >= 0 {
		return false, errorf("input %q, frame %d: element %d is %d, not a %s", p.Name, f.next, at, int8(frame[at]), p.Elem)
	}
	if f.every > 0 {
		return s.slide(frame)
	}
	if f.region != nil {
		err = s.pushed(frame)
	} else {
		f.put(s.port(p), frame)
		s.done = false
	}
	if err != nil {
		f.next = 0
		return false, err
	}
	if f.next++; f.next < f.frames {
		return false, nil
	}
	f.next = 0
	if f.region == nil {
		s.ready[f.port] = true
		return true, s.execute()
	}
	if err := s.regions(s.fedRegion()+1, len(s.prog.img.Regions)); err != nil {
		return false, err
	}
	s.finish()
	return true, nil
}

// Slide makes the clips that Push takes overlap: the first result is ready after a whole
// clip, the next ones after every n further frames, 1 to Frames, each that of the clip
// that ends there, bit for bit, and for the work of a Run. The session keeps the frames of
// a clip for it. Slide forgets the frames so far.
func (s *Session) Slide(n int) error {
	if err := s.begin(); err != nil {
		return s.named(err)
	}
	defer s.end()
	if s.feed.port < 0 || len(s.prog.img.Inputs) != 1 || s.prog.Streams() {
		return errorf("%s: Slide needs a program with one input that is a clip; one that carries states has a result after every frame", s.prog.img.Name)
	}
	if err := s.feed.slides(n); err != nil {
		return s.named(err)
	}
	return nil
}

// slide takes a frame into the sliding window, and executes the program when it is full.
func (s *Session) slide(frame []byte) (ready bool, err error) {
	f := &s.feed
	f.put(f.window, frame)
	s.done = false
	if f.next++; f.next < f.frames {
		return false, nil
	}
	f.next = 0
	if err := s.take(f.port, f.window, true); err != nil {
		return false, err
	}
	defer clear(s.m[0].lent)
	if err := s.execute(); err != nil {
		return false, err
	}
	f.slide()
	return true, nil
}

// pushed executes what a frame makes possible.
func (s *Session) pushed(frame []byte) error {
	f := &s.feed
	if f.next == 0 {
		for i, ok := range s.ready {
			if !ok && i != f.port {
				return errorf("input %q is not set; all other inputs must be set before the first frame", s.prog.img.Inputs[i].Name)
			}
		}
		clear(s.ready)
		if err := s.regions(0, s.fedRegion()); err != nil {
			return err
		}
		s.enter(f.region)
		s.done = false
	}
	*s.input = arriving{frame: frame, now: f.next}
	defer func() { *s.input = arriving{} }()
	last := f.next == f.frames-1
	for t := f.next * f.region.Pace; t < f.region.Steps && (last || t < (f.next+1)*f.region.Pace); t++ {
		if err := s.step(f.region, t); err != nil {
			return err
		}
	}
	if !last {
		s.keepFrame(frame)
	}
	return nil
}

// keepFrame copies rows of a frame for when the next one is there.
func (s *Session) keepFrame(frame []byte) {
	f := &s.feed
	p := &s.prog.img.Inputs[f.port]
	rows, width := p.Shape[3], p.Shape[4]*p.Elem.Width()
	from := denseMap(1, rows, &bandMap{planes: f.outer, width: width})
	b := s.prog.img.Buffers[p.Buffer].Shape
	to := denseMap(b[2], b[3], &from)
	skip := max(0, rows-to.rows) // later rows would take their place
	moveRows(s.port(p), frame, &to, &from, to.slot(f.next, skip, rows), [2]int{0, skip}, rows-skip, 0, f.outer)
}

// fedRegion is the number of the region that takes frames.
func (s *Session) fedRegion() int {
	for i := range s.prog.img.Regions {
		if &s.prog.img.Regions[i] == s.feed.region {
			return i
		}
	}
	return 0
}

// regions executes the regions from one to before another, with what lies in front of each and behind the last.
func (s *Session) regions(from, to int) error {
	img := s.prog.img
	for i := from; i < to; i++ {
		r := &img.Regions[i]
		if err := s.instructions(s.behind(i-1), r.First); err != nil {
			return err
		}
		s.enter(r)
		if r == s.feed.region {
			*s.input = arriving{clip: s.feed.clip}
		}
		for t := range r.Steps {
			if err := s.step(r, t); err != nil {
				return err
			}
		}
		*s.input = arriving{}
	}
	end := len(img.Code)
	if to < len(img.Regions) {
		end = img.Regions[to].First
	}
	return s.instructions(s.behind(to-1), end)
}

// behind is the first instruction behind a region, of the program for -1.
func (s *Session) behind(region int) int {
	if region < 0 {
		return 0
	}
	return s.prog.img.Regions[region].End()
}

// finish ends a run: the outputs are there.
func (s *Session) finish() {
	s.runs++
	s.done = true
	clear(s.given)
}

// enter begins a region: what it keeps is zero.
func (s *Session) enter(r *billb.Region) {
	for i := r.First; i < r.End(); i++ {
		if in := &s.prog.img.Code[i]; in.Op.Keeps() {
			b := &s.prog.img.Buffers[in.Out[0]]
			size, _ := b.Size()
			clear(s.m[0].arena[b.Offset : b.Offset+size])
		}
	}
}

// step executes the stages of a region that run at a step.
func (s *Session) step(r *billb.Region, step int) error {
	at := r.First
	for i := range r.Stages {
		st := &r.Stages[i]
		end := at + st.Len
		run, band, last := st.Due(step)
		for ; band < last; band++ {
			for _, m := range s.m {
				m.at = position{run, band}
			}
			if err := s.instructions(at, end); err != nil {
				return err
			}
		}
		at = end
	}
	return nil
}

// Result copies output i of the last run into dst, as Run gives it.
func (s *Session) Result(i int, dst []byte) error {
	if i < 0 || i >= len(s.prog.img.Outputs) {
		return errorf("%s has no output %d, it has %d", s.prog.img.Name, i, len(s.prog.img.Outputs))
	}
	if err := s.begin(); err != nil {
		return s.named(err)
	}
	defer s.end()
	return s.get(i, dst)
}

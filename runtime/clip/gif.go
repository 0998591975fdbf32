package clip

import (
	"bufio"
	"errors"
	"io"
)

// openGIF decodes an animation (GIF87a, GIF89a): each frame is the whole canvas, after drawing the partial picture over
// what the disposal method of the one before left. What stays transparent is black. Delays say how long a frame is shown.
//
// Read is what browsers read: files without a trailer or cut off in their last picture, pictures that reach beyond the
// canvas, extensions of any label, bytes between the blocks, a canvas without a size (the first picture's then). As in
// ffmpeg, a picture that is wider or higher than the canvas, or has no width or height, has the canvas's.
func openGIF(in *input, limit int64) (*Video, error) {
	if err := in.keep(limit / 4); err != nil {
		return nil, errorf("GIF: %w", err)
	}
	scan := gifReader{r: in.r}
	v := &Video{}
	if err := scan.scan(v); err != nil {
		return nil, errorf("GIF: %w", err)
	}
	var err error
	if v.need, err = checkFrame(v.W, v.H, 6, limit); err != nil {
		return nil, errorf("GIF: %w", err)
	}
	g := gifReader{w: v.W, h: v.H}
	at := 0
	v.next = func() ([]uint8, error) {
		if at == v.line.n {
			return nil, io.EOF
		}
		if at == 0 {
			if err := in.rewind(); err != nil {
				return nil, err
			}
			if err := g.start(in.r); err != nil {
				return nil, errorf("GIF: %w", err)
			}
		}
		if err := g.draw(); err != nil {
			return nil, errorf("GIF: frame %d of %d: %w", at, v.line.n, noEOF(err))
		}
		at++
		return g.canvas, nil
	}
	return v, nil
}

// errCut is the end of a file in the middle of something.
var errCut = errors.New("the file is cut off")

// gifReader reads the blocks of a GIF and draws its pictures.
type gifReader struct {
	r      *bufio.Reader
	w, h   int    // of the canvas
	global []byte // colour table, 3 bytes an entry
	p      gifPicture
	canvas []uint8 // [h][w][3]
	saved  []uint8 // what p covers, when that is to come back
	lzw    *lzwDecoder
}

// gifPicture is what is said of a picture before its pixels.
type gifPicture struct {
	x, y, w, h  int
	interlaced  bool
	table       []byte // its own colour table or the global one; nil: none, an index is a grey
	delay       int64  // hundredths of a second
	disposal    byte   // what happens to it before the next one
	transparent int    // index of the transparent colour, -1 = none
	codeSize    byte
}

const (
	disposeBackground = 2
	disposePrevious   = 3
	disposeFourth     = 4 // some programs write it for 3
)

// start reads the header.
func (g *gifReader) start(r *bufio.Reader) error {
	g.r = r
	var head [13]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return errCut
	}
	if w, h := le16(head[6:]), le16(head[8:]); w > 0 && h > 0 {
		g.w, g.h = w, h
	}
	var err error
	g.global, err = g.table(head[10])
	return err
}

func le16(b []byte) int { return int(b[0]) | int(b[1])<<8 }

// table reads a colour table, when the flags say that there is one.
func (g *gifReader) table(flags byte) ([]byte, error) {
	if flags&0x80 == 0 {
		return nil, nil
	}
	t := make([]byte, 3<<(flags&7+1))
	if _, err := io.ReadFull(g.r, t); err != nil {
		return nil, errCut
	}
	return t, nil
}

// scan reads the file to its end without decoding pictures, and tells v what is in it.
func (g *gifReader) scan(v *Video) error {
	if err := g.start(g.r); err != nil {
		return err
	}
	var delays []int64
	total, pixels := int64(0), int64(0)
	err := g.picture()
	for ; err == nil; err = g.picture() {
		if pixels += int64(g.p.w) * int64(g.p.h); pixels > maxPixels {
			return tooManyPixels(len(delays) + 1)
		}
		delays = append(delays, shownFor(10*g.p.delay))
		total += delays[len(delays)-1]
		data := subBlocks{r: g.r}
		if err = data.drain(); err != nil {
			break
		}
	}
	switch {
	case len(delays) == 0 && err == io.EOF:
		return errors.New("no frames in it")
	case len(delays) == 0:
		return err
	case err != io.EOF:
		v.note = "; the file is cut off in its last frame"
	}
	v.W, v.H, v.line = g.w, g.h, timed(delays)
	v.FPS = 1000 * float64(len(delays)) / float64(total)
	return nil
}

// shownFor is how long a frame with this delay is shown, in milliseconds. As in browsers, 10 ms and less say nothing
// and are 100.
func shownFor(delay int64) int64 {
	if delay <= 10 {
		return 100
	}
	return delay
}

// picture reads on to the pixels of the next picture; io.EOF when there is none. Blocks that mean nothing here and
// bytes between blocks are passed over.
func (g *gifReader) picture() error {
	g.p = gifPicture{transparent: -1}
	for {
		b, err := g.r.ReadByte()
		switch {
		case err != nil:
			return err
		case b == 0x3b: // trailer
			return io.EOF
		case b == 0x21:
			err = g.extension()
		case b == 0x2c:
			return g.descriptor()
		}
		if err != nil {
			return err
		}
	}
}

// extension reads an extension, of which the graphic control counts: flags, delay, transparent index.
func (g *gifReader) extension() error {
	label, err := g.r.ReadByte()
	if err != nil {
		return errCut
	}
	data := subBlocks{r: g.r}
	if label == 0xf9 {
		var b [4]byte
		for i := range b {
			if b[i], err = data.ReadByte(); err != nil {
				break
			}
		}
		if err == nil {
			g.p.disposal, g.p.delay, g.p.transparent = b[0]>>2&7, int64(le16(b[1:])), -1
			if b[0]&1 != 0 {
				g.p.transparent = int(b[3])
			}
		}
	}
	return data.drain()
}

// descriptor reads what stands before the pixels. A picture counts when at least one byte of them is there.
func (g *gifReader) descriptor() error {
	var b [9]byte
	if _, err := io.ReadFull(g.r, b[:]); err != nil {
		return errCut
	}
	p := &g.p
	p.x, p.y, p.w, p.h = le16(b[:]), le16(b[2:]), le16(b[4:]), le16(b[6:])
	if g.w == 0 {
		g.w, g.h = p.x+p.w, p.y+p.h
	}
	if p.w == 0 || p.w > g.w {
		p.w = g.w
	}
	if p.h == 0 || p.h > g.h {
		p.h = g.h
	}
	p.interlaced = b[8]&0x40 != 0
	var err error
	if p.table, err = g.table(b[8]); err != nil {
		return err
	}
	if p.table == nil {
		p.table = g.global
	}
	if p.codeSize, err = g.r.ReadByte(); err != nil {
		return errCut
	}
	if n, err := g.r.Peek(2); err != nil && (len(n) == 0 || n[0] != 0) {
		return errCut
	}
	return nil
}

// draw brings the canvas to the next picture. One whose pixels end early is drawn as far as they go.
func (g *gifReader) draw() error {
	if g.canvas == nil {
		g.canvas = make([]uint8, 3*g.w*g.h)
	}
	g.dispose()
	if err := g.picture(); err != nil {
		return err
	}
	if g.p.disposal == disposePrevious || g.p.disposal == disposeFourth {
		g.saved = g.saved[:0]
		g.covered(func(row []uint8) { g.saved = append(g.saved, row...) })
	}
	if g.lzw == nil {
		g.lzw = &lzwDecoder{}
	}
	data := subBlocks{r: g.r}
	pen := gifPen{g: g, step: 1}
	if g.p.interlaced {
		pen.step = 8
	}
	err := g.lzw.decode(&data, int(g.p.codeSize), pen.put)
	if err == nil {
		err = data.drain()
	}
	if err == errCut {
		err = nil
	}
	return err
}

// dispose does what the picture on the canvas wants to happen before the next one.
func (g *gifReader) dispose() {
	switch g.p.disposal {
	case disposeBackground:
		g.covered(func(row []uint8) { clear(row) })
	case disposePrevious, disposeFourth:
		saved := g.saved
		g.covered(func(row []uint8) { saved = saved[copy(row, saved):] })
	}
}

// covered calls f for each row of the canvas that the picture covers.
func (g *gifReader) covered(f func(row []uint8)) {
	x0, x1 := min(g.p.x, g.w), min(g.p.x+g.p.w, g.w)
	for y := g.p.y; y < min(g.p.y+g.p.h, g.h); y++ {
		f(g.canvas[3*(y*g.w+x0) : 3*(y*g.w+x1)])
	}
}

// gifPen draws the pixels of a picture in the order of the file.
type gifPen struct {
	g          *gifReader
	x, y, step int // in the picture; step between its rows: 1, or 8, 4, 2 in the passes of an interlaced one
}

// put draws a pixel and reports whether there are more. An index without a colour is transparent.
func (p *gifPen) put(index byte) bool {
	g := p.g
	if p.y >= g.p.h || g.p.w == 0 {
		return false
	}
	if x, y := g.p.x+p.x, g.p.y+p.y; x < g.w && y < g.h && int(index) != g.p.transparent {
		to := g.canvas[3*(y*g.w+x):][:3]
		if t := g.p.table; t == nil {
			to[0], to[1], to[2] = index, index, index
		} else if at := 3 * int(index); at < len(t) {
			copy(to, t[at:at+3])
		}
	}
	if p.x++; p.x == g.p.w {
		p.x = 0
		p.nextRow()
	}
	return p.y < g.p.h
}

// nextRow goes to the next row. Interlaced pictures hold rows 0, 8, 16, ..; then 4, 12, ..; then 2, 6, ..; then 1, 3, ..
func (p *gifPen) nextRow() {
	p.y += p.step
	for p.y >= p.g.p.h && p.step > 2 {
		if p.step == 8 && p.y%8 == 0 {
			p.y = 4
		} else {
			p.step /= 2
			p.y = p.step / 2
		}
	}
}

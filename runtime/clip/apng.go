package clip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image/png"
	"io"
)

// apngFrame is what is said of a frame before its pixels.
type apngFrame struct {
	x, y, w, h int
	delay      int64 // microseconds
	dispose    byte  // 0 keep it, 1 clear what it covers, 2 put back what was there
	over       bool  // drawn over what is there, else in its place
}

// parseFCTL reads the data of a frame control chunk.
func parseFCTL(b []byte, head pngHead) (apngFrame, error) {
	var f apngFrame
	if len(b) != 26 {
		return f, errorf("chunk fcTL has %d bytes, not 26", len(b))
	}
	at := func(i int) int64 { return int64(binary.BigEndian.Uint32(b[i:])) }
	w, h, x, y := at(4), at(8), at(12), at(16)
	if w < 1 || h < 1 || x+w > int64(head.w) || y+h > int64(head.h) {
		return f, errorf("a frame of %dx%d at %d,%d does not lie in the picture of %dx%d", w, h, x, y, head.w, head.h)
	}
	num, den := int64(binary.BigEndian.Uint16(b[20:])), int64(binary.BigEndian.Uint16(b[22:]))
	if den == 0 {
		den = 100
	}
	f = apngFrame{x: int(x), y: int(y), w: int(w), h: int(h), dispose: b[24], over: b[25] == 1}
	f.delay = 1e6 * num / den
	if 100*num <= den { // 10 ms, see shownFor
		f.delay = 1e5
	}
	return f, nil
}

// apng reads the frames of an animated PNG. Chunk fcTL stands before the pixels of each frame: those of the first are in
// IDAT if its fcTL is there already, all others in fdAT after a number of 4 bytes.
type apng struct {
	in     *input
	head   pngHead
	before []byte // chunks that every frame needs
	shown  apngFrame
	canvas []uint8 // [h][w][3]
	saved  []uint8 // what shown covers, when that is to come back
}

// openAPNG reads the whole file to know its frames, without decoding them.
func openAPNG(in *input, head pngHead, limit int64) (*Video, error) {
	var delays []int64
	total, pixels := int64(0), int64(0)
	scan := &apng{in: in, head: head}
	if err := scan.start(); err != nil {
		return nil, err
	}
	for {
		f, _, err := scan.next(false)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, errorf("frame %d: %w", len(delays), err)
		}
		if pixels += int64(f.w) * int64(f.h); pixels > maxPixels {
			return nil, tooManyPixels(len(delays) + 1)
		}
		delays = append(delays, f.delay)
		total += f.delay
	}
	if len(delays) == 0 {
		return nil, errors.New("no frames in it")
	}
	v := &Video{W: head.w, H: head.h, line: timed(delays), FPS: 1e6 * float64(len(delays)) / float64(total)}
	var err error
	if v.need, err = checkFrame(head.w, head.h, head.perPixel+6, limit); err != nil {
		return nil, err
	}
	a := &apng{in: in, head: head}
	at := 0
	v.next = func() ([]uint8, error) {
		if at == v.line.n {
			return nil, io.EOF
		}
		if at == 0 {
			if err := a.start(); err != nil {
				return nil, err
			}
			a.canvas = make([]uint8, 3*head.w*head.h)
		}
		if err := a.draw(); err != nil {
			return nil, errorf("animated PNG: frame %d of %d: %w", at, v.line.n, noEOF(err))
		}
		at++
		return a.canvas, nil
	}
	return v, nil
}

func (a *apng) start() error {
	if err := a.in.rewind(); err != nil {
		return err
	}
	_, err := a.in.r.Discard(len(pngMagic))
	return err
}

// next reads a frame, and with pixels its pixels as a PNG of its own; io.EOF when there is none.
func (a *apng) next(pixels bool) (f apngFrame, data []byte, err error) {
	begun, seen := false, false
	for {
		b, err := a.in.r.Peek(8)
		if len(b) < 8 {
			if seen && len(b) == 0 {
				return f, data, nil
			}
			if len(b) > 0 {
				err = errCut
			}
			return f, nil, err
		}
		kind := string(b[4:])
		if seen && (kind == "fcTL" || kind == "IEND") {
			if pixels {
				data = appendChunk(data, "IEND", nil)
			}
			return f, data, nil
		}
		n, _, err := pngChunk(a.in.r)
		if err != nil {
			return f, nil, err
		}
		inFrame := begun && (kind == "IDAT" || kind == "fdAT")
		wanted := kind == "fcTL" || pixels && (inFrame || kind == "PLTE" || kind == "tRNS")
		if !wanted {
			seen = seen || inFrame
			if err := a.in.pass(n + 4); err != nil {
				return f, nil, cut(err)
			}
			continue
		}
		chunk, err := pngData(a.in.r, n, kind)
		if err != nil {
			return f, nil, err
		}
		switch kind {
		case "PLTE", "tRNS":
			a.before = appendChunk(a.before, kind, chunk)
			continue
		case "fcTL":
			if f, err = parseFCTL(chunk, a.head); err != nil {
				return f, nil, err
			}
			begun, data = true, a.prefix(f)
			continue
		case "fdAT":
			if n < 4 {
				return f, nil, errorf("chunk fdAT has %d bytes", n)
			}
			chunk = chunk[4:]
		}
		seen = true
		data = appendChunk(data, "IDAT", chunk)
	}
}

// prefix is what a frame needs before its pixels to be a PNG.
func (a *apng) prefix(f apngFrame) []byte {
	ihdr := append([]byte(nil), a.head.ihdr...)
	binary.BigEndian.PutUint32(ihdr, uint32(f.w))
	binary.BigEndian.PutUint32(ihdr[4:], uint32(f.h))
	return append(appendChunk([]byte(pngMagic), "IHDR", ihdr), a.before...)
}

func appendChunk(b []byte, kind string, data []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	at := len(b)
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[at:]))
}

// draw brings the canvas to the next frame. The canvas is black under what is transparent, so its own transparency need
// not be kept: premultiplied colours drawn over it are over black.
func (a *apng) draw() error {
	switch a.shown.dispose {
	case 1:
		a.covered(func(row []uint8) { clear(row) })
	case 2:
		saved := a.saved
		a.covered(func(row []uint8) { saved = saved[copy(row, saved):] })
	}
	f, data, err := a.next(true)
	if err != nil {
		return err
	}
	a.shown = f
	if f.dispose == 2 {
		a.saved = a.saved[:0]
		a.covered(func(row []uint8) { a.saved = append(a.saved, row...) })
	}
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return err
	}
	at, x, y := pixels(m), 0, 0
	a.covered(func(row []uint8) {
		for x = range f.w {
			c, to := at(x, y), row[3*x:3*x+3]
			keep := uint32(0)
			if f.over {
				keep = 0xffff - uint32(c.A)
			}
			for i, v := range [3]uint16{c.R, c.G, c.B} {
				to[i] = uint8((uint32(v) + uint32(to[i])*0x101*keep/0xffff) >> 8)
			}
		}
		y++
	})
	return nil
}

// covered calls f for each row of the canvas that the frame covers.
func (a *apng) covered(f func(row []uint8)) {
	for y := a.shown.y; y < a.shown.y+a.shown.h; y++ {
		at := 3 * (y*a.head.w + a.shown.x)
		f(a.canvas[at : at+3*a.shown.w])
	}
}

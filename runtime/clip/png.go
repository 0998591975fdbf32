package clip

import (
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"io"
)

const pngMagic = "\x89PNG\r\n\x1a\n"

// pngHead is what the chunks before the pixels say.
type pngHead struct {
	ihdr     []byte // data of the header chunk
	w, h     int
	perPixel float64 // bytes that decoding takes
	animated bool
}

// pngChunk reads the head of the next chunk: the length of its data and its type. io.EOF at the end of the file.
func pngChunk(r io.Reader) (n int64, kind string, err error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, "", err
	}
	n = int64(binary.BigEndian.Uint32(b[:]))
	if n > 1<<31-1 {
		return 0, "", errorf("a chunk of %d bytes", n)
	}
	return n, string(b[4:]), nil
}

// pngData reads the data of a chunk and checks it.
func pngData(r io.Reader, n int64, kind string) ([]byte, error) {
	b, err := readN(r, n+4)
	if err != nil {
		return nil, cut(err)
	}
	data := b[:n:n]
	if got, want := crc32.Update(crc32.ChecksumIEEE([]byte(kind)), crc32.IEEETable, data), binary.BigEndian.Uint32(b[n:]); got != want {
		return nil, errorf("the checksum of chunk %q is wrong", kind)
	}
	return data, nil
}

// scanPNG reads the chunks up to the first pixels.
func scanPNG(in *input) (pngHead, error) {
	var head pngHead
	if _, err := in.r.Discard(len(pngMagic)); err != nil {
		return head, cut(err)
	}
	n, kind, err := pngChunk(in.r)
	if err != nil {
		return head, cut(err)
	}
	if kind != "IHDR" || n != 13 {
		return head, errorf("it begins with chunk %q of %d bytes, not IHDR of 13", kind, n)
	}
	if head.ihdr, err = pngData(in.r, n, kind); err != nil {
		return head, err
	}
	head.w, head.h = int(binary.BigEndian.Uint32(head.ihdr)), int(binary.BigEndian.Uint32(head.ihdr[4:]))
	head.perPixel = 3 + pngPixel(head.ihdr[8], head.ihdr[9])
	if head.ihdr[12] != 0 { // interlaced: the last pass is a picture of half the rows, and those before still lie around
		head.perPixel += pngPixel(head.ihdr[8], head.ihdr[9])
	}
	for {
		n, kind, err := pngChunk(in.r)
		if err != nil {
			return head, cut(err)
		}
		switch kind {
		case "acTL":
			head.animated = true
		case "IDAT":
			return head, nil
		}
		if err := in.pass(n + 4); err != nil {
			return head, cut(err)
		}
	}
}

// pngPixel is the memory of a pixel in package png: 4 bytes for true colour and what has transparency, twice that with 16
// bits a sample.
func pngPixel(depth, colour byte) float64 {
	n := 4.0
	if colour == 3 {
		n = 1
	}
	if depth == 16 {
		n *= 2
	}
	return n
}

// pngPicture reads the head of a PNG.
func pngPicture(in *input, limit int64) (pic picture, err error) {
	head, err := scanPNG(in)
	if err != nil {
		return pic, err
	}
	pic.w, pic.h = head.w, head.h
	pic.need, err = checkFrame(head.w, head.h, head.perPixel, limit)
	pic.decode = func() ([]uint8, error) {
		if err := in.rewind(); err != nil {
			return nil, err
		}
		m, err := png.Decode(in.r)
		if err != nil {
			return nil, err
		}
		return newPlacement(head.w, head.h, 1).image(m), nil
	}
	if head.animated {
		pic.frames = func() (*Video, error) { return openAPNG(in, head, limit) }
	}
	return pic, err
}

// image converts a picture to RGB, over black where it is transparent: that is what premultiplied colours are. Package
// image/draw would do this too, at 50 KB of program.
func (p placement) image(m image.Image) []uint8 {
	b := m.Bounds()
	rgb := make([]uint8, 3*b.Dx()*b.Dy())
	at := pixels(m)
	for y := range b.Dy() {
		to := p.at + y*p.dy
		for x := range b.Dx() {
			c := at(b.Min.X+x, b.Min.Y+y)
			rgb[to], rgb[to+1], rgb[to+2] = uint8(c.R>>8), uint8(c.G>>8), uint8(c.B>>8)
			to += p.dx
		}
	}
	return rgb
}

package clip

import (
	"bufio"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
)

// jpegHead is what the segments before the pixels say.
type jpegHead struct {
	w, h        int     // as stored
	perPixel    float64 // bytes that decoding takes
	orientation int     // EXIF's, 1 to 8
}

// scanJPEG reads the segments up to the first scan.
func scanJPEG(r *bufio.Reader) (jpegHead, error) {
	head := jpegHead{orientation: 1}
	if _, err := r.Discard(2); err != nil {
		return head, cut(err)
	}
	for {
		marker, n, err := jpegSegment(r)
		if err != nil {
			return head, err
		}
		switch {
		case marker == 0xda && head.w > 0: // start of scan
			return head, nil
		case marker == 0xd9 || marker == 0xda:
			return head, errors.New("it has no frame header (SOF) before its pixels")
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			err = head.frame(r, marker, n)
		case marker == 0xe1:
			err = head.exif(r, n)
		default:
			_, err = r.Discard(n)
		}
		if err != nil {
			return head, cut(err)
		}
	}
}

// jpegSegment reads the marker of the next segment and the length of what follows. Bytes before a marker are passed over.
func jpegSegment(r *bufio.Reader) (marker byte, n int, err error) {
	for before := byte(0); ; before = marker {
		if marker, err = r.ReadByte(); err != nil {
			return 0, 0, cut(err)
		}
		if before != 0xff || marker == 0 || marker == 0xff {
			continue
		}
		if marker == 0x01 || marker >= 0xd0 && marker <= 0xd9 { // they stand alone
			return marker, 0, nil
		}
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return 0, 0, cut(err)
		}
		if n = int(binary.BigEndian.Uint16(b[:])) - 2; n < 0 {
			return 0, 0, errorf("a segment of %d bytes", n+2)
		}
		return marker, n, nil
	}
}

// frame reads a frame header: precision, height, width, and of every component its number, sampling and table. Package
// jpeg keeps the samples and, of a progressive picture, 32-bit coefficients; four components become one more picture.
func (j *jpegHead) frame(r *bufio.Reader, marker byte, n int) error {
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	if n < 6 || n < 6+3*int(b[5]) {
		return errorf("a frame header of %d bytes", n)
	}
	j.h, j.w = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	var samples, hMax, vMax float64
	for i := range int(b[5]) {
		h, v := float64(b[7+3*i]>>4), float64(b[7+3*i]&15)
		samples, hMax, vMax = samples+h*v, max(hMax, h), max(vMax, v)
	}
	if samples == 0 {
		return errors.New("a frame header without samples")
	}
	samples /= hMax * vMax
	j.perPixel = 3 + samples
	if marker == 0xc2 {
		j.perPixel += 4 * samples
	}
	if b[5] > 3 {
		j.perPixel += 4
	}
	return nil
}

// exif reads the orientation from an APP1 segment, if it is EXIF. Broken EXIF says nothing.
func (j *jpegHead) exif(r *bufio.Reader, n int) error {
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	if o := exifOrientation(b); o != 0 {
		j.orientation = o
	}
	return nil
}

// exifOrientation finds tag 0x0112 in the first directory of EXIF: "Exif", two zeros, then TIFF: byte order, 42, the
// directory's place; a count and entries of 12 bytes: tag, type, count, value. 0 = there is none.
func exifOrientation(b []byte) int {
	if len(b) < 14 || string(b[:6]) != "Exif\x00\x00" {
		return 0
	}
	b = b[6:]
	var order binary.ByteOrder = binary.LittleEndian
	switch string(b[:2]) {
	case "II":
	case "MM":
		order = binary.BigEndian
	default:
		return 0
	}
	at := int64(order.Uint32(b[4:]))
	if order.Uint16(b[2:]) != 42 || at+2 > int64(len(b)) {
		return 0
	}
	dir := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(dir) < 12 {
			return 0
		}
		if order.Uint16(dir) == 0x0112 {
			o := 0
			switch order.Uint16(dir[2:]) {
			case 3: // 16 bits
				o = int(order.Uint16(dir[8:]))
			case 4: // 32 bits
				o = int(order.Uint32(dir[8:]))
			}
			if o < 1 || o > 8 {
				return 0
			}
			return o
		}
		dir = dir[12:]
	}
	return 0
}

// jpegPicture reads the head of a JPEG, which is turned as EXIF says. Chroma is brought to full size as libjpeg does.
func jpegPicture(in *input, limit int64) (pic picture, err error) {
	head, err := scanJPEG(in.r)
	if err != nil {
		return pic, err
	}
	p := newPlacement(head.w, head.h, head.orientation)
	pic.w, pic.h = p.w, p.h
	pic.need, err = checkFrame(head.w, head.h, head.perPixel, limit)
	pic.decode = func() ([]uint8, error) {
		if err := in.rewind(); err != nil {
			return nil, err
		}
		m, err := jpeg.Decode(in.r)
		if err != nil {
			return nil, err
		}
		if w, h := m.Bounds().Dx(), m.Bounds().Dy(); w != head.w || h != head.h {
			return nil, errorf("the picture is %dx%d", w, h)
		}
		if ycc, ok := m.(*image.YCbCr); ok {
			return p.ycc(ycc), nil
		}
		return p.image(m), nil
	}
	return pic, err
}

// placement says where the pixel x, y of a picture goes when it is turned as EXIF's orientation says: to 3 bytes at
// at + x dx + y dy of a picture of w x h.
type placement struct{ w, h, at, dx, dy int }

// newPlacement is for a picture stored as w x h. The orientations: 1 as stored; 2 mirrored; 3 turned by 180 degrees;
// 4 upside down; 5 transposed; 6 turned by 90 degrees clockwise; 7 as 5, turned by 180 degrees; 8 as 6, the other way.
func newPlacement(w, h, orientation int) placement {
	turned := orientation >= 5
	p := placement{w: w, h: h, dx: 3, dy: 3 * w}
	if turned {
		p = placement{w: h, h: w, dx: 3 * h, dy: 3}
	}
	switch orientation { // x runs backwards
	case 2, 3, 7, 8:
		p.at += (w - 1) * p.dx
		p.dx = -p.dx
	}
	switch orientation { // y runs backwards
	case 3, 4, 6, 7:
		p.at += (h - 1) * p.dy
		p.dy = -p.dy
	}
	return p
}

// ycc converts a picture with subsampled chroma.
func (p placement) ycc(m *image.YCbCr) []uint8 {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	rgb := make([]uint8, 3*w*h)
	cb, cr := newChroma(m, m.Cb), newChroma(m, m.Cr)
	for y := range h {
		cb.row(y)
		cr.row(y)
		at := p.at + y*p.dy
		for x, l := range m.Y[y*m.YStride:][:w] {
			rgb[at], rgb[at+1], rgb[at+2] = color.YCbCrToRGB(l, cb.out[x], cr.out[x])
			at += p.dx
		}
	}
	return rgb
}

// chroma brings the rows of a chroma plane to the width and height of the picture as libjpeg ("fancy upsampling") does:
// along a halved axis a sample is 3/4 the nearest chroma sample and 1/4 the next one, edges repeated; the roundings
// alternate. Quartered rows, and halved ones of two samples or less, are repeated.
type chroma struct {
	plane        []uint8
	stride, w, h int
	sx, sy       int // by how much it is smaller
	sum          []int32
	out          []uint8
}

func newChroma(m *image.YCbCr, plane []uint8) *chroma {
	c := &chroma{plane: plane, stride: m.CStride, sx: 1, sy: 1}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		c.sx = 2
	case image.YCbCrSubsampleRatio420:
		c.sx, c.sy = 2, 2
	case image.YCbCrSubsampleRatio440:
		c.sy = 2
	case image.YCbCrSubsampleRatio411:
		c.sx = 4
	case image.YCbCrSubsampleRatio410:
		c.sx, c.sy = 4, 2
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	c.w, c.h = (w+c.sx-1)/c.sx, (h+c.sy-1)/c.sy
	c.sum = make([]int32, c.w)
	c.out = make([]uint8, c.w*c.sx)
	return c
}

// row computes row y into out.
func (c *chroma) row(y int) {
	near := c.plane[y/c.sy*c.stride:][:c.w]
	if c.sx == 4 || c.sx == 2 && c.w <= 2 {
		for x := range c.out {
			c.out[x] = near[x/c.sx]
		}
		return
	}
	scale, even, odd := int32(1), int32(0), int32(0) // of the sums; what is added before the last shift
	if c.sy == 2 {
		next := min(max(y/2+2*(y&1)-1, 0), c.h-1)
		far := c.plane[next*c.stride:][:c.w]
		for x := range c.sum {
			c.sum[x] = 3*int32(near[x]) + int32(far[x])
		}
		scale, even = 4, 1+int32(y&1)
	} else {
		for x := range c.sum {
			c.sum[x] = int32(near[x])
		}
	}
	if c.sx == 1 {
		for x, s := range c.sum {
			c.out[x] = uint8((s + even) / scale)
		}
		return
	}
	even, odd = 1, 2
	if c.sy == 2 {
		even, odd = 8, 7
	}
	for x, s := range c.sum {
		left, right := c.sum[max(x-1, 0)], c.sum[min(x+1, c.w-1)]
		c.out[2*x] = uint8((3*s + left + even) / (4 * scale))
		c.out[2*x+1] = uint8((3*s + right + odd) / (4 * scale))
	}
}

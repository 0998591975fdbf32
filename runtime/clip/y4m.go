package clip

import (
	"bufio"
	"image/color"
	"io"
	"strconv"
	"strings"
)

// openY4M reads YUV4MPEG2 with 8-bit 4:2:0, 4:2:2, 4:4:4 or grey samples. Colours are BT.601, in studio range (16..235)
// unless the header says XCOLORRANGE=FULL. A chroma sample serves all pixels of its 2x2 or 2x1 block.
func openY4M(in *input, limit int64) (*Video, error) {
	y, err := readY4MHeader(in.r)
	if err != nil {
		return nil, err
	}
	v := &Video{W: y.w, H: y.h, FPS: y.fps}
	if v.need, err = checkFrame(y.w, y.h, 6, limit); err != nil {
		return nil, err
	}
	y.in, y.size = in, int64(y.w)*int64(y.h)+2*int64(y.cw)*int64(y.ch)
	v.next, v.skip = y.next, y.skip
	if in.seek != nil {
		return v, y.count(v)
	}
	return v, nil
}

// y4m reads the frames of a YUV4MPEG2 file.
type y4m struct {
	w, h     int
	fps      float64
	full     bool // range
	sx, sy   int  // log2 of the chroma block's sides
	cw, ch   int  // of a chroma plane, 0 for grey
	in       *input
	size     int64 // of a frame
	raw, rgb []uint8
}

// readY4MHeader reads the first line: tokens of a letter and a value.
func readY4MHeader(r *bufio.Reader) (*y4m, error) {
	line, err := y4mLine(r)
	if err != nil {
		return nil, errorf("YUV4MPEG2 header: %w", err)
	}
	tokens := strings.Split(line, " ")
	if tokens[0] != "YUV4MPEG2" {
		return nil, errorf("not YUV4MPEG2: it begins with %.20q", tokens[0])
	}
	y, chroma := &y4m{}, "420"
	for _, t := range tokens[1:] {
		if t == "" {
			continue
		}
		switch val := t[1:]; t[0] {
		case 'W':
			y.w, err = strconv.Atoi(val)
		case 'H':
			y.h, err = strconv.Atoi(val)
		case 'F':
			num, den, _ := strings.Cut(val, ":")
			a, errA := strconv.Atoi(num)
			b, errB := strconv.Atoi(den)
			if errA == nil && errB == nil && a > 0 && b > 0 {
				y.fps = float64(a) / float64(b)
			}
		case 'I':
			if val != "p" && val != "?" {
				return nil, errorf("YUV4MPEG2 header: %.20q is interlaced, only progressive video is read: deinterlace it first", t)
			}
		case 'C':
			chroma = val
		case 'X':
			y.full = y.full || val == "COLORRANGE=FULL"
		}
		if err != nil {
			return nil, errorf("YUV4MPEG2 header: size %.20q is not a number", t)
		}
	}
	if err := checkSides(y.w, y.h); err != nil {
		return nil, err
	}
	return y, y.chroma(chroma)
}

// chroma sets the sizes of the chroma planes.
func (y *y4m) chroma(samples string) error {
	switch samples {
	case "420", "420jpeg", "420mpeg2", "420paldv":
		y.sx, y.sy = 1, 1
	case "422":
		y.sx = 1
	case "444":
	case "mono":
		return nil
	default:
		return errorf("YUV4MPEG2 header: samples %.20q: only 8-bit 420, 420jpeg, 420mpeg2, 420paldv, 422, 444 and mono are read", "C"+samples)
	}
	y.cw, y.ch = (y.w+1<<y.sx-1)>>y.sx, (y.h+1<<y.sy-1)>>y.sy
	return nil
}

// count passes over all frames of a file and goes back to the first.
func (y *y4m) count(v *Video) error {
	at, err := y.in.seek.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	first := at - int64(y.in.r.Buffered())
	for n := 0; ; n++ {
		switch err := y.skip(); {
		case err == io.EOF:
			v.line = Even(n)
			return y.in.goTo(first)
		case err != nil:
			return errorf("frame %d: %w", n, err)
		}
	}
}

// begin reads the line before a frame; io.EOF after the last one.
func (y *y4m) begin() error {
	if _, err := y.in.r.Peek(1); err != nil {
		return err
	}
	line, err := y4mLine(y.in.r)
	if err != nil {
		return errorf("YUV4MPEG2 frame: %w", err)
	}
	if line != "FRAME" && !strings.HasPrefix(line, "FRAME ") {
		return errorf("YUV4MPEG2 frame begins with %.20q, not FRAME", line)
	}
	return nil
}

func (y *y4m) cutOff(err error) error {
	return errorf("YUV4MPEG2 frame of %d bytes is cut off: %w", y.size, noEOF(err))
}

func (y *y4m) skip() error {
	if err := y.begin(); err != nil {
		return err
	}
	if err := y.in.pass(y.size - 1); err != nil {
		return y.cutOff(err)
	}
	if _, err := y.in.r.ReadByte(); err != nil { // pass may go beyond the end of a file
		return y.cutOff(err)
	}
	return nil
}

func (y *y4m) next() (_ []uint8, err error) {
	if err := y.begin(); err != nil {
		return nil, err
	}
	if y.raw == nil {
		y.raw, err = readN(y.in.r, y.size)
	} else {
		_, err = io.ReadFull(y.in.r, y.raw)
	}
	if err != nil {
		return nil, y.cutOff(err)
	}
	if y.rgb == nil {
		y.rgb = make([]uint8, 3*y.w*y.h)
	}
	convert := studioRGB
	if y.full {
		convert = color.YCbCrToRGB
	}
	i := 0
	for row := range y.h {
		for x := range y.w {
			cb, cr := uint8(128), uint8(128)
			if y.cw > 0 {
				at := y.w*y.h + (row>>y.sy)*y.cw + x>>y.sx
				cb, cr = y.raw[at], y.raw[at+y.cw*y.ch]
			}
			y.rgb[3*i], y.rgb[3*i+1], y.rgb[3*i+2] = convert(y.raw[i], cb, cr)
			i++
		}
	}
	return y.rgb, nil
}

// studioRGB converts BT.601 in studio range, with y = 255/219 (Y-16), cb and cr = 255/224 (C-128):
//
//	R = y + 1.402 cr;  G = y - 0.344136 cb - 0.714136 cr;  B = y + 1.772 cb
//
// in 16-bit fixed point, rounded and clamped.
func studioRGB(y, cb, cr uint8) (r, g, b uint8) {
	l := 76309*(int32(y)-16) + 1<<15
	u, v := int32(cb)-128, int32(cr)-128
	at := func(x int32) uint8 { return uint8(min(255, max(0, x>>16))) }
	return at(l + 104597*v), at(l - 25675*u - 53279*v), at(l + 132201*u)
}

// y4mLine reads a line of at most 4096 bytes, without its end.
func y4mLine(r *bufio.Reader) (string, error) {
	var b []byte
	for len(b) < 4096 {
		c, err := r.ReadByte()
		if err != nil {
			return "", errorf("the file ends in a line: %w", noEOF(err))
		}
		if c == '\n' {
			return string(b), nil
		}
		b = append(b, c)
	}
	return "", errorf("a line is longer than 4096 bytes")
}

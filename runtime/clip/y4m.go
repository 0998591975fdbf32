package clip

import (
	"bufio"
	"fmt"
	"image/color"
	"io"
	"strconv"
	"strings"
)

// openY4M reads YUV4MPEG2 with 8-bit 4:2:0, 4:2:2, 4:4:4 or grey samples. Colours are BT.601, in studio range (16..235)
// unless the header says XCOLORRANGE=FULL. A chroma sample serves all pixels of its 2x2 or 2x1 block.
func openY4M(r *bufio.Reader, limit int64) (*Video, error) {
	line, err := y4mLine(r)
	if err != nil {
		return nil, fmt.Errorf("YUV4MPEG2 header: %w", err)
	}
	tokens := strings.Split(line, " ")
	if tokens[0] != "YUV4MPEG2" {
		return nil, fmt.Errorf("not YUV4MPEG2: it begins with %.20q", tokens[0])
	}
	v := &Video{}
	chroma, full := "420", false
	for _, t := range tokens[1:] {
		if t == "" {
			continue
		}
		val := t[1:]
		switch t[0] {
		case 'W', 'H':
			n, err := strconv.Atoi(val)
			if err != nil {
				return nil, fmt.Errorf("YUV4MPEG2 header: size %.20q is not a number", t)
			}
			if t[0] == 'W' {
				v.W = n
			} else {
				v.H = n
			}
		case 'F':
			num, den, _ := strings.Cut(val, ":")
			a, errA := strconv.Atoi(num)
			b, errB := strconv.Atoi(den)
			if errA == nil && errB == nil && a > 0 && b > 0 {
				v.FPS = float64(a) / float64(b)
			}
		case 'I':
			if val != "p" && val != "?" {
				return nil, fmt.Errorf("YUV4MPEG2 header: %.20q is interlaced, only progressive video is read: deinterlace it first", t)
			}
		case 'C':
			chroma = val
		case 'X':
			full = full || val == "COLORRANGE=FULL"
		}
	}
	if err := checkFrame(v.W, v.H, limit); err != nil {
		return nil, err
	}
	var sx, sy int // log2 of the chroma block's sides
	mono := false
	switch chroma {
	case "420", "420jpeg", "420mpeg2", "420paldv":
		sx, sy = 1, 1
	case "422":
		sx = 1
	case "444":
	case "mono":
		mono = true
	default:
		return nil, fmt.Errorf("YUV4MPEG2 header: samples %.20q: only 8-bit 420, 420jpeg, 420mpeg2, 420paldv, 422, 444 and mono are read", "C"+chroma)
	}
	cw, ch := (v.W+1<<sx-1)>>sx, (v.H+1<<sy-1)>>sy
	size := int64(v.W) * int64(v.H)
	if !mono {
		size += 2 * int64(cw) * int64(ch)
	}
	var raw, rgb []uint8
	v.next = func() ([]uint8, error) {
		if _, err := r.Peek(1); err != nil {
			return nil, err
		}
		line, err := y4mLine(r)
		if err != nil {
			return nil, fmt.Errorf("YUV4MPEG2 frame: %w", err)
		}
		if line != "FRAME" && !strings.HasPrefix(line, "FRAME ") {
			return nil, fmt.Errorf("YUV4MPEG2 frame begins with %.20q, not FRAME", line)
		}
		if raw == nil {
			raw, err = readN(r, size)
		} else {
			_, err = io.ReadFull(r, raw)
		}
		if err != nil {
			return nil, fmt.Errorf("YUV4MPEG2 frame of %d bytes is cut off: %w", size, noEOF(err))
		}
		if rgb == nil {
			rgb = make([]uint8, 3*v.W*v.H)
		}
		i := 0
		for y := range v.H {
			for x := range v.W {
				cb, cr := uint8(128), uint8(128)
				if !mono {
					at := v.W*v.H + (y>>sy)*cw + x>>sx
					cb, cr = raw[at], raw[at+cw*ch]
				}
				if full {
					rgb[3*i], rgb[3*i+1], rgb[3*i+2] = color.YCbCrToRGB(raw[i], cb, cr)
				} else {
					rgb[3*i], rgb[3*i+1], rgb[3*i+2] = studioRGB(raw[i], cb, cr)
				}
				i++
			}
		}
		return rgb, nil
	}
	return v, nil
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
			return "", fmt.Errorf("the file ends in a line: %w", noEOF(err))
		}
		if c == '\n' {
			return string(b), nil
		}
		b = append(b, c)
	}
	return "", fmt.Errorf("a line is longer than 4096 bytes")
}

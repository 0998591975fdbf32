package clip

import (
	"bufio"
	"fmt"
	"io"
)

// openRaw reads rgb24 frames without any header until the end of the file, which must fall between two frames.
func openRaw(r *bufio.Reader, w, h int, limit int64) (*Video, error) {
	if err := checkFrame(w, h, limit); err != nil {
		return nil, fmt.Errorf("raw rgb24: %w", err)
	}
	v := &Video{W: w, H: h}
	var rgb []uint8
	v.next = func() (_ []uint8, err error) {
		if _, err := r.Peek(1); err != nil {
			return nil, err
		}
		if rgb == nil {
			rgb, err = readN(r, 3*int64(w)*int64(h))
		} else {
			_, err = io.ReadFull(r, rgb)
		}
		if err != nil {
			return nil, fmt.Errorf("raw rgb24: the last frame of %dx%d is not whole (%d bytes a frame): %w", w, h, 3*w*h, noEOF(err))
		}
		return rgb, nil
	}
	return v, nil
}

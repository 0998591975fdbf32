package clip

import (
	"io"
)

// openRaw reads rgb24 frames without any header until the end of the file, which must fall between two frames.
func openRaw(in *input, w, h int, limit int64) (*Video, error) {
	need, err := checkFrame(w, h, 3, limit)
	if err != nil {
		return nil, errorf("raw rgb24: %w", err)
	}
	size := 3 * int64(w) * int64(h)
	notWhole := func(err error) error {
		return errorf("raw rgb24: the last frame of %dx%d is not whole (%d bytes a frame): %w", w, h, size, err)
	}
	v := &Video{W: w, H: h, need: need}
	if in.seek != nil {
		if in.size%size != 0 {
			return nil, notWhole(errorf("the file has %d bytes", in.size))
		}
		v.line = Even(int(in.size / size))
		v.skip = func() error {
			if _, err := in.r.Peek(1); err != nil {
				return err
			}
			return in.pass(size)
		}
	}
	var rgb []uint8
	v.next = func() (_ []uint8, err error) {
		if _, err := in.r.Peek(1); err != nil {
			return nil, err
		}
		if rgb == nil {
			rgb, err = readN(in.r, size)
		} else {
			_, err = io.ReadFull(in.r, rgb)
		}
		if err != nil {
			return nil, notWhole(noEOF(err))
		}
		return rgb, nil
	}
	return v, nil
}

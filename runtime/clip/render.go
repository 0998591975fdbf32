package clip

import (
	"bytes"
	"fmt"
	"io"
)

// Render draws frame t with 24-bit colours in a terminal, cols characters wide. A character shows two pixels, one above
// the other, so that pixels are about square; the aspect ratio is kept.
func Render(w io.Writer, c *Clip, t, cols int) error {
	if err := c.check(); err != nil {
		return err
	}
	if t < 0 || t >= c.T || cols < 1 || cols > 10000 || c.C != 1 && c.C != 3 {
		return errorf("frame %d in %d columns: the clip has frames 0 to %d and %d channels", t, cols, c.T-1, c.C)
	}
	lines := min(10000, max(1, (cols*c.H+c.W)/(2*c.W)))
	pix := make([]uint8, cols*2*lines*c.C)
	newResizer(c.W, c.H, cols, 2*lines, Stretch).frame(pix, c.Frame(t), c.C)
	var b bytes.Buffer
	at := func(x, y int) [3]uint8 {
		p := pix[(y*cols+x)*c.C:]
		return [3]uint8{p[0], p[c.C/2], p[c.C-1]}
	}
	for y := range lines {
		var top, bottom [3]uint8
		for x := range cols {
			if p := at(x, 2*y); x == 0 || p != top {
				top = p
				fmt.Fprintf(&b, "\x1b[38;2;%d;%d;%dm", p[0], p[1], p[2])
			}
			if p := at(x, 2*y+1); x == 0 || p != bottom {
				bottom = p
				fmt.Fprintf(&b, "\x1b[48;2;%d;%d;%dm", p[0], p[1], p[2])
			}
			b.WriteString("▀")
		}
		b.WriteString("\x1b[0m\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

package recipe

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"text/tabwriter"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/billnet/billnet/train/picture"
)

// Confusion counts clips by their label and by what the network says.
type Confusion struct {
	Classes []string `json:"classes"`
	Counts  [][]int  `json:"counts"` // [label][network]
}

// NewConfusion makes an empty matrix.
func NewConfusion(classes []string) *Confusion {
	c := &Confusion{Classes: classes, Counts: make([][]int, len(classes))}
	for i := range c.Counts {
		c.Counts[i] = make([]int, len(classes))
	}
	return c
}

// Clips is the number of clips.
func (c *Confusion) Clips() int {
	n := 0
	for _, row := range c.Counts {
		for _, v := range row {
			n += v
		}
	}
	return n
}

// Accuracy is the share of clips on the diagonal.
func (c *Confusion) Accuracy() float64 {
	right := 0
	for i, row := range c.Counts {
		right += row[i]
	}
	return float64(right) / float64(max(c.Clips(), 1))
}

// Print writes the matrix as a table: a row a label, a column for what the
// network says, numbered as the rows are.
func (c *Confusion) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\t\t")
	for i := range c.Classes {
		fmt.Fprintf(t, "%d\t", i)
	}
	fmt.Fprintln(t)
	for i, row := range c.Counts {
		fmt.Fprintf(t, "%d\t%s\t", i, c.Classes[i])
		for _, v := range row {
			if v == 0 {
				fmt.Fprint(t, ".\t")
			} else {
				fmt.Fprintf(t, "%d\t", v)
			}
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// WritePicture draws the matrix in the format "png" or "svg": a row a label, a
// column for what the network says, with the clips in numbers; the darker, the
// greater the share of a label's clips.
func (c *Confusion) WritePicture(w io.Writer, format string) error {
	const (
		cell = 0.9 * vg.Centimeter
		gap  = 0.25 * vg.Centimeter
	)
	names, title := picture.Text(11), picture.Text(13)
	names.YAlign = draw.YCenter
	long := vg.Length(0)
	for _, name := range c.Classes {
		long = max(long, 1.08*names.Width(name)) // other fonts may be wider
	}
	n := vg.Length(len(c.Classes))
	top, left := 1.6*vg.Centimeter, 1.2*vg.Centimeter+long+2*gap
	heading := fmt.Sprintf("%.1f %% of %d clips", 100*c.Accuracy(), c.Clips())
	width := max(left+n*cell+2*gap, 1.1*title.Width(heading)+4*gap)
	height := top + n*cell + long + 1.6*vg.Centimeter
	return picture.Write(w, format, width, height, func(dc draw.Canvas) {
		at := func(row, column vg.Length) vg.Point { // the upper left corner of a cell
			return vg.Point{X: left + column*cell, Y: height - top - row*cell}
		}
		title.XAlign, title.YAlign = draw.XCenter, draw.YCenter
		dc.FillText(title, vg.Point{X: width / 2, Y: height - top/2}, heading)
		dc.FillText(title, vg.Point{X: left + n*cell/2, Y: 0.7 * vg.Centimeter}, "network")
		upright := title
		upright.Rotation = math.Pi / 2
		dc.FillText(upright, vg.Point{X: 0.7 * vg.Centimeter, Y: at(n/2, 0).Y}, "label")
		for i, name := range c.Classes {
			k := vg.Length(i)
			row, column := names, names
			row.XAlign = draw.XRight
			dc.FillText(row, vg.Point{X: left - gap, Y: at(k+0.5, 0).Y}, name)
			column.XAlign, column.Rotation = draw.XRight, math.Pi/2
			dc.FillText(column, vg.Point{X: at(0, k+0.5).X, Y: at(n, 0).Y - gap}, name)
			c.row(dc, i, at)
		}
		dc.StrokeLines(draw.LineStyle{Color: color.Gray{128}, Width: vg.Points(0.7)}, []vg.Point{at(0, 0), at(n, 0), at(n, n), at(0, n), at(0, 0)})
	})
}

// row draws the cells of a label.
func (c *Confusion) row(dc draw.Canvas, i int, at func(row, column vg.Length) vg.Point) {
	sum := 0
	for _, v := range c.Counts[i] {
		sum += v
	}
	for k, v := range c.Counts[i] {
		if v == 0 {
			continue
		}
		y, x := vg.Length(i), vg.Length(k)
		share := float64(v) / float64(sum)
		dc.FillPolygon(blue(share), []vg.Point{at(y, x), at(y, x+1), at(y+1, x+1), at(y+1, x)})
		number := picture.Text(10)
		if len(fmt.Sprint(v)) > 4 {
			number = picture.Text(7)
		}
		if share > 0.5 {
			number.Color = color.White
		}
		number.XAlign, number.YAlign = draw.XCenter, draw.YCenter
		dc.FillText(number, at(y+0.5, x+0.5), fmt.Sprint(v))
	}
}

// blue is white for 0 and dark blue for 1.
func blue(share float64) color.Color {
	mix := func(full float64) uint8 { return uint8(math.Round(255 + share*(full-255))) }
	return color.RGBA{R: mix(0), G: mix(65), B: mix(190), A: 255}
}

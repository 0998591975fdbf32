package recipe

import (
	"fmt"
	"image/color"
	"io"
	"text/tabwriter"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
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

// WritePicture draws the matrix in the format "png" or "svg": the darker, the
// greater the share of a label's clips.
func (c *Confusion) WritePicture(w io.Writer, format string) error {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%.1f %% of %d clips", 100*c.Accuracy(), c.Clips())
	p.X.Label.Text, p.Y.Label.Text = "network", "label"
	p.X.Tick.Marker, p.Y.Tick.Marker = c.ticks(false), c.ticks(true)
	p.X.Tick.Label.Rotation = 1.2
	p.X.Tick.Label.XAlign = -1
	h := plotter.NewHeatMap(shares{c}, blues{})
	h.Min, h.Max = 0, 1
	p.Add(h)
	side := vg.Length(6+len(c.Classes)) * vg.Centimeter
	to, err := p.WriterTo(side, side, format)
	if err != nil {
		return err
	}
	_, err = to.WriteTo(w)
	return err
}

// ticks names the classes; labels run from the top down.
func (c *Confusion) ticks(down bool) plot.ConstantTicks {
	var t plot.ConstantTicks
	for i, name := range c.Classes {
		at := i
		if down {
			at = len(c.Classes) - 1 - i
		}
		t = append(t, plot.Tick{Value: float64(at), Label: name})
	}
	return t
}

// shares is the matrix as plotter reads it: the rows from the bottom up.
type shares struct{ *Confusion }

func (s shares) Dims() (c, r int) { return len(s.Classes), len(s.Classes) }
func (s shares) X(c int) float64  { return float64(c) }
func (s shares) Y(r int) float64  { return float64(r) }

func (s shares) Z(c, r int) float64 {
	row := s.Counts[len(s.Classes)-1-r]
	n := 0
	for _, v := range row {
		n += v
	}
	return float64(row[c]) / float64(max(n, 1))
}

// blues is a palette from white to dark blue.
type blues struct{}

func (blues) Colors() []color.Color {
	c := make([]color.Color, 64)
	for i := range c {
		c[i] = color.RGBA{R: uint8(255 - 4*i), G: uint8(255 - 3*i), B: uint8(255 - i), A: 255}
	}
	return c
}

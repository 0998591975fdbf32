package recipe

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// WriteLog writes a log as CSV.
func WriteLog(w io.Writer, log []Row) error {
	c := csv.NewWriter(w)
	c.Write([]string{"stage", "step", "rate", "loss", "accuracy", "gradient_norm"})
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for _, r := range log {
		c.Write([]string{r.Stage, strconv.Itoa(r.Step), number(r.Rate), number(r.Loss), number(r.Accuracy), number(r.Norm)})
	}
	c.Flush()
	return c.Error()
}

// WriteCurves draws loss and accuracy over all steps, a colour a stage, as a
// picture in the format "png" or "svg".
func WriteCurves(w io.Writer, format string, log []Row) error {
	loss, err := curve(log, "loss", func(r Row) float64 { return r.Loss })
	if err != nil {
		return err
	}
	accuracy, err := curve(log, "accuracy on the batch", func(r Row) float64 { return r.Accuracy })
	if err != nil {
		return err
	}
	const width, height = 16 * vg.Centimeter, 18 * vg.Centimeter
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch format {
	case "png":
		canvas = vgimg.PngCanvas{Canvas: vgimg.New(width, height)}
	case "svg":
		canvas = vgsvg.New(width, height)
	default:
		return fmt.Errorf("curves as %q, expected png or svg", format)
	}
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadY: vg.Centimeter, PadTop: vg.Millimeter * 4, PadRight: vg.Millimeter * 6}
	parts := plot.Align([][]*plot.Plot{{loss}, {accuracy}}, tiles, draw.New(canvas))
	loss.Draw(parts[0][0])
	accuracy.Draw(parts[1][0])
	_, err = canvas.WriteTo(w)
	return err
}

// curve plots one column of a log.
func curve(log []Row, name string, of func(Row) float64) (*plot.Plot, error) {
	p := plot.New()
	p.Y.Label.Text, p.X.Label.Text = name, "step"
	p.Add(plotter.NewGrid())
	done, colour := 0, 0
	for i := 0; i < len(log); {
		var xy plotter.XYs
		stage, end := log[i], done
		for ; i < len(log) && log[i].Index == stage.Index; i++ {
			end = done + log[i].Step
			xy = append(xy, plotter.XY{X: float64(end), Y: of(log[i])})
		}
		line, err := plotter.NewLine(xy)
		if err != nil {
			return nil, err
		}
		line.Color = plotutil.Color(colour)
		line.Width = vg.Points(1.2)
		p.Add(line)
		p.Legend.Add(stage.Stage, line)
		p.Legend.Top = true
		done, colour = end, colour+1
	}
	return p, nil
}

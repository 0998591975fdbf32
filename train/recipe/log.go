package recipe

import (
	"encoding/csv"
	"errors"
	"image/color"
	"io"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/billnet/billnet/train/picture"
)

// WriteLog writes a log as CSV.
func WriteLog(w io.Writer, log []Row) error {
	c := csv.NewWriter(w)
	c.Write([]string{"stage", "step", "rate", "loss", "accuracy", "gradient_norm", "validation"})
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for _, r := range log {
		validation := ""
		if r.Validation != nil {
			validation = number(*r.Validation)
		}
		c.Write([]string{r.Stage, strconv.Itoa(r.Step), number(r.Rate), number(r.Loss), number(r.Accuracy), number(r.Norm), validation})
	}
	c.Flush()
	return c.Error()
}

// WriteCurves draws loss and accuracy over all steps, a colour a stage, as a
// picture in the format "png" or "svg". Accuracy is that on the batches, and, with
// points, that on validation clips.
func WriteCurves(w io.Writer, format string, log []Row) error {
	loss, accuracy := picture.NewPlot(), picture.NewPlot()
	loss.Y.Label.Text, accuracy.Y.Label.Text = "loss", "accuracy"
	accuracy.Y.Min, accuracy.Y.Max = 0, 1
	for _, p := range []*plot.Plot{loss, accuracy} {
		p.X.Label.Text, p.X.Min = "step", 0
		p.Legend.Top = true
		p.Add(plotter.NewGrid())
	}
	accuracy.Legend.Left = true
	if err := stageCurves(log, func(stage string, colour color.Color, xs []float64, rows []Row) error {
		return errors.Join(
			addCurve(loss, stage, colour, 1.2, false, xs, rows, func(r Row) *float64 { return &r.Loss }),
			addCurve(accuracy, stage+", batches", faint(colour), 1, false, xs, rows, func(r Row) *float64 { return &r.Accuracy }),
			addCurve(accuracy, stage+", validation", colour, 1.6, true, xs, rows, func(r Row) *float64 { return r.Validation }))
	}); err != nil {
		return err
	}
	return picture.Write(w, format, 20*vg.Centimeter, 20*vg.Centimeter, func(c draw.Canvas) {
		tiles := draw.Tiles{Rows: 2, Cols: 1, PadY: vg.Centimeter, PadTop: vg.Millimeter * 4, PadRight: vg.Millimeter * 6, PadLeft: vg.Millimeter * 2, PadBottom: vg.Millimeter * 2}
		parts := plot.Align([][]*plot.Plot{{loss}, {accuracy}}, tiles, c)
		loss.Draw(parts[0][0])
		accuracy.Draw(parts[1][0])
	})
}

// stageCurves calls f for every stage of a log, with its rows and the steps of the
// whole run at which they end.
func stageCurves(log []Row, f func(stage string, colour color.Color, xs []float64, rows []Row) error) error {
	done := 0
	for i, k := 0, 0; i < len(log); k++ {
		first := i
		var xs []float64
		for ; i < len(log) && log[i].Index == log[first].Index; i++ {
			xs = append(xs, float64(done+log[i].Step))
		}
		if err := f(log[first].Stage, plotutil.Color(k), xs, log[first:i]); err != nil {
			return err
		}
		done += log[i-1].Step
	}
	return nil
}

// addCurve draws the rows that have a value.
func addCurve(p *plot.Plot, name string, colour color.Color, width float64, points bool, xs []float64, rows []Row, of func(Row) *float64) error {
	var xy plotter.XYs
	for i, r := range rows {
		if v := of(r); v != nil {
			xy = append(xy, plotter.XY{X: xs[i], Y: *v})
		}
	}
	if len(xy) == 0 {
		return nil
	}
	line, dots, err := plotter.NewLinePoints(xy)
	if err != nil {
		return err
	}
	line.Color, line.Width = colour, vg.Points(width)
	p.Add(line)
	if points {
		dots.Color, dots.Shape, dots.Radius = colour, draw.CircleGlyph{}, vg.Points(2.5)
		p.Add(dots)
		p.Legend.Add(name, line, dots)
		return nil
	}
	p.Legend.Add(name, line)
	return nil
}

// faint is a colour mixed with white.
func faint(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	mix := func(v uint32) uint8 { return uint8((v>>8 + 2*255) / 3) }
	return color.RGBA{R: mix(r), G: mix(g), B: mix(b), A: 255}
}

package recipe

import (
	"encoding/csv"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/billnet/billnet/train/picture"
)

// logColumns are the columns of a log as CSV.
var logColumns = []string{"stage", "step", "rate", "loss", "accuracy", "gradient_norm", "validation"}

// WriteLog writes a log as CSV.
func WriteLog(w io.Writer, log []Row) error {
	c := csv.NewWriter(w)
	c.Write(logColumns)
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

// ReadLog reads what WriteLog wrote, or the Python package, which writes the same
// columns. A stage ends where another one is named or the steps begin again.
func ReadLog(r io.Reader) ([]Row, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord = len(logColumns)
	c.ReuseRecord = true
	if head, err := c.Read(); err != nil && err != io.EOF && !errors.Is(err, csv.ErrFieldCount) {
		return nil, err
	} else if !slices.Equal(head, logColumns) {
		return nil, fmt.Errorf("no log of training: expected the columns %s", strings.Join(logColumns, ","))
	}
	var log []Row
	for {
		fields, err := c.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		row, err := parseRow(fields)
		if err != nil {
			line, _ := c.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if n := len(log); n > 0 {
			row.Index = log[n-1].Index
			if row.Stage != log[n-1].Stage || row.Step <= log[n-1].Step {
				row.Index++
			}
		}
		log = append(log, row)
	}
	if len(log) == 0 {
		return nil, errors.New("a log of training without a step")
	}
	return log, nil
}

// parseRow is the inverse of what WriteLog does with a row.
func parseRow(fields []string) (Row, error) {
	row := Row{Stage: fields[0]}
	var err error
	if row.Step, err = strconv.Atoi(fields[1]); err != nil || row.Step < 0 {
		return row, fmt.Errorf("step %q, expected a number of steps", fields[1])
	}
	numbers := []*float64{&row.Rate, &row.Loss, &row.Accuracy, &row.Norm}
	if fields[6] != "" {
		row.Validation = new(float64)
		numbers = append(numbers, row.Validation)
	}
	for i, p := range numbers {
		if *p, err = strconv.ParseFloat(fields[2+i], 64); err != nil {
			return row, fmt.Errorf("%s %q, expected a number", logColumns[2+i], fields[2+i])
		}
	}
	return row, nil
}

// WriteCurves draws loss and accuracy over all steps, a colour a stage, as a
// picture in the format "png" or "svg". Accuracy is that on the batches, and, with
// points, that on validation clips.
func WriteCurves(w io.Writer, format string, log []Row) error {
	c, xs := newCurves(), totalSteps(log)
	for i, k := 0, 0; i < len(log); k++ {
		first := i
		for i < len(log) && log[i].Index == log[first].Index {
			i++
		}
		if err := c.add(log[first].Stage, plotutil.Color(k), xs[first:i], log[first:i]); err != nil {
			return err
		}
	}
	return c.write(w, format)
}

// NamedLog is the log of a run and what a picture calls the run.
type NamedLog struct {
	Name string
	Log  []Row
}

// WriteComparison is WriteCurves for several runs over one another, a colour a run.
func WriteComparison(w io.Writer, format string, runs []NamedLog) error {
	c := newCurves()
	for i, run := range runs {
		if err := c.add(run.Name, plotutil.Color(i), totalSteps(run.Log), run.Log); err != nil {
			return err
		}
	}
	return c.write(w, format)
}

// curves are the two plots of a picture.
type curves struct{ loss, accuracy *plot.Plot }

func newCurves() curves {
	c := curves{picture.NewPlot(), picture.NewPlot()}
	c.loss.Y.Label.Text, c.accuracy.Y.Label.Text = "loss", "accuracy"
	c.accuracy.Y.Min, c.accuracy.Y.Max = 0, 1
	for _, p := range []*plot.Plot{c.loss, c.accuracy} {
		p.X.Label.Text, p.X.Min = "step", 0
		p.Legend.Top = true
		p.Add(plotter.NewGrid())
	}
	c.accuracy.Legend.Left = true
	return c
}

// add draws rows, which lie at the steps xs.
func (c curves) add(name string, colour color.Color, xs []float64, rows []Row) error {
	return errors.Join(
		addCurve(c.loss, name, colour, 1.2, false, xs, rows, func(r Row) *float64 { return &r.Loss }),
		addCurve(c.accuracy, name+", batches", faint(colour), 1, false, xs, rows, func(r Row) *float64 { return &r.Accuracy }),
		addCurve(c.accuracy, name+", validation", colour, 1.6, true, xs, rows, func(r Row) *float64 { return r.Validation }))
}

func (c curves) write(w io.Writer, format string) error {
	return picture.Write(w, format, 20*vg.Centimeter, 20*vg.Centimeter, func(canvas draw.Canvas) {
		tiles := draw.Tiles{Rows: 2, Cols: 1, PadY: vg.Centimeter, PadTop: vg.Millimeter * 4, PadRight: vg.Millimeter * 6, PadLeft: vg.Millimeter * 2, PadBottom: vg.Millimeter * 2}
		parts := plot.Align([][]*plot.Plot{{c.loss}, {c.accuracy}}, tiles, canvas)
		c.loss.Draw(parts[0][0])
		c.accuracy.Draw(parts[1][0])
	})
}

// totalSteps are the steps of the whole run at the rows of a log, whose own count
// begins again with every stage.
func totalSteps(log []Row) []float64 {
	xs, done := make([]float64, len(log)), 0
	for i, r := range log {
		if i > 0 && r.Index != log[i-1].Index {
			done += log[i-1].Step
		}
		xs[i] = float64(done + r.Step)
	}
	return xs
}

// addCurve draws the rows that have a value; that of a run that diverged may be
// none that can be drawn.
func addCurve(p *plot.Plot, name string, colour color.Color, width float64, points bool, xs []float64, rows []Row, of func(Row) *float64) error {
	var xy plotter.XYs
	for i, r := range rows {
		if v := of(r); v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) {
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

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/billnet/billnet/frontend/bill"
)

//go:embed template/billnet.bill.tmpl
var billnetTemplate string

var billnet = template.Must(template.New("billnet").Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(billnetTemplate))

type newCmd struct {
	Out      string `short:"o" default:"-" help:"Text file to write; - prints it." placeholder:"FILE"`
	Form     string `enum:"binary,float,conv3d" default:"binary" help:"Form of the network: ${enum}. Training in stages takes the binary form, which is soft, that is float, at first; the float form is for the lossy passes; conv3d is a float network of whole Conv3Ds without residual gates, for factorize-conv3d."`
	Width    int    `default:"16" help:"Channels behind the stem, a multiple of --per-group; every stage doubles them." placeholder:"N"`
	PerGroup int    `default:"8" help:"Channels of a group in the middle of a CF block." placeholder:"N"`
	Groups   int    `help:"Groups of the first CF block, in place of --per-group." placeholder:"N"`
	Stages   int    `default:"3" help:"Stages of blocks, each followed by a pooling." placeholder:"N"`
	Classes  int    `default:"12" help:"Classes." placeholder:"N"`
	Labels   string `help:"File with the classes' names, one a line; gives --classes too." placeholder:"FILE"`
	Frames   int    `default:"16" help:"Frames of a clip; a power of two." placeholder:"N"`
	Height   int    `default:"48" help:"Height of a frame in pixels." placeholder:"N"`
	Columns  int    `default:"64" help:"Width of a frame in pixels." placeholder:"N"`
	Hidden   int    `default:"48" help:"Units of the LSTM." placeholder:"N"`
	Steps    int    `help:"Frames that the LSTM sees, --frames or a half, a quarter ... of it: pooling along time leaves them. By default 8, with --causal all." placeholder:"N"`
	Causal   bool   `help:"No frame sees a later one: convolutions are padded in the past alone, and the gates compare the share of ones in all frames so far. Such a network gives a result after every frame (billc compile --stream); it learns the label of the last."`
	Wiring   string `enum:"mux-or,or,mux" default:"mux-or" help:"Residual gate: ${enum}."`
	Mid      string `enum:"linear,bits" default:"linear" help:"Between the convolutions of a CF block: ${enum}."`
	Seed     int    `default:"1" help:"Of the first weights." placeholder:"N"`
}

// architecture is what the template writes.
type architecture struct {
	*newCmd
	Module, File, Equation string
	Binary, Dense, MidBits bool
	Labels                 []string
	Stages                 []stage
	Last, Features         int
	Pad                    string // of a 3x3x3 convolution
	Area                   string // of a frame behind the stem, in positions
}

// stage is a pooling, a CF block that widens and an MOR block.
type stage struct {
	I, In, Out int // channels are multiples of the width
	Pool       int // along time
	From, Area string
}

func (c *newCmd) Run(s *streams) error {
	if err := mayWrite(c.Out, textFile, "", c.Labels); err != nil {
		return err
	}
	a, err := c.architecture()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := billnet.Execute(&text, a); err != nil {
		return fmt.Errorf("BUG: %w", err)
	}
	if _, err := bill.Parse(a.File, text.Bytes(), nil); err != nil {
		return err
	}
	if err := s.write(c.Out, text.Bytes()); err != nil {
		return err
	}
	s.wrote(c.Out, "")
	return nil
}

// architecture checks the numbers and lays out the stages.
func (c *newCmd) architecture() (*architecture, error) {
	a := &architecture{newCmd: c, Module: "billnet", File: "billnet.bill", Binary: c.Form == "binary", Dense: c.Form == "conv3d", MidBits: c.Mid == "bits"}
	if a.Dense && (a.MidBits || c.Wiring != "mux-or") {
		return nil, withCode(exitUsage, "--form conv3d has neither CF blocks nor gates: leave --mid and --wiring out")
	}
	if !toStandardOutput(c.Out) {
		a.File = filepath.Base(c.Out)
		a.Module = strings.TrimSuffix(a.File, filepath.Ext(a.File))
	}
	if c.Labels != "" {
		var err error
		if a.Labels, err = readLabels(c.Labels); err != nil {
			return nil, err
		}
		c.Classes = len(a.Labels)
	}
	if c.Groups > 0 {
		if c.Width%c.Groups != 0 {
			return nil, withCode(exitUsage, "--groups %d does not divide --width %d", c.Groups, c.Width)
		}
		c.PerGroup = c.Width / c.Groups
	}
	switch {
	case c.Causal && c.Form != "binary":
		return nil, withCode(exitUsage, "--causal writes the binary form, not --form %s", c.Form)
	case c.Causal && c.Steps != 0 && c.Steps != c.Frames:
		return nil, withCode(exitUsage, "--steps %d: a causal network has a step for each of its %d frames", c.Steps, c.Frames)
	case c.Causal:
		c.Steps = c.Frames
	case c.Steps == 0:
		c.Steps = 8
	}
	for _, n := range []struct {
		flag         string
		v, low, high int
	}{{"width", c.Width, 1, 4096}, {"per-group", c.PerGroup, 1, 4096}, {"stages", c.Stages, 1, 6}, {"classes", c.Classes, 1, 1 << 16}, {"frames", c.Frames, 1, 1024},
		{"height", c.Height, 1, 4096}, {"columns", c.Columns, 1, 4096}, {"hidden", c.Hidden, 1, 4096}, {"steps", c.Steps, 1, 1024}} {
		if n.v < n.low || n.v > n.high {
			return nil, withCode(exitUsage, "--%s %d, expected %d to %d", n.flag, n.v, n.low, n.high)
		}
	}
	if !a.Dense && c.Width%c.PerGroup != 0 {
		return nil, withCode(exitUsage, "--per-group %d does not divide --width %d", c.PerGroup, c.Width)
	}
	if small := min(c.Height, c.Columns); small>>(c.Stages+1) == 0 {
		return nil, withCode(exitUsage, "%d stages halve a frame %d times: %dx%d pixels are too few", c.Stages, c.Stages+1, c.Columns, c.Height)
	}
	// Time is halved in the last stages that can do it.
	halvings := 0
	for t := c.Frames; t != c.Steps; t /= 2 {
		if t%2 != 0 || t < c.Steps || halvings == c.Stages-1 {
			return nil, withCode(exitUsage, "--steps %d: %d stages can make %d frames into %s", c.Steps, c.Stages, c.Frames, possible(c.Frames, c.Stages))
		}
		halvings++
	}
	from, height, columns := "b0", (c.Height+1)/2, (c.Columns+1)/2
	a.Area = fmt.Sprintf("%d*%d", height, columns)
	for i := 1; i < c.Stages; i++ {
		height, columns = height/2, columns/2
		st := stage{I: i, In: 1 << (i - 1), Out: 1 << i, Pool: 1, From: from, Area: fmt.Sprintf("%d*%d", height, columns)}
		if i >= c.Stages-halvings {
			st.Pool = 2
		}
		a.Stages = append(a.Stages, st)
		from = fmt.Sprintf("b%d", i)
	}
	if a.Pad = "1,1,1,1,1,1"; c.Causal {
		a.Pad = "2,1,1,0,1,1"
	}
	a.Last, a.Features = c.Stages-1, 1<<(c.Stages-1)
	a.Equation = map[string]string{"mux-or": "y = F or (S and x)", "or": "y = F or x", "mux": "y = S ? x : F"}[c.Wiring]
	return a, nil
}

// possible lists the numbers of frames that poolings can leave.
func possible(frames, stages int) string {
	list := []string{strconv.Itoa(frames)}
	for i := 1; i < stages && frames%2 == 0; i++ {
		frames /= 2
		list = append(list, strconv.Itoa(frames))
	}
	return strings.Join(list, " or ")
}

package runner

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/billnet/billnet/internal/plain"
)

// runCmd runs a model.
type runCmd struct {
	Model  string
	Clips  []string
	Top    int
	JSON   bool
	Logits bool
	Pipe   bool
	Stream bool
	Slide  int
	Out    string
	inputFlags
	clipFlags
	engine
}

func declareRun(f *flags) runner {
	c := &runCmd{Top: 5}
	f.model, f.clips = &c.Model, &c.Clips
	f.count(&c.Top, "top", "N", "Classes to show (default 5).")
	f.on(&c.JSON, "json", "One JSON object a clip and line; notes go to standard error.")
	f.on(&c.Logits, "logits", "Only the scores of every clip, on one line, in the shortest form that reads back as the same bits.")
	f.on(&c.Pipe, "pipe", "Inputs as bytes from standard input, outputs as bytes to standard output, run after run.")
	f.on(&c.Stream, "stream", "Take the frames of clips as they come, none left out: a line after every frame of a causal network (billc compile --stream), else after as many as a clip has.")
	f.count(&c.Slide, "slide", "N", "With --stream, which it implies, of a network of clips: clips overlap, a line after every N frames once there are as many as a clip has. Each costs a whole run.")
	f.text(&c.Out, "out", "DIR", "With --input: write every output as DIR/NAME.npy.")
	c.inputFlags.declare(f)
	c.clipFlags.declare(f)
	c.engine.declare(f)
	return c
}

const runHelp = `
MODEL is a .billb file. A CLIP is an .npy file, a GIF or animated PNG, a folder of PNG or JPEG frames, a .y4m file, what ffmpeg reads, or - for standard input.

The first output is taken as the scores of classes. They are shown as the model gives them (logits), beside their softmax in percent.
An .npy file is the model's input tensor, alone or several along a batch axis; it is never resized. Every other clip is sampled and resized, and what was done is said.
The frames taken are those shown at the centres of equal parts of the clip's duration. Clips may be of any length; reading one takes at most 256 MB, and larger frames are refused.
A model with several inputs takes the others by --input. Without clips, --input gives all of them, and all outputs are printed or written by --out.
With --pipe another program keeps this one running: it writes the bytes of the inputs that --input does not give, in the model's order, and reads those of all outputs, run after run, until it closes its end.

Examples:

  PROGRAM model.billb wave.gif clips.npy --top 3
  PROGRAM model.billb frames/ --fit crop --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  PROGRAM model.billb --json *.y4m > scores.jsonl
  PROGRAM model.billb - --size 176x144 < frames.rgb
  ffmpeg -i video.mp4 -f yuv4mpegpipe - | PROGRAM model.billb - --slide 4
  PROGRAM model.billb --input x=@x.npy --input sel=@sel.npy --out results`

func (c *runCmd) Run(e *env) error {
	if c.Top < 1 {
		return usagef("--top %d: expected at least 1", c.Top)
	}
	if c.Logits && (c.JSON || len(c.Clips) == 0) {
		return usagef("--logits is a form of output for clips, and --json another one")
	}
	if c.Out != "" && len(c.Clips) > 0 {
		return usagef("--out writes the outputs of one run: give its inputs by --input, not as clips")
	}
	if i := slices.Index(c.Clips, "-"); i >= 0 && slices.Contains(c.Clips[i+1:], "-") {
		return usagef("standard input (-) is given twice")
	}
	if c.Pipe && (c.JSON || c.Logits || c.Out != "" || len(c.Clips) > 0) {
		return usagef("--pipe reads bytes from standard input and writes bytes: it goes with no clips, --json, --logits or --out")
	}
	c.Stream = c.Stream || c.Slide != 0
	if c.Stream && len(c.Clips) == 0 {
		return usagef("--stream takes clips, or - for standard input")
	}
	m, err := e.load(c.Model)
	if err != nil {
		return err
	}
	c.Stream = c.Stream || len(c.Clips) > 0 && m.meta("stream.states") != "" // it takes nothing else
	in, err := c.bound(m, e.stdin)
	if err != nil {
		return err
	}
	s, err := c.session(m, false)
	if err != nil {
		return err
	}
	defer s.Close()
	switch {
	case c.Pipe:
		return c.pipe(e, m, s, in)
	case len(c.Clips) == 0:
		return c.tensors(e, m, s, in)
	case c.Stream:
		return c.stream(e, m, s, in)
	}
	return c.classify(e, m, s, in)
}

// bound is the network with the inputs that are given.
func (c *runCmd) bound(m *model, stdin io.Reader) (*inputs, error) {
	if !c.Pipe {
		return bind(m, c.inputFlags, len(c.Clips) > 0, c.clipFlags, stdin)
	}
	in, err := bindSome(m, c.inputFlags)
	if err != nil {
		return nil, err
	}
	return in, in.alone()
}

// classify prints the scores of every clip. A clip that can not be read is
// reported, and the others follow.
func (c *runCmd) classify(e *env, m *model, s Session, in *inputs) error {
	if err := c.scored(m); err != nil {
		return err
	}
	raw, outs := m.outputs()
	labels := m.Labels
	begun := false
	return c.eachClip(e, in, func(path string, read *int) error {
		return in.each(e, path, func(index int, data [][]byte, note string) error {
			if err := s.Run(data, raw); err != nil {
				return err
			}
			if !begun && in.feeds != "" {
				fmt.Fprintf(e.stderr, "input %s is given %s\n", portText(m.Inputs[in.open]), in.feeds)
			}
			first := !begun
			begun = true
			switch {
			case c.JSON:
				fmt.Fprintf(e.stderr, "%s: %s\n", plain.Text(clipName(path, index)), plain.Text(note))
				writeScores(e, path, index, in.feeds, outs[0], labels)
				*read = index + 1
			case c.Logits:
				writeLogits(e.stdout, outs[0])
			default:
				if first {
					fmt.Fprintln(e.stdout, columns)
				}
				fmt.Fprintf(e.stdout, "%s: %s\n", plain.Text(clipName(path, index)), plain.Text(note))
				writeTop(e.stdout, outs[0], labels, c.Top)
			}
			return flush(e)
		})
	})
}

// scored checks that the first output is the scores of classes.
func (c *runCmd) scored(m *model) error {
	if len(m.Outputs) > 0 && isRow(values{shape: m.Outputs[0].Shape}) {
		return nil
	}
	what := "no outputs"
	if len(m.Outputs) > 0 {
		what = "first output " + portText(m.Outputs[0])
	}
	return errorf("%s has %s, not the scores of classes: give its input by --input NAME=@FILE.npy and see --out", m.path, what)
}

// eachClip calls f for every clip, which counts the results that were read of it. A clip that
// can not be read is reported, and the others follow.
func (c *runCmd) eachClip(e *env, in *inputs, f func(path string, read *int) error) error {
	failed := false
	for _, path := range c.Clips {
		read := 0
		err := f(path, &read)
		_, stuck := errors.AsType[*writeError](err)
		switch {
		case err == nil:
		case e.stopped() != nil:
			return e.stopped()
		case stuck:
			return err
		default:
			failed = true
			e.complain(e.stderr, named(path, err))
			if c.JSON {
				writeFailure(e, path, read, in.feeds, named(path, err))
			}
		}
	}
	if failed {
		return &fail{code: exitFailed}
	}
	return nil
}

// writeError says that standard output can not be written.
type writeError struct{ error }

func (w *writeError) Unwrap() error { return w.error }

// flush shows what was printed so far.
func flush(e *env) error {
	if err := e.stdout.Flush(); err != nil {
		return &writeError{errorf("writing the output: %w", err)}
	}
	return nil
}

// named puts a path before an error that does not name it.
func named(path string, err error) error {
	if path == "-" && strings.Contains(err.Error(), "standard input") || strings.Contains(err.Error(), path) {
		return err
	}
	return errorf("%s: %w", path, err)
}

// clipName names a clip in the output: path, or path[3] for the later ones of a
// file.
func clipName(path string, index int) string {
	if index == 0 {
		return path
	}
	return fmt.Sprintf("%s[%d]", path, index)
}

// isRow reports whether a tensor is one row of scores: [K], [1,K], ...
func isRow(v values) bool {
	n := v.len()
	return n > 0 && len(v.shape) > 0 && v.shape[len(v.shape)-1] == n
}

// ranked is the classes from the highest score to the lowest; the lower class
// first among equals, NaN last.
func ranked(v values) []int {
	order := make([]int, v.len())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := v.float(a), v.float(b)
		switch {
		case x > y || math.IsNaN(y) && !math.IsNaN(x):
			return -1
		case x < y || math.IsNaN(x) && !math.IsNaN(y):
			return 1
		}
		return 0
	})
	return order
}

// softmax is exp(v[i]) / sum of exp(v[j]) for all i.
func softmax(v values) []float64 {
	top := v.float(ranked(v)[0])
	p, sum := make([]float64, v.len()), 0.0
	for i := range p {
		p[i] = math.Exp(v.float(i) - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// label is the name of a class: its number when it has none.
func label(labels []string, class int) string {
	if class < len(labels) {
		return labels[class]
	}
	return fmt.Sprint(class)
}

// columns heads what writeTop writes.
const columns = "   softmax        logit  class"

func writeTop(w io.Writer, v values, labels []string, top int) {
	p := softmax(v)
	for _, class := range ranked(v)[:min(top, v.len())] {
		logit := v.text(class)
		if v.isFloat() {
			logit = fmt.Sprintf("%.5g", v.float(class))
		}
		fmt.Fprintf(w, "%8.2f %% %12s  %s\n", 100*p[class], logit, plain.Text(label(labels, class)))
	}
}

// writeLogits writes the elements with spaces between them.
func writeLogits(w *bufio.Writer, v values) {
	for i := range v.len() {
		if i > 0 {
			w.WriteByte(' ')
		}
		w.WriteString(v.text(i))
	}
	w.WriteByte('\n')
}

// writeScores writes a clip's line of --json. The logits are those of all classes.
func writeScores(e *env, path string, index int, feeds string, v values, labels []string) {
	class := ranked(v)[0]
	e.printJSON(func(w *jsonWriter) {
		w.key("clip").string(path)
		w.key("index").int(index)
		w.key("class").int(class)
		w.key("label").string(label(labels, class))
		v.writeElements(w.key("logits"))
		w.key("feeds").string(feeds)
		w.key("error").string("")
	})
}

// writeFailure writes the line of a clip that could not be read.
func writeFailure(e *env, path string, index int, feeds string, err error) {
	e.printJSON(func(w *jsonWriter) {
		w.key("clip").string(path)
		w.key("index").int(index)
		w.key("class").int(-1)
		w.key("label").string("")
		w.key("logits").ints(nil)
		w.key("feeds").string(feeds)
		w.key("error").string(err.Error())
	})
}

// shown is the number of elements of a tensor that are printed.
const shown = 8

// batched runs on every set of a batch of tensors, and gives the outputs one
// behind the other along their first axis.
func batched(e *env, m *model, s Session, in *inputs) ([]values, error) {
	raw, outs := m.outputs()
	all := make([]values, len(outs))
	for k := range in.batch {
		if err := e.stopped(); err != nil {
			return nil, err
		}
		if err := s.Run(in.set(k), raw); err != nil {
			return nil, errorf("%s: %w", m.path, err)
		}
		for i, v := range outs {
			all[i].raw = append(all[i].raw, v.raw...)
		}
	}
	for i, v := range outs {
		shape := slices.Clone(v.shape)
		if in.batch > 1 {
			if len(shape) == 0 || shape[0] != 1 {
				return nil, errorf("%s: output %s has no batch of one as its first axis: give its inputs one by one", m.path, portText(m.Outputs[i]))
			}
			shape[0] = in.batch
		}
		all[i] = values{v.name, v.elem, shape, all[i].raw}
	}
	return all, e.stopped()
}

// tensors runs on the tensors of --input.
func (c *runCmd) tensors(e *env, m *model, s Session, in *inputs) error {
	for _, note := range in.notes {
		fmt.Fprintf(e.stderr, "note: %s\n", plain.Text(note))
	}
	outs, err := batched(e, m, s, in)
	if err != nil {
		return err // when it was stopped too: nothing is written
	}
	var paths []string
	if c.Out != "" {
		declared := make([]string, len(outs))
		for i := range outs {
			declared[i] = m.declared(m.Outputs[i])
		}
		if paths, err = writeTensors(c.Out, outs, declared); err != nil {
			return err
		}
	}
	if c.JSON {
		e.printJSON(func(w *jsonWriter) {
			w.key("outputs").array(len(outs), func(i int) { outs[i].writeJSON(w) })
		})
		return nil
	}
	for i, v := range outs {
		var b bytes.Buffer
		fmt.Fprintf(&b, "%s %s%s =", plain.Text(v.name), v.elem, shapeText(v.shape))
		for j := range min(v.len(), shown) {
			fmt.Fprintf(&b, " %s", v.text(j))
		}
		if v.len() > shown {
			b.WriteString(" ...")
		}
		if paths != nil {
			fmt.Fprintf(&b, " -> %s", plain.Text(paths[i]))
		}
		fmt.Fprintln(e.stdout, b.String())
	}
	if labels := m.Labels; in.batch == 1 && len(labels) > 0 && len(outs) > 0 && isRow(outs[0]) {
		fmt.Fprintln(e.stdout, columns)
		writeTop(e.stdout, outs[0], labels, c.Top)
	}
	return nil
}

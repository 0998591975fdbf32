package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/train"
)

// The embedded example: a trained, fully binary BILLNET for 12 procedural
// gestures, a few clips with their classes, and PyTorch's logits for them.
var (
	//go:embed demo/model.onnx
	demoModel []byte
	//go:embed demo/clips.npy
	demoClips []byte
	//go:embed demo/classes.npy
	demoClasses []byte
	//go:embed demo/logits.npy
	demoLogits []byte
	//go:embed demo/labels.txt
	demoLabels string
)

type demoCmd struct {
	Columns int `default:"64" help:"Width of the clip shown in the terminal; 0 shows none."`
}

// The demo's bounds: compiled output against the interpreter, and against the
// logits that PyTorch recorded.
const (
	interpreterBound = 1e-5
	pytorchBound     = 1e-3
)

func (c *demoCmd) Run(ctx context.Context, s *streams) error {
	w := s.out
	fmt.Fprintf(w, "Compiling an embedded ONNX model: a binary BILLNET that tells 12 gestures apart.\n\n")
	m, rep, err := onnx.ImportBytes("demo.onnx", demoModel, onnx.Options{})
	if err != nil {
		return err
	}
	m.Labels = lines(demoLabels)
	source := m.Clone()
	start := time.Now()
	b, err := lower(ctx, m, passes.Default(), passes.RunOptions{})
	if err != nil {
		return err
	}
	data, plan, err := b.bytecode()
	if err != nil {
		return err
	}
	compileTime := time.Since(start)
	for _, n := range append(rep.Notes, b.notes...) {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	fmt.Fprintln(w)
	b.ledger.Print(w)
	fmt.Fprintf(w, "\nONNX %d bytes -> bytecode %d bytes (%.0f times smaller), compiled in %d ms\n", len(demoModel), len(data), float64(len(demoModel))/float64(len(data)), compileTime.Milliseconds())
	fmt.Fprintf(w, "activation arena %d bytes, lower bound %d\n\n", plan.Arena, plan.LowerBound)
	return c.runClips(ctx, s, source, m, data)
}

// runClips runs the compiled model on the embedded clips and compares it with
// the interpreter and with PyTorch.
func (c *demoCmd) runClips(ctx context.Context, s *streams, source, packed *ir.Module, data []byte) error {
	clips, err := decodeTensor(bytes.NewReader(demoClips))
	if err != nil {
		return err
	}
	classes, err := decodeTensor(bytes.NewReader(demoClasses))
	if err != nil {
		return err
	}
	want, err := decodeTensor(bytes.NewReader(demoLogits))
	if err != nil {
		return err
	}
	prog, err := runtime.LoadBytes(data)
	if err != nil {
		return err
	}
	session, err := prog.NewSession(runtime.Options{})
	if err != nil {
		return err
	}
	defer session.Close()
	n := len(classes.I)
	scores := len(want.F) / n
	frame := clips.Len() / n
	var interpreted, recorded float64
	video := make([][]byte, n)
	logits := make([]float32, scores)
	for i := range n {
		in := ir.IntTensor(ir.U8, clips.I[i*frame:(i+1)*frame], packed.Main().Params[0].Value.Type.Shape...)
		video[i] = in.Data()
		if i == 0 {
			if err := c.show(s.out, in); err != nil {
				return err
			}
		}
		if err := session.Run([][]byte{video[i]}, [][]byte{runtime.Bytes(logits)}); err != nil {
			return err
		}
		ref, err := ir.Eval(ctx, source.Main(), []*ir.Tensor{in}, nil)
		if err != nil {
			return err
		}
		interpreted = max(interpreted, largestDiff(logits, ref[0].F))
		recorded = max(recorded, largestDiff(logits, want.F[i*scores:(i+1)*scores]))
		best := train.Argmax(logits)
		fmt.Fprintf(s.out, "clip %d: %-12s (logit %6.2f)   true class: %s\n", i, packed.Labels[best], logits[best], packed.Labels[classes.I[i]])
	}
	fmt.Fprintf(s.out, "\nlargest difference of a logit: %.1e from the reference interpreter on the source graph, %.1e from PyTorch\n", interpreted, recorded)
	fmt.Fprintf(s.out, "speed: %.2f ms a clip of 16 frames, one thread\n", milliseconds(session, video, logits))
	if interpreted > interpreterBound || recorded > pytorchBound {
		return withCode(exitDiffer, "the compiled model disagrees: %g from the interpreter (at most %g), %g from PyTorch (at most %g)", interpreted, interpreterBound, recorded, pytorchBound)
	}
	fmt.Fprintln(s.out, "compiled model, interpreter and PyTorch agree.")
	return nil
}

// show prints a frame of a clip where the output is a terminal.
func (c *demoCmd) show(w io.Writer, t *ir.Tensor) error {
	f, ok := w.(*os.File)
	if !ok || c.Columns <= 0 {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	shape := t.Type.Shape
	spec := clip.Spec{C: shape[1], T: shape[2], H: shape[3], W: shape[4], DType: "u8"}
	video, err := spec.Clip(&clip.Tensor{Shape: shape[1:], U8: t.Data()})
	if err != nil {
		return err
	}
	return clip.Render(w, video, shape[2]/2, c.Columns)
}

func largestDiff(a, b []float32) float64 {
	m := 0.0
	for i := range a {
		m = max(m, math.Abs(float64(a[i])-float64(b[i])))
	}
	return m
}

// milliseconds returns the median time of a run, measured for half a second.
func milliseconds(s *runtime.Session, video [][]byte, logits []float32) float64 {
	var times []float64
	out := [][]byte{runtime.Bytes(logits)}
	for start := time.Now(); time.Since(start) < time.Second/2; {
		t := time.Now()
		if err := s.Run(video[len(times)%len(video):][:1], out); err != nil {
			return math.NaN()
		}
		times = append(times, float64(time.Since(t).Microseconds())/1000)
	}
	slices.Sort(times)
	return times[len(times)/2]
}

//go:build !nodemo

package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/billnet/billnet/examples/gestures"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/train"
)

type demoCmd struct {
	Columns int `default:"64" help:"Width of the clip shown in the terminal; 0 shows none."`
}

// demoBound is the bound of a logit's difference between the compiled network,
// the interpreter and the training engine.
const demoBound = 1e-5

func (c *demoCmd) Run(ctx context.Context, s *streams) error {
	w := s.out
	fmt.Fprintf(w, "Compiling an embedded ONNX model: a binary BILLNET, trained with billc to tell 12 gestures apart.\n\n")
	m, rep, err := onnx.ImportBytes(ctx, "gestures.onnx", gestures.Model(), onnx.Options{})
	if err != nil {
		return err
	}
	source := m.Clone()
	start := time.Now()
	b, err := lower(ctx, m, pipeline.Default(), passes.RunOptions{})
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
	b.ledger.Print(w, columns(w))
	fmt.Fprintf(w, "\nONNX %d bytes -> bytecode %d bytes (%.0f times smaller), compiled in %d ms\n", len(gestures.Model()), len(data), float64(len(gestures.Model()))/float64(len(data)), compileTime.Milliseconds())
	fmt.Fprintf(w, "activation arena %d bytes, lower bound %d\n\n", plan.Arena, plan.LowerBound)
	return c.runClips(ctx, s, source, m, data)
}

// runClips runs the compiled model on the embedded clips and compares it with
// the interpreter and with the training engine.
func (c *demoCmd) runClips(ctx context.Context, s *streams, source, packed *ir.Module, data []byte) error {
	clips, err := decodeTensor(bytes.NewReader(gestures.Clips()), "")
	if err != nil {
		return err
	}
	classes, err := decodeTensor(bytes.NewReader(gestures.Classes()), "")
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
	trainer, err := train.New(source, train.Options{Batch: 1})
	if err != nil {
		return err
	}
	n := classes.Len()
	frame := clips.Len() / n
	var interpreted, trained float64
	right := 0
	video := make([][]byte, n)
	logits := make([]float32, trainer.Classes())
	for i := range n {
		in := ir.IntTensor(ir.U8, clips.IntRange(i*frame, (i+1)*frame), packed.Main().Params[0].Value.Type.Shape...)
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
		want, err := trainer.Forward(video[i], nil)
		if err != nil {
			return err
		}
		interpreted = max(interpreted, largestDiff(logits, ref[0].Floats()))
		trained = max(trained, largestDiff(logits, want))
		best := train.Argmax(logits)
		if int64(best) == classes.Int(i) {
			right++
		}
		fmt.Fprintf(s.out, "clip %2d: %-29s (logit %6.2f)   true class: %s\n", i, packed.Labels[best], logits[best], packed.Labels[classes.Int(i)])
	}
	fmt.Fprintf(s.out, "\n%d of %d clips are right; the network has never seen them.\n", right, n)
	fmt.Fprintf(s.out, "largest difference of a logit: %.1e from the reference interpreter on the source graph, %.1e from the training engine\n", interpreted, trained)
	fmt.Fprintf(s.out, "speed: %.2f ms a clip of 16 frames, one thread\n", milliseconds(session, video, logits))
	if interpreted > demoBound || trained > demoBound {
		return withCode(exitDiffer, "the compiled model disagrees: %g from the interpreter, %g from the training engine (at most %g)", interpreted, trained, demoBound)
	}
	fmt.Fprintln(s.out, "compiled model, interpreter and training engine agree.")
	return nil
}

// show prints a frame of a clip where the output is a terminal.
func (c *demoCmd) show(w *plain.Writer, t *ir.Tensor) error {
	f := terminal(w)
	if f == nil || c.Columns <= 0 {
		return nil
	}
	shape := t.Type.Shape
	spec := clip.Spec{C: shape[1], T: shape[2], H: shape[3], W: shape[4], DType: "u8"}
	video, err := spec.Clip(&clip.Tensor{Shape: shape[1:], U8: t.Data()})
	if err != nil {
		return err
	}
	return clip.Render(f, video, shape[2]/2, c.Columns)
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

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/codegen/gosrc"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/verify"
)

// image compiles the model for an executable.
func (c *compileCmd) image(ctx context.Context, s *streams) (*compiled, *billb.Image, error) {
	e, err := c.emitter()
	if err != nil {
		return nil, nil, err
	}
	steps, err := c.steps(e)
	if err != nil {
		return nil, nil, err
	}
	steps = pipeline.WrittenOut(steps)
	m, notes, err := c.load(ctx, c.Model)
	if err != nil {
		return nil, nil, err
	}
	built, err := c.compile(ctx, s, s.out, m, steps)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	for _, n := range append(notes, built.notes...) {
		fmt.Fprintf(s.err, "note: %s\n", n)
	}
	img, _, err := bytecode.Generate(m, report.EncodeCertificates(built.certs))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	return built, img, nil
}

// writeGo writes a Go package for a compiled model.
func writeGo(ctx context.Context, c *compileCmd, s *streams, dir string, built *compiled) error {
	img, _, err := bytecode.Generate(built.module, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	golden, err := c.clipFlags.golden(ctx, s, &c.pixelFlags, c.Golden, built, img)
	if err != nil {
		return err
	}
	if golden == nil {
		if golden, err = sampleVectors(img); err != nil {
			return fmt.Errorf("%s: %w", c.Model, err)
		}
	}
	files, err := gosrc.Generate(img, gosrc.Options{Package: c.Package, Golden: golden, Small: c.Small})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	if err := replacePackage(dir, files); err != nil {
		return err
	}
	text := 0
	for name, data := range files {
		if filepath.Ext(name) != ".bin" {
			text += len(data)
		}
	}
	fmt.Fprintf(s.err, "wrote %s: %d files, %d bytes of Go and assembly, weights %d bytes\n", dir, len(files), text, len(files["weights.bin"]))
	return nil
}

// maxGolden bounds the clips that are kept in a package or an executable.
const maxGolden = 8

// golden runs clips through the reference interpreter.
func (c clipFlags) golden(ctx context.Context, s *streams, px *pixelFlags, paths []string, built *compiled, img *billb.Image) ([]gosrc.Vector, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	c.Clips, c.MaxClips = paths, min(c.MaxClips, maxGolden)
	f, states := built.module.Main(), built.module.States()
	inputs, outputs := len(f.Params)-states, len(f.Results)-states
	sets, err := c.read(ctx, s, px, (&verify.Module{M: built.module}).Inputs()[:inputs], built.module.Meta)
	if err != nil {
		return nil, err
	}
	run, err := newPlainRun(img)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	var list []gosrc.Vector
	var state []*ir.Tensor // of a stream
	for _, p := range f.Params[inputs:] {
		state = append(state, ir.NewTensor(p.Value.Type))
	}
	for _, in := range sets {
		in = ir.ConvertInputs(f, slices.Concat(in, state))
		out, err := ir.Eval(ctx, f, in, nil)
		if err != nil {
			return nil, err
		}
		in, out, state = in[:inputs], out[:outputs], out[outputs:]
		v := gosrc.Vector{Inputs: portBytes(in), Outputs: portBytes(out)}
		got, err := run.outputs(v.Inputs)
		if err != nil {
			return nil, err
		}
		if !slices.EqualFunc(got, v.Outputs, func(a, b []byte) bool { return string(a) == string(b) }) && !anyNaN(out) {
			return nil, fmt.Errorf("BUG: %s: the bytecode gives other outputs than the interpreter", strings.Join(paths, ", "))
		}
		list = append(list, v)
	}
	return list, nil
}

func anyNaN(list []*ir.Tensor) bool {
	for _, t := range list {
		for i := range t.Len() {
			if v := t.Float(i); v != v {
				return true
			}
		}
	}
	return false
}

// portBytes writes tensors as ports have them: f16 and bf16 as f32, a byte for a
// logic element.
func portBytes(list []*ir.Tensor) [][]byte {
	var out [][]byte
	for _, t := range list {
		if d := t.Type.DType; d == ir.F16 || d == ir.BF16 {
			t = t.Convert(ir.F32)
		}
		b := t.Data()
		if t.Type.DType.IsLogic() {
			b = make([]byte, t.Len())
			for i, v := range t.Ints() {
				b[i] = byte(v)
			}
		}
		out = append(out, b)
	}
	return out
}

// samples is the number of made-up inputs that a package or an executable is
// checked with: zeros, the largest values, and random ones.
const samples = 4

// sampleOutputs is what the plain kernels give for the samples.
func sampleOutputs(img *billb.Image) ([][][]byte, error) {
	list, err := sampleVectors(img)
	var out [][][]byte
	for _, v := range list {
		out = append(out, v.Outputs)
	}
	return out, err
}

// sampleVectors are those samples, for a network of frames one after the other.
func sampleVectors(img *billb.Image) ([]gosrc.Vector, error) {
	run, err := newPlainRun(img)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	var list []gosrc.Vector
	for k := range samples {
		var v gosrc.Vector
		r := rand.New(rand.NewPCG(uint64(k), 1))
		for _, p := range img.Inputs {
			v.Inputs = append(v.Inputs, runtime.Sample(p, k, r))
		}
		if v.Outputs, err = run.outputs(v.Inputs); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// plainRun runs a program with the plain kernels.
type plainRun struct {
	*runtime.Session
	prog *runtime.Program
}

func newPlainRun(img *billb.Image) (*plainRun, error) {
	data, err := img.Encode()
	if err != nil {
		return nil, err
	}
	prog, err := runtime.LoadBytes(data)
	if err != nil {
		return nil, err
	}
	s, err := prog.NewSession(runtime.Options{ISA: "generic"})
	return &plainRun{s, prog}, err
}

// outputs is the outputs of a run.
func (r *plainRun) outputs(in [][]byte) ([][]byte, error) {
	var out [][]byte
	for _, p := range r.prog.Outputs() {
		n := p.Elem.Width()
		for _, d := range p.Shape {
			n *= d
		}
		out = append(out, make([]byte, n))
	}
	return out, r.Run(in, out)
}

// certified is the thresholds of the certificates.
func (b *compiled) certified() []gosrc.Certified {
	var list []gosrc.Certified
	for _, c := range b.certs {
		k := gosrc.Certified{Layer: c.Layer}
		for _, p := range c.Channels {
			k.Thresholds = append(k.Thresholds, p.T)
		}
		list = append(list, k)
	}
	return list
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/passes/streaming"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
)

type inspectCmd struct {
	Model string `arg:"" help:"Model or artifact: .onnx, .bill or .billb."`
	JSON  bool   `help:"Print JSON."`
	Raw   bool   `help:"Show the model as it is, before any pass."`

	Target string `help:"Show what the network takes as C on a microcontroller: memory, flash and instructions, layer by layer; ${targets}." placeholder:"CORE"`
	modelFlags
}

// inspection is what inspect prints.
type inspection struct {
	File    string            `json:"file"`
	Level   string            `json:"level"`
	Meta    map[string]string `json:"meta"`
	Inputs  []portInfo        `json:"inputs"`
	Outputs []portInfo        `json:"outputs"`
	Labels  []string          `json:"labels"`

	Mode      string               `json:"mode"`       // clip or causal: when there is a result; "" for a network of no clips, and with --raw
	NotCausal []streaming.Obstacle `json:"not_causal"` // why it is clip
	frames    int                  // of a clip

	Ledger *report.Ledger `json:"ledger"`

	Operators []operatorInfo `json:"operators"`

	Instructions []instruction `json:"instructions"`
	FileBytes    int64         `json:"file_bytes"`
	WeightBytes  int           `json:"weight_bytes"`
	ArenaBytes   int           `json:"arena_bytes"`
	LowerBound   int           `json:"arena_lower_bound"`
	Memory       memoryInfo    `json:"memory"`
	Certified    []certInfo    `json:"certificates"`
}

// memoryInfo is the memory of a session with one thread and the best kernels, in
// bytes; zeros for what is not bytecode.
type memoryInfo struct {
	Arena   int `json:"arena"`
	Scratch int `json:"scratch"`
	Ports   int `json:"ports"`
	Total   int `json:"total"`
}

type portInfo struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// operatorInfo counts an operator in a model that cannot be imported.
type operatorInfo struct {
	Op      string `json:"op"`
	Nodes   int    `json:"nodes"`
	Refused int    `json:"refused"`
}

type instruction struct {
	Name string `json:"layer"`
	Op   string `json:"op"`
}

type certInfo struct {
	Layer      string `json:"layer"`
	Class      string `json:"class"`
	Channels   int    `json:"channels"`
	Enumerated int    `json:"enumerated"`
	AtRisk     int    `json:"at_risk"`
}

func (c *inspectCmd) Run(ctx context.Context, s *streams) error {
	info, err := os.Stat(c.Model)
	if err != nil {
		return err
	}
	if c.Target != "" {
		return c.inspectTarget(ctx, s)
	}
	var in *inspection
	if filepath.Ext(c.Model) == ".billb" {
		in, err = inspectBytecode(c.Model)
	} else {
		in, err = c.inspectModel(ctx, s)
	}
	var refused *onnx.UnsupportedError
	if errors.As(err, &refused) {
		in = inspectRefused(refused)
	} else if err != nil {
		return err
	}
	in.File, in.FileBytes = c.Model, info.Size()
	in.fill()
	if !c.JSON {
		in.print(s.out)
	} else if err := printJSON(s.out, in); err != nil {
		return err
	}
	return err
}

// inspectRefused is what is known of a model that cannot be imported: what its file
// says of inputs and outputs, and its operators, those of the main graph and all that
// are refused.
func inspectRefused(e *onnx.UnsupportedError) *inspection {
	g := e.Source.Graph
	in := &inspection{Level: "refused", Meta: e.Source.Metadata}
	for _, v := range g.Inputs {
		in.Inputs = append(in.Inputs, portInfo{v.Name, v.String()})
	}
	for _, v := range g.Outputs {
		in.Outputs = append(in.Outputs, portInfo{v.Name, v.String()})
	}
	at := map[string]int{}
	count := func(op string) *operatorInfo {
		if _, ok := at[op]; !ok {
			at[op] = len(in.Operators)
			in.Operators = append(in.Operators, operatorInfo{Op: op})
		}
		return &in.Operators[at[op]]
	}
	for _, n := range g.Nodes {
		count(n.QualifiedOp()).Nodes++
	}
	for _, it := range e.Items {
		o := count(it.Op)
		o.Refused++
		o.Nodes = max(o.Nodes, o.Refused) // nodes of inner graphs are listed when they are refused
	}
	for _, t := range g.Initializers {
		in.WeightBytes += (t.Len()*t.DType.Bits() + 7) / 8
	}
	return in
}

func (c *inspectCmd) inspectModel(ctx context.Context, s *streams) (*inspection, error) {
	in := &inspection{}
	b, err := c.lowered(ctx, s, streaming.Look(pipeline.Default(), in.streams))
	if err != nil {
		return nil, err
	}
	m := b.module
	f := m.Main()
	in.Level, in.Meta, in.Labels, in.Ledger, in.Certified = m.Level.String(), m.Meta, m.Labels, b.ledger, certInfos(b.certs)
	if m.Streams() {
		in.Mode = modeCausal
	}
	if axis := streaming.FramesAxis(f.Params, m.Meta); axis >= 0 {
		in.frames = f.Params[0].Value.Type.Shape[axis]
	} else {
		in.Mode, in.NotCausal = "", nil
	}
	in.WeightBytes = b.ledger.BitBytes + b.ledger.IntBytes + b.ledger.FloatBytes
	for _, p := range f.Params {
		in.Inputs = append(in.Inputs, portInfo{p.Name, p.Value.Type.String()})
	}
	for _, p := range f.Results {
		in.Outputs = append(in.Outputs, portInfo{p.Name, p.Value.Type.String()})
	}
	if m.Level == ir.Packed {
		switch _, plan, err := bytecode.Generate(m, nil); {
		case err == nil:
			in.ArenaBytes, in.LowerBound = plan.Arena, plan.LowerBound
		case errors.As(err, new(*bytecode.UnsupportedError)):
			fmt.Fprintf(s.err, "note: %v\n", err)
		default:
			return nil, fmt.Errorf("%s: %w", c.Model, err)
		}
	}
	return in, nil
}

// When there is a result: after the last frame of a clip, or after every one.
const (
	modeClip   = "clip"
	modeCausal = "causal"
)

// streams says what the search for a step has found.
func (in *inspection) streams(err error) {
	var e *streaming.Error
	switch {
	case err == nil:
		in.Mode = modeCausal
	case errors.As(err, &e):
		in.Mode, in.NotCausal = modeClip, e.Obstacles
	}
}

// lowered is the model after the steps, of which a packed one and --raw have none. Notes are printed.
func (c *inspectCmd) lowered(ctx context.Context, s *streams, steps []passes.Step) (*compiled, error) {
	m, notes, err := c.load(ctx, c.Model)
	if err != nil {
		return nil, err
	}
	if c.Raw || m.Level == ir.Packed {
		steps = nil
	}
	b, err := lower(ctx, m, steps, passes.RunOptions{After: s.watch(c.Model, steps)})
	s.idle()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	for _, n := range append(notes, b.notes...) {
		fmt.Fprintf(s.err, "note: %s\n", n)
	}
	return b, nil
}

func certInfos(certs []report.Certificate) []certInfo {
	var out []certInfo
	for i := range certs {
		k := certInfo{Layer: certs[i].Layer, Class: certs[i].Class.String(), Channels: len(certs[i].Channels), AtRisk: certs[i].AtRisk()}
		for _, p := range certs[i].Channels {
			if p.Enumerated {
				k.Enumerated++
			}
		}
		out = append(out, k)
	}
	return out
}

func inspectBytecode(path string) (*inspection, error) {
	data, err := readBytecode(path)
	if err != nil {
		return nil, err
	}
	img, err := billb.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p, err := runtime.LoadBytes(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	in := &inspection{Level: "bytecode", Meta: map[string]string{}, Labels: img.Labels, ArenaBytes: p.ArenaBytes()}
	switch {
	case p.Streams():
		in.Mode = modeCausal
	case p.Frames() > 0:
		in.Mode, in.frames = modeClip, p.Frames()
	}
	s, err := p.NewSession(runtime.Options{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer s.Close()
	used := s.Memory()
	in.Memory = memoryInfo{used.Arena, used.Scratch, used.Ports, used.Total()}
	var certs []report.Certificate
	for _, kv := range img.Meta {
		in.Meta[kv[0]] = kv[1]
	}
	for _, k := range img.Consts {
		in.WeightBytes += len(k.Data)
	}
	for _, q := range img.Inputs {
		in.Inputs = append(in.Inputs, portInfo{q.Name, q.Elem.String() + ir.ShapeString(q.Shape)})
	}
	for _, q := range img.Outputs {
		in.Outputs = append(in.Outputs, portInfo{q.Name, q.Elem.String() + ir.ShapeString(q.Shape)})
	}
	for _, i := range img.Code {
		in.Instructions = append(in.Instructions, instruction{i.Name, i.Op.String()})
	}
	if len(img.Certificate) > 0 {
		if certs, err = report.DecodeCertificates(img.Certificate); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		in.Certified = certInfos(certs)
	}
	in.Ledger = bytecodeLedger(img, p.Instructions(), certs)
	return in, nil
}

// fill makes lists of what is not there, for JSON.
func (in *inspection) fill() {
	if in.Meta == nil {
		in.Meta = map[string]string{}
	}
	if in.Ledger == nil {
		in.Ledger = &report.Ledger{}
	}
	for _, list := range []*[]portInfo{&in.Inputs, &in.Outputs} {
		*list = append([]portInfo{}, *list...)
	}
	in.Labels = append([]string{}, in.Labels...)
	in.NotCausal = append([]streaming.Obstacle{}, in.NotCausal...)
	in.Operators = append([]operatorInfo{}, in.Operators...)
	in.Instructions = append([]instruction{}, in.Instructions...)
	in.Certified = append([]certInfo{}, in.Certified...)
	in.Ledger.Fill()
}

// bytecodeLedger accounts for a program's instructions but those that only change
// a layout. What their operands are says what kind they are; the reasons are those
// of the compilation, which bytecode does not keep.
func bytecodeLedger(img *billb.Image, code []runtime.InstrInfo, certs []report.Certificate) *report.Ledger {
	l := &report.Ledger{}
	for i := range img.Code {
		in := &img.Code[i]
		if in.Op == billb.OpRelayout || in.Op == billb.OpReshape || len(in.Out) == 0 {
			continue
		}
		out := img.Buffers[in.Out[0]]
		e := report.Entry{Layer: in.Name, Op: code[i].Op, Kind: instructionKind(img, in), Shape: out.Elem.String() + ir.ShapeString(out.Shape), MACs: int(code[i].MACs), Class: "exact", Why: "as compiled"}
		for _, k := range in.Const {
			if k >= 0 {
				e.Bytes += len(img.Consts[k].Data)
			}
		}
		for _, k := range in.In {
			if k < -1 {
				e.Bytes += len(img.Consts[billb.ConstOperand(k)].Data)
			}
		}
		for k := range certs {
			if certs[k].Layer == in.Name && certs[k].Class == passes.Ideal {
				e.Class, e.Margin, e.AtRisk = "ideal", certs[k].MinMargin(), certs[k].AtRisk()
			}
		}
		for _, p := range img.Outputs {
			e.Output = e.Output || slices.Contains(in.Out, p.Buffer)
		}
		l.Add(e)
	}
	return l
}

// instructionKind is float where an operand or a result is, else bit or integer by
// the first operand.
func instructionKind(img *billb.Image, in *billb.Instr) string {
	kind := ""
	for _, id := range append(slices.Clone(in.In), in.Out...) {
		if id < 0 {
			continue
		}
		switch e := img.Buffers[id].Elem; {
		case e == runtime.F32 || e == runtime.F64:
			return "float"
		case kind != "":
		case e == runtime.Bit || e == runtime.SBit || e == runtime.Tern:
			kind = "bit"
		default:
			kind = "integer"
		}
	}
	return cmp.Or(kind, "integer")
}

func (in *inspection) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %s, %d bytes\n", in.File, in.Level, in.FileBytes)
	for _, p := range in.Inputs {
		fmt.Fprintf(w, "input   %s: %s\n", plain.Text(p.Name), p.Type)
	}
	for _, p := range in.Outputs {
		fmt.Fprintf(w, "output  %s: %s\n", plain.Text(p.Name), p.Type)
	}
	if len(in.Labels) > 0 {
		fmt.Fprintf(w, "labels  %d: %s\n", len(in.Labels), plain.Text(fmt.Sprint(in.Labels)))
	}
	switch {
	case in.Mode == modeClip:
		fmt.Fprintf(w, "mode    clip: a result after %d frames, or for clips that overlap after every N more (billrun --slide N), for a whole run each\n", in.frames)
	case in.Mode == modeCausal && in.Level == "bytecode":
		fmt.Fprintln(w, "mode    causal: a result after every frame")
	case in.Mode == modeCausal:
		fmt.Fprintln(w, "mode    causal: a result after every frame, with billc compile --stream")
	}
	for _, o := range in.NotCausal {
		fmt.Fprintf(w, "not causal: %s\n", plain.Text(o.String()))
	}
	for _, o := range in.Operators {
		fmt.Fprintf(w, "operator %-24s %d nodes", plain.Text(o.Op), o.Nodes)
		if o.Refused > 0 {
			fmt.Fprintf(w, ", %d refused", o.Refused)
		}
		fmt.Fprintln(w)
	}
	if len(in.Instructions)+len(in.Operators) == 0 {
		in.Ledger.Print(w, columns(w))
	}
	for i, n := range in.Instructions {
		fmt.Fprintf(w, "%4d  %-14s %s\n", i, n.Op, plain.Text(n.Name))
	}
	for _, k := range in.Certified {
		fmt.Fprintf(w, "certificate  %-24s %s: %d channels, %d enumerated, %d at risk of the source's rounding\n", plain.Text(k.Layer), k.Class, k.Channels, k.Enumerated, k.AtRisk)
	}
	fmt.Fprintf(w, "weights %d bytes", in.WeightBytes)
	if in.ArenaBytes > 0 {
		fmt.Fprintf(w, ", arena %d bytes", in.ArenaBytes)
	}
	if in.LowerBound > 0 {
		fmt.Fprintf(w, " (lower bound %d)", in.LowerBound)
	}
	fmt.Fprintln(w)
}

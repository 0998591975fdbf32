package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/train"
	"github.com/billnet/billnet/train/data"
	"github.com/billnet/billnet/train/recipe"
	"github.com/billnet/billnet/verify"
)

type evalCmd struct {
	Model string `arg:"" help:"Network to measure: .onnx, .bill or .billb, or an executable of billc build for this machine."`
	dataFlags
	splitFlag
	modelFlags
	Clips     int    `default:"1000" help:"Clips, the first ones of the split." placeholder:"N"`
	Threads   int    `default:"1" help:"Threads." placeholder:"N"`
	JSON      bool   `name:"json" help:"Print JSON."`
	Confusion string `help:"Write the confusion matrix as a picture, .png or .svg." placeholder:"FILE"`
}

// Run measures accuracy with the compiled network.
func (c *evalCmd) Run(ctx context.Context, s *streams) error {
	if c.Clips < 1 {
		return withCode(exitUsage, "--clips %d, expected 1 or more", c.Clips)
	}
	var format string
	if c.Confusion != "" {
		var err error
		if format, err = pictureFormat("--confusion", c.Confusion, c.Model, c.Labels); err != nil {
			return err
		}
	}
	net, err := c.network(ctx, s)
	if err != nil {
		return err
	}
	defer net.close()
	classes := net.classes
	spec, err := c.clipSpec(net)
	if err != nil {
		return err
	}
	src, err := data.Open(c.Data, data.Options{Size: data.Size{T: spec.T, H: spec.H, W: spec.W}})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	feeds := spec.Feeds(normOf(net.meta))
	fmt.Fprintf(s.err, "note: input %q is given %s\n", net.inputs[0].Name, feeds)
	if n := len(src.Classes()); n != classes {
		return fmt.Errorf("%s: the network has %d classes, the data %d (%s): choose data with %d classes", c.Model, classes, n, src.Name(), classes)
	}
	order, err := c.order(s, net.labels, src)
	if err != nil {
		return err
	}
	split, err := c.split(src)
	if err != nil {
		return err
	}
	matrix, err := c.measure(ctx, s, src, split, net, spec, order)
	if err != nil {
		return err
	}
	if c.Confusion != "" {
		var picture strings.Builder
		if err := matrix.WritePicture(&picture, format); err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(c.Confusion, []byte(picture.String())); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(s.out, struct {
			Model    string  `json:"model"`
			Data     string  `json:"data"`
			Split    string  `json:"split"`
			Clips    int     `json:"clips"`
			Skipped  int     `json:"skipped"`
			Accuracy float64 `json:"accuracy"`
			Feeds    string  `json:"feeds"`
			*recipe.Confusion
		}{c.Model, src.Name(), split.String(), matrix.Clips(), src.Stats().Skipped, matrix.Accuracy(), feeds, matrix})
	}
	fmt.Fprintf(s.out, "%s on %s, %s: %.2f %% of %d clips\n", c.Model, src.Name(), split, 100*matrix.Accuracy(), matrix.Clips())
	if n := src.Stats().Skipped; n > 0 {
		fmt.Fprintf(s.out, "%s\n", src.Stats())
	}
	fmt.Fprintln(s.out)
	return matrix.Print(s.out)
}

// order maps the network's classes to those of the data: by their names when
// they are the same in another order, else by number.
func (c *evalCmd) order(s *streams, labels []string, src data.Source) ([]int, error) {
	classes := src.Classes()
	if c.Labels != "" {
		var err error
		if labels, err = readLabels(c.Labels); err != nil {
			return nil, err
		}
		if len(labels) != len(classes) {
			return nil, fmt.Errorf("%s: %d labels, the network has %d classes", c.Labels, len(labels), len(classes))
		}
	}
	order, byName := make([]int, len(classes)), make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	i := differs(labels, classes)
	if i < 0 {
		return order, nil
	}
	seen := map[int]bool{}
	for k, l := range labels {
		byName[k] = slices.Index(classes, l)
		seen[byName[k]] = true
	}
	if len(seen) == len(classes) && !seen[-1] {
		fmt.Fprintln(s.err, "note: the network has the data's classes in another order; they are matched by name")
		return byName, nil
	}
	fmt.Fprintf(s.err, "note: class %d is %q in the network and %q in the data; classes are matched by number\n", i, labels[i], classes[i])
	return order, nil
}

// evaluated is a network that gives logits.
type evaluated struct {
	inputs  []ir.Port
	labels  []string
	classes int
	meta    map[string]string
	run     func(clips []byte, n int) ([]float32, error) // n rows of logits for n inputs, as the port has them
	close   func()
}

// evalBatch is the number of clips that a network is given at a time.
const evalBatch = 16

// network loads bytecode, or compiles a model. A network that a stage of training
// left soft in part is not yet what compiling makes of it: the training engine
// evaluates it.
func (c *evalCmd) network(ctx context.Context, s *streams) (*evaluated, error) {
	if isExecutable(c.Model) {
		return c.executable(ctx)
	}
	if filepath.Ext(c.Model) == ".billb" {
		if len(c.Input)+len(c.Shape)+len(c.Dim)+len(c.Const) > 0 {
			return nil, withCode(exitUsage, "%s: --input, --shape, --dim and --const are for ONNX models; bytecode has its types", c.Model)
		}
		text, err := readBytecode(c.Model)
		if err != nil {
			return nil, err
		}
		return c.compiled(text)
	}
	m, notes, err := c.load(ctx, c.Model)
	if err != nil {
		return nil, err
	}
	if w := c.unstated(m); w != nil {
		return nil, withCode(exitUsage, "%s: %s", c.Model, w[0])
	}
	soft := recipe.SoftRoles(m)
	if soft != nil {
		notes = append(notes, fmt.Sprintf("the stage that trained this network left %v soft, and so it is measured; compiled they are hard, and less accurate until a stage trains them so", soft))
	}
	for _, n := range notes {
		fmt.Fprintf(s.err, "note: %s\n", n)
	}
	if soft != nil {
		return c.soft(m, soft)
	}
	text, err := compileToBytecode(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	return c.compiled(text)
}

// compiled is a network as bytecode.
func (c *evalCmd) compiled(text []byte) (*evaluated, error) {
	prog, err := runtime.LoadBytes(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	out := prog.Outputs()[0]
	if out.Elem != runtime.F32 {
		return nil, withCode(exitUsage, "%s: output %q is %s, expected f32 logits", c.Model, out.Name, out.Elem)
	}
	session, err := prog.NewSession(runtime.Options{Threads: c.Threads})
	if err != nil {
		return nil, err
	}
	meta := map[string]string{}
	for _, kv := range prog.Meta() {
		meta[kv[0]] = kv[1]
	}
	e := &evaluated{labels: prog.Labels(), meta: meta, classes: ir.Type{Shape: out.Shape}.Elems(), close: func() { session.Close() }}
	for _, p := range prog.Inputs() {
		d, _ := ir.ParseDType(p.Elem.String())
		e.inputs = append(e.inputs, ir.Port{Name: p.Name, Value: &ir.Value{Type: ir.T(d, p.Shape...)}})
	}
	e.run = func(clips []byte, n int) ([]float32, error) {
		logits := make([]float32, n*e.classes)
		size := len(clips) / n
		for i := range n {
			row := logits[i*e.classes : (i+1)*e.classes]
			if err := session.Run([][]byte{clips[i*size : (i+1)*size]}, [][]byte{runtime.Bytes(row)}); err != nil {
				return nil, err
			}
		}
		return logits, nil
	}
	return e, nil
}

// executable is a program that billc build has made. It tells its interface, and
// prints the logits of clips that it reads from a file.
func (c *evalCmd) executable(ctx context.Context) (*evaluated, error) {
	path, err := filepath.Abs(c.Model)
	if err != nil {
		return nil, err
	}
	call := func(args ...string) ([]byte, error) {
		out, err := exec.CommandContext(ctx, path, args...).Output()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			return nil, fmt.Errorf("%s: %w: %s", c.Model, err, bytes.TrimSpace(exit.Stderr))
		}
		return out, err
	}
	text, err := call("--version", "--json")
	if err != nil {
		return nil, fmt.Errorf("%w; is it an executable of billc build?", err)
	}
	type port struct {
		Name  string
		Elem  string
		Shape []int
	}
	var about struct {
		Inputs, Outputs []port
		Labels          []string
		Meta            map[string]string
	}
	if err := json.Unmarshal(text, &about); err != nil || len(about.Outputs) == 0 {
		return nil, fmt.Errorf("%s does not tell its inputs and outputs: build it again with this billc", c.Model)
	}
	e := &evaluated{labels: about.Labels, meta: about.Meta, classes: ir.Type{Shape: about.Outputs[0].Shape}.Elems(), close: func() {}}
	for _, p := range about.Inputs {
		d, ok := ir.ParseDType(p.Elem)
		if !ok {
			return nil, fmt.Errorf("%s: input %q is of type %q", c.Model, p.Name, p.Elem)
		}
		e.inputs = append(e.inputs, ir.Port{Name: p.Name, Value: &ir.Value{Type: ir.T(d, p.Shape...)}})
	}
	e.run = func(clips []byte, n int) ([]float32, error) {
		dir, err := atomicfile.TempDir("billc-eval")
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		a := &clip.NPY{DType: about.Inputs[0].Elem, Shape: append([]int{n}, about.Inputs[0].Shape[1:]...), Data: clips}
		var b bytes.Buffer
		if err := clip.WriteNPY(&b, a); err != nil {
			return nil, err
		}
		if err := dir.Write("clips.npy", b.Bytes()); err != nil {
			return nil, err
		}
		text, err := call(filepath.Join(dir.Path, "clips.npy"), "--logits", "--threads", fmt.Sprint(c.Threads))
		if err != nil {
			return nil, err
		}
		var logits []float32
		for word := range strings.FieldsSeq(string(text)) {
			v, err := strconv.ParseFloat(word, 32)
			if err != nil {
				return nil, fmt.Errorf("%s prints %q for a logit", c.Model, word)
			}
			logits = append(logits, float32(v))
		}
		if len(logits) != n*e.classes {
			return nil, fmt.Errorf("%s prints %d logits for %d clips, expected %d", c.Model, len(logits), n, n*e.classes)
		}
		return logits, nil
	}
	return e, nil
}

// soft is a network as its stage left it.
func (c *evalCmd) soft(m *ir.Module, roles []train.Role) (*evaluated, error) {
	t, err := train.New(m, train.Options{Batch: evalBatch, Threads: c.Threads})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	for _, role := range roles {
		t.SetSoft(role, train.Soft{On: true})
	}
	return &evaluated{
		inputs: m.Main().Params, labels: m.Labels, meta: m.Meta, classes: t.Classes(), close: func() {},
		run: func(clips []byte, _ int) ([]float32, error) { return t.Forward(clips, nil) },
	}, nil
}

// clipSpec sees the network's one input as a clip of 3 channels.
func (c *evalCmd) clipSpec(net *evaluated) (clip.Spec, error) {
	if len(net.inputs) == 1 {
		p := net.inputs[0]
		spec, ok, err := c.spec(verify.Port{Name: p.Name, Type: p.Value.Type}, net.meta)
		if err != nil || ok && spec.C == 3 {
			return spec, err
		}
	}
	var have []string
	for _, p := range net.inputs {
		have = append(have, fmt.Sprintf("%q: %s", p.Name, p.Value.Type))
	}
	return clip.Spec{}, withCode(exitUsage, "%s: the network's input is %s, expected one clip of 3 channels: u8 or f32, a batch of 1 and the axes C, T, H and W in any order (--layout)", c.Model, strings.Join(have, ", "))
}

// pixelsOf are the clips of a batch, [3][T][H][W], as a network's input has them.
func pixelsOf(batch []uint8, size data.Size, spec clip.Spec) ([]byte, error) {
	var all []byte
	for pix := range slices.Chunk(batch, size.Bytes()) {
		c, err := data.Interleave(size, pix)
		if err != nil {
			return nil, err
		}
		t, err := spec.Tensor(c)
		if err != nil {
			return nil, err
		}
		if t.F32 != nil {
			all = append(all, runtime.Bytes(t.F32)...)
		}
		all = append(all, t.U8...)
	}
	return all, nil
}

// measure counts the clips of a split by their labels and by the network's, whose
// classes order maps to the data's.
func (c *evalCmd) measure(ctx context.Context, s *streams, src data.Source, split data.Split, net *evaluated, spec clip.Spec, order []int) (*recipe.Confusion, error) {
	loader, err := data.NewLoader(src, data.LoaderOptions{Split: split, Batch: evalBatch, Workers: c.Threads, Once: true})
	if err != nil {
		return nil, err
	}
	defer loader.Close()
	matrix := recipe.NewConfusion(src.Classes())
	defer s.idle()
	for done := 0; done < c.Clips; {
		s.doing("%s: %d of %d clips", c.Model, done, c.Clips)
		b, err := loader.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		n := min(b.N, c.Clips-done)
		inputs, err := pixelsOf(b.Clips[:n*src.Size().Bytes()], src.Size(), spec)
		if err != nil {
			return nil, err
		}
		logits, err := net.run(inputs, n)
		if err != nil {
			return nil, err
		}
		for i := range n {
			matrix.Counts[b.Labels[i]][order[train.Argmax(logits[i*net.classes:(i+1)*net.classes])]]++
		}
		done += n
	}
	if matrix.Clips() == 0 {
		return nil, fmt.Errorf("%s has no %s clips", src.Name(), split)
	}
	return matrix, nil
}

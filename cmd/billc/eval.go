package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/train"
	"github.com/billnet/billnet/train/data"
	"github.com/billnet/billnet/train/recipe"
)

type evalCmd struct {
	Model string `arg:"" help:"Network to measure: .onnx, .bill or .billb."`
	dataFlags
	modelFlags
	Clips     int    `default:"1000" help:"Clips, the first ones of the split." placeholder:"N"`
	Split     string `enum:"test,val,train," default:"" help:"Part of the data: test, val or train; by default the test clips, or the validation clips where there are none." placeholder:"SPLIT"`
	Threads   int    `default:"1" help:"Threads." placeholder:"N"`
	JSON      bool   `name:"json" help:"Print JSON."`
	Confusion string `help:"Write the confusion matrix as a picture, .png or .svg." placeholder:"FILE"`
}

// Run measures accuracy with the compiled network.
func (c *evalCmd) Run(ctx context.Context, s *streams) error {
	if c.Clips < 1 {
		return withCode(exitUsage, "--clips %d, expected 1 or more", c.Clips)
	}
	format := strings.TrimPrefix(filepath.Ext(c.Confusion), ".")
	if c.Confusion != "" && format != "png" && format != "svg" {
		return withCode(exitUsage, "--confusion %s: expected a name that ends in .png or .svg", c.Confusion)
	}
	net, err := c.network(ctx, s)
	if err != nil {
		return err
	}
	defer net.close()
	classes := net.classes
	src, err := openData(c.Data, net.inputs)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	if n := len(src.Classes()); n != classes {
		return fmt.Errorf("%s: the network has %d classes, the data %d (%s): choose data with %d classes", c.Model, classes, n, src.Name(), classes)
	}
	order, err := c.order(s, net.labels, src)
	if err != nil {
		return err
	}
	split := data.EvalSplit(src)
	if c.Split != "" {
		if split, err = data.ParseSplit(c.Split); err != nil {
			return err
		}
	}
	matrix, err := c.measure(ctx, src, split, func(clip []uint8) (int, error) {
		logits, err := net.run(clip)
		if err != nil {
			return 0, err
		}
		return order[train.Argmax(logits)], nil
	})
	if err != nil {
		return err
	}
	if c.Confusion != "" {
		var picture strings.Builder
		if err := matrix.WritePicture(&picture, format); err != nil {
			return err
		}
		if err := writeFile(c.Confusion, []byte(picture.String())); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(s, struct {
			Model    string  `json:"model"`
			Data     string  `json:"data"`
			Split    string  `json:"split"`
			Clips    int     `json:"clips"`
			Skipped  int     `json:"skipped"`
			Accuracy float64 `json:"accuracy"`
			*recipe.Confusion
		}{c.Model, src.Name(), split.String(), matrix.Clips(), src.Stats().Skipped, matrix.Accuracy(), matrix})
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
		text, err := os.ReadFile(c.Labels)
		if err != nil {
			return nil, err
		}
		if labels = lines(string(text)); len(labels) != len(classes) {
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
	run     func(clip []uint8) ([]float32, error) // the result is valid until the next call
	close   func()
}

// network loads bytecode, or compiles a model. A network that a stage of training
// left soft in part is not yet what compiling makes of it: the training engine
// evaluates it.
func (c *evalCmd) network(ctx context.Context, s *streams) (*evaluated, error) {
	if filepath.Ext(c.Model) == ".billb" {
		if len(c.Input)+len(c.Shape)+len(c.Dim)+len(c.Const) > 0 {
			return nil, withCode(exitUsage, "%s: --input, --shape, --dim and --const are for ONNX models; bytecode has its types", c.Model)
		}
		text, err := os.ReadFile(c.Model)
		if err != nil {
			return nil, err
		}
		return c.compiled(text)
	}
	m, notes, err := c.load(c.Model)
	if err != nil {
		return nil, err
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
	e := &evaluated{labels: prog.Labels(), classes: ir.Type{Shape: out.Shape}.Elems(), close: func() { session.Close() }}
	for _, p := range prog.Inputs() {
		d, _ := ir.ParseDType(p.Elem.String())
		e.inputs = append(e.inputs, ir.Port{Name: p.Name, Value: &ir.Value{Type: ir.T(d, p.Shape...)}})
	}
	logits := make([]float32, e.classes)
	e.run = func(clip []uint8) ([]float32, error) {
		return logits, session.Run([][]byte{clip}, [][]byte{runtime.Bytes(logits)})
	}
	return e, nil
}

// soft is a network as its stage left it.
func (c *evalCmd) soft(m *ir.Module, roles []train.Role) (*evaluated, error) {
	t, err := train.New(m, train.Options{Batch: 1, Threads: c.Threads})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	for _, role := range roles {
		t.SetSoft(role, train.Soft{On: true})
	}
	return &evaluated{
		inputs: m.Main().Params, labels: m.Labels, classes: t.Classes(), close: func() {},
		run: func(clip []uint8) ([]float32, error) { return t.Forward(clip, nil) },
	}, nil
}

func (c *evalCmd) measure(ctx context.Context, src data.Source, split data.Split, label func(clip []uint8) (int, error)) (*recipe.Confusion, error) {
	loader, err := data.NewLoader(src, data.LoaderOptions{Split: split, Batch: 16, Workers: c.Threads, Once: true})
	if err != nil {
		return nil, err
	}
	defer loader.Close()
	matrix := recipe.NewConfusion(src.Classes())
	size := src.Size().Bytes()
	for matrix.Clips() < c.Clips {
		b, err := loader.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i := range min(b.N, c.Clips-matrix.Clips()) {
			got, err := label(b.Clips[i*size : (i+1)*size])
			if err != nil {
				return nil, err
			}
			matrix.Counts[b.Labels[i]][got]++
		}
	}
	if matrix.Clips() == 0 {
		return nil, fmt.Errorf("%s has no %s clips", src.Name(), split)
	}
	return matrix, nil
}

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	c99 "github.com/billnet/billnet/codegen/c"
	"github.com/billnet/billnet/frontend/onnx"
)

// emitter is a form in which compile writes a network.
type emitter struct {
	name   string
	kind   kind // of its file; without an ending it writes a folder
	packed bool // it is made from the packed level

	// Flags that it alone has, as messages name them, and whether one is given.
	flags string
	given func(c *compileCmd) bool

	write func(ctx context.Context, c *compileCmd, s *streams, out string, b *compiled) error
}

// emitters are all forms; the first is the default.
func emitters() []emitter {
	return []emitter{
		{"bytecode", bytecodeFile, true, "--print-plan is", func(c *compileCmd) bool { return c.PrintPlan }, writeBytecode},
		{"ir", textFile, false, "", nil, writeIR},
		{"onnx", onnxFile, false, "", nil, writeONNX},
		{"go", kind{name: "package"}, true, "--package, --golden and --small are", func(c *compileCmd) bool { return c.Package != "" || len(c.Golden) > 0 || c.Small }, writeGo},
		{"c", kind{name: "folder of C"}, true, "--name is", func(c *compileCmd) bool { return c.Name != "" }, writeC},
	}
}

// emitterNames lists the forms for the flag.
func emitterNames() string {
	var names []string
	for _, e := range emitters() {
		names = append(names, e.name)
	}
	return strings.Join(names, ",")
}

// emitter is the form that was asked for. It refuses flags of others.
func (c *compileCmd) emitter() (*emitter, error) {
	list := emitters()
	for _, e := range list {
		if e.name != c.Emit && e.given != nil && e.given(c) {
			return nil, withCode(exitUsage, "%s for --emit=%s, found --emit=%s", e.flags, e.name, c.Emit)
		}
	}
	if c.MaxMemory != "" && c.Emit != "bytecode" && c.Emit != "c" {
		return nil, withCode(exitUsage, "--max-memory is for --emit=bytecode and --emit=c, found --emit=%s", c.Emit)
	}
	if c.takeProject(); c.project != "" && c.Emit != "c" {
		return nil, withCode(exitUsage, "--layout=%s is for --emit=c, found --emit=%s", c.project, c.Emit)
	}
	e := &list[slices.IndexFunc(list, func(e emitter) bool { return e.name == c.Emit })]
	if c.StopAfter != "" && e.packed {
		return nil, withCode(exitUsage, "--stop-after leaves no packed module to generate from: add --emit=ir or --emit=onnx")
	}
	return e, nil
}

// takeProject takes the build system out of --layout, beside which it may have the order of axes: CTHW,zephyr.
func (c *compileCmd) takeProject() {
	var axes []string
	for _, part := range strings.Split(c.Layout, ",") {
		if slices.Contains(c99.Layouts(), part) {
			c.project = part
		} else {
			axes = append(axes, part)
		}
	}
	c.Layout = strings.Join(axes, ",")
}

func writeBytecode(_ context.Context, c *compileCmd, s *streams, out string, b *compiled) error {
	img, plan, err := b.image()
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	if c.PrintPlan {
		plan.Print(s.beside(out))
	}
	size := int64(0)
	err = s.writeFrom(out, func(w io.Writer) (err error) {
		size, err = img.EncodeTo(w)
		return err
	})
	if err != nil {
		return err
	}
	s.wrote(out, ": %d bytes from %d (%.1f times smaller); arena %d bytes, lower bound %d",
		size, b.modelBytes, float64(b.modelBytes)/float64(size), plan.Arena, plan.LowerBound)
	return nil
}

func writeIR(_ context.Context, _ *compileCmd, s *streams, out string, b *compiled) error {
	b.keepCertificates()
	if err := s.writeText(out, b.module); err != nil {
		return err
	}
	s.wrote(out, " (%s level)", b.module.Level)
	return nil
}

func writeONNX(_ context.Context, c *compileCmd, s *streams, out string, b *compiled) error {
	data, err := onnx.Export(b.module)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	if err := s.write(out, data); err != nil {
		return err
	}
	s.wrote(out, " (%s level, %d bytes)", b.module.Level, len(data))
	return nil
}

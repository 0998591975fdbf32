package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
)

type passesCmd struct{}

// Run lists the presets, then every pass with its options and the presets that
// have it.
func (passesCmd) Run(s *streams) error {
	for _, p := range registry.Presets() {
		fmt.Fprintf(s.out, "%s: %s\n  %s\n", p.Name, p.Doc, passes.Text(p.Steps()))
	}
	fmt.Fprintf(s.out, "\ndefault pipeline: %s\n", passes.Text(pipeline.Default()))
	for _, p := range registry.All() {
		fmt.Fprintf(s.out, "\n%s (%s)\n  %s\n", p.Name, p.Class, p.Doc)
		if len(p.After) > 0 {
			fmt.Fprintf(s.out, "  runs after: %s\n", strings.Join(p.After, ", "))
		}
		fmt.Fprintf(s.out, "  presets: %s\n", cmp.Or(strings.Join(presetsWith(p), ", "), "none, it runs when it is named"))
		for _, o := range p.Options {
			def := ""
			if o.Default != nil {
				def = fmt.Sprintf(", default %v", o.Default)
			}
			fmt.Fprintf(s.out, "  option %s: %s%s; %s\n", o.Name, o.Wants(), def, o.Doc)
		}
	}
	return nil
}

// presetsWith returns the names of the presets that have a pass.
func presetsWith(pass *passes.Pass) []string {
	var names []string
	for _, p := range registry.Presets() {
		if slices.Contains(p.Passes, pass) {
			names = append(names, p.Name)
		}
	}
	return names
}

type opsCmd struct{}

// Run lists the ONNX operators that are imported with the operator sets they are
// read from and the operations they become, then the operations of the IR.
func (opsCmd) Run(s *streams) error {
	writeOperators(s.out)
	fmt.Fprintf(s.out, "\nOperations of the IR\n\n")
	for _, o := range ir.Ops() {
		fmt.Fprintf(s.out, "%s\n", o.Name)
		if o.Onnx != "" {
			fmt.Fprintf(s.out, "  ONNX: %s\n", o.Onnx)
		}
		fmt.Fprintf(s.out, "  %s\n", o.Doc)
		for _, p := range o.Operands {
			form := ""
			if p.Optional {
				form = " (optional)"
			}
			if p.Variadic {
				form = " (any number)"
			}
			fmt.Fprintf(s.out, "  operand %s%s %s\n", p.Name, form, p.Doc)
		}
		for _, a := range o.Attrs {
			def := "required"
			if a.Default != nil {
				def = fmt.Sprintf("default %v", a.Default)
			}
			fmt.Fprintf(s.out, "  attribute %s: %s, %s; %s\n", a.Name, a.Kind, def, a.Doc)
		}
	}
	return nil
}

// writeOperators prints the table of operators, domain by domain.
func writeOperators(out io.Writer) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	domain := "none yet"
	for _, o := range onnx.Operators() {
		if o.Domain != domain {
			domain = o.Domain
			fmt.Fprintf(w, "\nOperators of %s\n\noperator\toperator sets\tcomputes with\tbecomes\tnotes\n", cmp.Or(domain, "ONNX"))
		}
		var becomes []string
		for _, op := range o.IR {
			becomes = append(becomes, op.Name)
		}
		fmt.Fprintf(w, "%s\t%d-%d\t%s\t%s\t%s\n", o.Name, o.MinOpset, o.MaxOpset, forms(o), strings.Join(becomes, ", "), o.Notes)
	}
	w.Flush()
	for line := range strings.Lines(strings.TrimLeft(text.String(), "\n")) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
}

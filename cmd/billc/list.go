package main

import (
	"fmt"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
)

type passesCmd struct{}

func (passesCmd) Run(s *streams) error {
	fmt.Fprintf(s.out, "default pipeline: %s\n", strings.Join(passes.Pipeline, ", "))
	for _, p := range passes.All() {
		fmt.Fprintf(s.out, "\n%s (%s)\n  %s\n", p.Name, p.Class, p.Doc)
		if len(p.After) > 0 {
			fmt.Fprintf(s.out, "  runs after: %s\n", strings.Join(p.After, ", "))
		}
	}
	return nil
}

type opsCmd struct{}

func (opsCmd) Run(s *streams) error {
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

package passes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
)

var _ = register(&Pass{
	Name: "u8-input",
	Doc: "An f32 input that holds the integers 0..255 becomes u8: where the option input=NAME says so, and where all its readers divide it by 255 " +
		"(or multiply by 1/255), which is said aloud.",
	Class: Exact,
	Run: func(c *Context, m *ir.Module) error {
		f := m.Main()
		uses := f.Uses()
		for _, name := range c.Options.U8Inputs {
			if !slices.ContainsFunc(f.Params, func(p ir.Port) bool { return p.Name == name }) {
				return fmt.Errorf("there is no input %q to be u8; inputs are %s", name, portNames(f.Params))
			}
		}
		for i, p := range f.Params {
			named := slices.Contains(c.Options.U8Inputs, p.Name)
			inferred := !named && dividedBy255(p.Value, uses[p.Value])
			if t := p.Value.Type; named && t.DType != ir.F32 && t.DType != ir.U8 {
				return fmt.Errorf("input %q is %s: only an f32 input can be declared u8", p.Name, t)
			}
			if p.Value.Type.DType != ir.F32 || !named && !inferred {
				continue
			}
			if inferred {
				c.Note("input %q is taken as u8 (0..255), because the graph divides it by 255; --input %s=f32 keeps floats", p.Name, p.Name)
			}
			v := &ir.Value{Type: p.Value.Type.With(ir.U8)}
			cast, err := ir.NewNode("cast", []*ir.Value{v}, map[string]any{"to": "f32"}, ir.Loc{Name: p.Name})
			if err != nil {
				return err
			}
			f.Params[i].Value = v
			f.Replace(map[*ir.Value]*ir.Value{p.Value: cast.Result()})
			f.Nodes = slices.Insert(f.Nodes, 0, cast)
		}
		return nil
	},
})

func dividedBy255(v *ir.Value, readers []*ir.Node) bool {
	for _, n := range readers {
		switch {
		case n.Is("div") && n.Args[0] == v && isSplat(n.Args[1], 255):
		case n.Is("mul") && n.Args[0] == v && isSplat(n.Args[1], float64(float32(1)/255)):
		case n.Is("mul") && n.Args[1] == v && isSplat(n.Args[0], float64(float32(1)/255)):
		default:
			return false
		}
	}
	return len(readers) > 0
}

func portNames(ports []ir.Port) string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = fmt.Sprintf("%q", p.Name)
	}
	return strings.Join(names, ", ")
}

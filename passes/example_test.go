package passes_test

import (
	"context"
	"fmt"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
)

// A pass of a program's own: max(x, 0) becomes relu(x). It is a rule for Context.Rewrite,
// registered under a name, so that texts of pipelines can say it.
func Example() {
	maxToRelu := &passes.Pass{
		Name:  "max-to-relu",
		Doc:   "The larger of a value and 0 is a relu.",
		Class: passes.Exact,
		After: []string{"fold-constants"},
		Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
			return c.Rewrite(f, func(rw *passes.Rewriter, n *ir.Node) []*ir.Value {
				if !n.Is(ir.Max) || len(n.Args) != 2 || !ir.IsSplat(n.Args[1], 0) || !ir.SameShape(n.In(0).Shape, n.Result().Type.Shape) {
					return nil // the rule does not apply
				}
				c.Note("%s is a relu", n.LayerName())
				return []*ir.Value{rw.Op(ir.Relu, nil, n.Args[0])}
			})
		}),
	}
	registry := pipeline.Registry()
	registry.Register(maxToRelu)

	m, err := bill.Parse("net.bill", []byte(`
		bill 1 module "net" level=source
		func @main(%x "x": f32[2,3]) {
		  %one = const [1] : f32[]
		  %zero = sub %one, %one
		  %y = max %x, %zero
		  return %y "y"
		}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	steps, err := registry.Parse("steps", "fold-constants, max-to-relu")
	if err != nil {
		fmt.Println(err)
		return
	}
	// With Check, the module is evaluated before and after every pass: a pass that
	// says it is exact and is not is an error that names it.
	result, err := passes.Run(context.Background(), m, steps, passes.RunOptions{Check: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Notes[0])
	fmt.Print(ir.PrintFunc(m.Main()))
	// Output:
	// y is a relu
	//
	// func @main(%0 "x": f32[2,3]) {
	//   %1 = relu %0 : f32[2,3] loc("y")
	//   return %1 "y"
	// }
}

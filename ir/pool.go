package ir

import "fmt"

var poolAttrs = append([]Attr{
	{Name: "kernel", Kind: KInts, Doc: "size of the window along every spatial axis"},
	{Name: "ceil", Kind: KBool, Default: false, Doc: "round the output size up: the last window may reach beyond the padding; windows that start in the padding after are left out"},
}, windowAttrs...)

// poolInfer checks a pooling over x [N,C,spatial...] and returns the result's
// type, of the same element type.
func poolInfer(n *Node) ([]Type, error) {
	x := n.In(0)
	if x.Rank() < 3 {
		return nil, fmt.Errorf("x is %s, expected [N,C,spatial...]", x)
	}
	w, err := poolWindow(n)
	if err != nil {
		return nil, err
	}
	return []Type{T(x.DType, append([]int{x.Shape[0], x.Shape[1]}, w.out...)...)}, nil
}

func poolWindow(n *Node) (*window, error) {
	return newWindow(n, n.In(0).Shape[2:], n.Ints("kernel"), n.Bool("ceil"))
}

// poolReads are the Reads of a pooling.
func poolReads(n *Node, _, _ int) []Read {
	r := sames(n.In(0).Rank(), 0)
	w, err := poolWindow(n)
	if err != nil {
		return make([]Read, len(r))
	}
	for a := range w.kernel {
		r[2+a] = w.read(a)
	}
	return r
}

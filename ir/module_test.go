package ir_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
)

// randomFunc is a graph of additions and splits over x with dead nodes in it.
func randomFunc(t *testing.T, rng *rand.Rand) *ir.Func {
	x := &ir.Value{Type: ir.T(ir.I32, 2)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := &ir.Builder{F: f}
	pool := []*ir.Value{x}
	pick := func() *ir.Value { return pool[rng.IntN(len(pool))] }
	for i := range 30 {
		b.Loc.Name = fmt.Sprint(i)
		if rng.IntN(4) == 0 {
			n := b.Node(ir.Split, map[string]any{"sizes": []int{1, 1}}, pick())
			pool = append(pool, b.Op(ir.Concat, map[string]any{"axis": 0}, n.Results[1], n.Results[0]))
			continue
		}
		pool = append(pool, b.Op(ir.Sub, nil, pick(), pick()))
	}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	for i := range 3 {
		f.Results = append(f.Results, ir.Port{Name: fmt.Sprint(i), Value: pick()})
	}
	return f
}

func module(f *ir.Func) *ir.Module {
	return &ir.Module{Name: "m", Level: ir.Source, Funcs: []*ir.Func{f}}
}

func eval(t *testing.T, f *ir.Func) []*ir.Tensor {
	t.Helper()
	if err := ir.Verify(module(f)); err != nil {
		t.Fatal(err)
	}
	out, err := ir.Eval(context.Background(), f, []*ir.Tensor{ir.IntTensor(ir.I32, []int64{3, -5}, 2)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sameOutputs(a, b []*ir.Tensor) bool {
	return slices.EqualFunc(a, b, func(x, y *ir.Tensor) bool { return x.Equal(y) })
}

func TestSort(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		f := randomFunc(t, rng)
		want := eval(t, f)
		ordered := slices.Clone(f.Nodes)
		if err := f.Sort(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(f.Nodes, ordered) {
			t.Error("nodes in order were moved")
		}
		rng.Shuffle(len(f.Nodes), func(i, j int) { f.Nodes[i], f.Nodes[j] = f.Nodes[j], f.Nodes[i] })
		if err := f.Sort(); err != nil {
			t.Fatal(err)
		}
		if len(f.Nodes) != len(ordered) || !sameOutputs(want, eval(t, f)) {
			t.Error("the sorted function computes something else")
		}
	}
}

func TestSortCycle(t *testing.T) {
	f := randomFunc(t, rand.New(rand.NewPCG(7, 8)))
	first := f.Nodes[0]
	n, err := ir.NewNode(ir.Sub, []*ir.Value{first.Result(), first.Result()}, nil, ir.Loc{Name: "back"})
	if err != nil {
		t.Fatal(err)
	}
	f.Nodes = append(f.Nodes, n)
	first.Args[0] = n.Result()
	if err := f.Sort(); err == nil || !strings.Contains(err.Error(), "cycle") {
		t.Errorf("error %v", err)
	}
}

// A chain that is long does not use the stack.
func TestSortDeep(t *testing.T) {
	x := &ir.Value{Type: ir.T(ir.I32, 1)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := &ir.Builder{F: f}
	for range 200000 {
		x = b.Op(ir.Neg, nil, x)
	}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	f.Results = []ir.Port{{Name: "y", Value: x}}
	slices.Reverse(f.Nodes)
	if err := f.Sort(); err != nil {
		t.Fatal(err)
	}
	if err := ir.Verify(module(f)); err != nil {
		t.Error(err)
	}
}

func TestRemoveDead(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	removed := 0
	for range 50 {
		f := randomFunc(t, rng)
		want := eval(t, f)
		before := len(f.Nodes)
		n := f.RemoveDead()
		removed += n
		if before-n != len(f.Nodes) {
			t.Errorf("%d of %d nodes removed, %d are left", n, before, len(f.Nodes))
		}
		if !sameOutputs(want, eval(t, f)) {
			t.Error("the function computes something else")
		}
		uses := f.Uses()
		for _, n := range f.Nodes {
			if !slices.ContainsFunc(n.Results, func(v *ir.Value) bool { return len(uses[v]) > 0 }) {
				t.Errorf("node %s is dead and still there", n.Loc)
			}
		}
		if f.RemoveDead() != 0 {
			t.Error("a second time removes more")
		}
	}
	if removed == 0 {
		t.Error("nothing was dead")
	}
}

func TestReplace(t *testing.T) {
	x, h := &ir.Value{Type: ir.T(ir.I32, 2)}, &ir.Value{Type: ir.T(ir.I32, 2)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}, {Name: "h", Value: h}}}
	b := &ir.Builder{F: f}
	a := b.Op(ir.Neg, nil, x)
	c := b.Op(ir.Neg, nil, a)
	d := b.Op(ir.Sub, nil, c, a)
	e := b.Op(ir.Clip, nil, d, nil, nil)
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	f.Results = []ir.Port{{Name: "y", Value: e}, {Name: "c", Value: c}}
	f.Replace(map[*ir.Value]*ir.Value{c: a, a: h}) // a chain: c becomes h
	if d.Def.Args[0] != h || d.Def.Args[1] != h || f.Results[1].Value != h || f.Results[0].Value != e {
		t.Error("a use was not redirected to the end of its chain")
	}
	if e.Def.Args[1] != nil {
		t.Error("an operand left out was redirected")
	}
	if n := f.RemoveDead(); n != 2 {
		t.Errorf("%d nodes were dead, expected 2", n)
	}
	if err := ir.Verify(module(f)); err != nil {
		t.Error(err)
	}
}

func TestUses(t *testing.T) {
	x := &ir.Value{Type: ir.T(ir.I32, 2)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := &ir.Builder{F: f}
	y := b.Op(ir.Sub, nil, x, x)
	z := b.Op(ir.Sub, nil, y, x)
	f.Results = []ir.Port{{Name: "y", Value: y}}
	uses := f.Uses()
	if !slices.Equal(uses[x], []*ir.Node{y.Def, z.Def}) || !slices.Equal(uses[y], []*ir.Node{z.Def, nil}) || len(uses[z]) != 0 {
		t.Errorf("uses: %v", uses)
	}
}

// A clone is equal and shares nothing that a pass changes.
func TestClone(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	m := module(randomFunc(t, rng))
	m.Meta = map[string]string{"k": "v"}
	m.Labels = []string{"a"}
	before, _ := ir.Print(m, "")
	c := m.Clone()
	if d := bill.Equal(m, c); d != "" {
		t.Fatal(d)
	}
	if err := ir.Verify(c); err != nil {
		t.Fatal(err)
	}
	c.Meta["k"], c.Labels[0] = "w", "b"
	f := c.Main()
	f.Params[0].Name, f.Results[0].Name = "changed", "changed"
	f.Replace(map[*ir.Value]*ir.Value{f.Nodes[3].Results[0]: f.Params[0].Value})
	for _, n := range f.Nodes {
		n.Loc.Name = "changed"
		for k := range n.Attrs {
			delete(n.Attrs, k)
		}
		n.Results[0].Type.DType = ir.F64
	}
	f.Nodes = f.Nodes[:1]
	if after, _ := ir.Print(m, ""); after != before {
		t.Errorf("a change of the clone changed the original:\n%s\n%s", before, after)
	}
}

func TestBuilderKeepsFirstError(t *testing.T) {
	b := &ir.Builder{F: &ir.Func{Name: "main"}}
	c := b.Const(ir.FloatTensor([]float32{1}, 1))
	bad := b.Op(ir.Concat, map[string]any{"no_such_attribute": 1}, c)
	b.Op(ir.Add, nil, bad, c)
	if b.Err == nil || !strings.Contains(b.Err.Error(), "no_such_attribute") || len(b.F.Nodes) != 1 {
		t.Errorf("error %v, %d nodes", b.Err, len(b.F.Nodes))
	}
}

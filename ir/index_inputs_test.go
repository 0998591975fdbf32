package ir

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
)

// Inputs that choose among data are in range, also where they go through casts
// and other shapes; others keep the range of their type.
func TestIndexLimits(t *testing.T) {
	f := &Func{Name: "main"}
	param := func(name string, ty Type) *Value {
		f.Params = append(f.Params, Port{Name: name, Value: &Value{Type: ty}})
		return f.Params[len(f.Params)-1].Value
	}
	x, rows, lens, other := param("x", T(F32, 5, 2, 3)), param("rows", T(I32, 2, 1)), param("lens", T(I64, 2)), param("other", T(I32, 2))
	b := &Builder{F: f}
	w := func(shape ...int) *Value {
		return b.Const(FloatTensor(make([]float32, T(F32, shape...).Elems()), shape...))
	}
	indices := b.Op(Cast, map[string]any{"to": "i64"}, b.Op(Reshape, map[string]any{"shape": []int{2}}, rows))
	y := b.Op(Gather, map[string]any{"axis": 1}, x, indices)
	cell := b.Node(LSTM, map[string]any{"hidden": 2}, y, w(1, 8, 3), w(1, 8, 2), nil, lens)
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	f.Results = []Port{{Name: "h", Value: cell.Results[1]}, {Name: "o", Value: b.Op(Neg, nil, other)}}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	if got, want := IndexLimits(f), []int{0, 2, 6, 0}; !slices.Equal(got, want) {
		t.Errorf("limits %v, want %v", got, want)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 20 {
		if _, err := Eval(context.Background(), f, RandomInputs(f, rng, i), nil); err != nil {
			t.Errorf("inputs %d: %v", i, err)
		}
	}
}

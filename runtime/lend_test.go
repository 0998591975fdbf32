package runtime

import (
	"bytes"
	"math"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

// TestLend checks that a run gives the same with memory that is used in place, with memory that can not be, and with outputs
// that lie on inputs or on one another; that inputs stay as they are; and that Output reads what Run was given no memory for.
func TestLend(t *testing.T) {
	const n = 64
	b := &builder{}
	x := newTensor(F32, 1, n)
	for i := range x.v {
		x.v[i] = float64(i) - 30
	}
	in := b.input(x)
	positive, reshaped, last := b.dense(F32, 1, n), b.dense(F32, n), b.dense(F32, n)
	b.op(billb.OpRelu, []int{in}, []int{positive}, nil)
	b.img.Buffers[reshaped].Offset = b.img.Buffers[positive].Offset
	b.op(billb.OpReshape, []int{positive}, []int{reshaped}, nil)
	b.op(billb.OpNeg, []int{reshaped}, []int{last}, nil)
	for _, id := range []int{positive, in, reshaped, last} {
		b.output(id)
	}
	s := b.session(t)
	want := b.runSession(t, s)
	for i, v := range as[float32](want[0]) {
		if relu := float32(math.Max(x.v[i], 0)); v != relu || as[float32](want[3])[i] != -relu || as[float32](want[1])[i] != float32(x.v[i]) {
			t.Fatalf("element %d: %v and %v of %v", i, v, as[float32](want[3])[i], x.v[i])
		}
	}
	if !bytes.Equal(want[0], want[2]) {
		t.Error("a view of an output differs from it")
	}

	memory := alignedBytes(8 * 4 * n)
	place := func(k int) []byte { return memory[k*4*n:][: 4*n : 4*n] }
	off := func(k int) []byte { return memory[k*4*n+4:][: 4*n : 4*n] }
	for what, places := range map[string][5][]byte{ // of the input and the outputs
		"in place":                {place(0), place(1), place(2), place(3), place(4)},
		"not at multiples of 64":  {off(0), off(1), off(2), off(3), off(4)},
		"an output on the input":  {place(0), place(0), place(2), place(3), place(4)},
		"an output over another":  {place(0), place(1), place(2), place(3), memory[3*4*n+64:][:4*n]},
		"all outputs at one":      {place(0), place(1), place(1), place(1), place(1)},
		"an output over an input": {place(0), memory[64:][:4*n], place(2), place(3), place(4)},
		"some":                    {place(0), nil, nil, place(3), nil},
	} {
		copy(places[0], x.bytes())
		if err := s.Run([][]byte{places[0]}, places[1:]); err != nil {
			t.Fatal(err)
		}
		written := map[*byte]bool{}
		for i := len(want) - 1; i >= 0; i-- { // the last that is written to a place is there
			got := places[1+i]
			switch {
			case got == nil:
				got = make([]byte, 4*n)
				if err := Output(s, b.img.Outputs[i].Name, as[float32](got)); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			case Output(s, b.img.Outputs[i].Name, make([]float32, n)) == nil:
				t.Errorf("%s: output %d was read again", what, i)
			case what == "an output over another" && i == 2 || written[&got[0]]:
				continue
			default:
				written[&got[0]] = true
			}
			if !bytes.Equal(got, want[i]) {
				t.Errorf("%s: output %d differs", what, i)
			}
		}
		if (what == "in place" || what == "some") && !bytes.Equal(places[0], x.bytes()) {
			t.Errorf("%s: the input has changed", what)
		}
	}
}

// TestLendInPlace checks a value that has its operand's place in the arena and lies apart from it when memory is lent for either.
func TestLendInPlace(t *testing.T) {
	const n = 64
	b := &builder{}
	x := newTensor(F32, 1, n)
	for i := range x.v {
		x.v[i] = float64(i) - 30
	}
	in := b.input(x)
	y, z := b.dense(F32, 1, n), b.dense(F32, 1, n)
	b.img.Buffers[y].Offset = b.img.Buffers[in].Offset
	b.op(billb.OpCast, []int{in}, []int{y}, nil)
	b.op(billb.OpNeg, []int{y}, []int{z}, nil)
	b.output(y)
	b.output(z)
	s := b.session(t)
	for places := range 8 { // whether memory can be lent for the input and the outputs
		port := func(k int) []byte {
			m := alignedBytes(8 * n)
			if places>>k&1 == 0 {
				return m[4:][:4*n]
			}
			return m[:4*n]
		}
		from, to := port(0), [][]byte{port(1), port(2)}
		copy(from, x.bytes())
		if err := s.Run([][]byte{from}, to); err != nil {
			t.Fatal(err)
		}
		for i, v := range x.v {
			if a, b := as[float32](to[0])[i], as[float32](to[1])[i]; a != float32(v) || b != -float32(v) {
				t.Fatalf("places %03b: element %d is %v and %v, expected %v and %v", places, i, a, b, v, -v)
			}
		}
	}
}

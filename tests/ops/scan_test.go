package ops_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
)

// scanCases are functions @main and their bodies whose states depend on one another,
// lie in one another's memory, stay, or are what is read alone.
var scanCases = map[string]string{
	"states change places": `func @main(%0 "a": f32[3], %1 "b": f32[3], %2 "x": f32[4,3]) {
  %3, %4, %5 = scan %0, %1, %2 {body=@step, steps=4, states=2, axes=[0], out_axes=[1]} : f32[3], f32[3], f32[3,4]
  return %3 "a2", %4 "b2", %5 "y"
}
func @step(%0 "a": f32[3], %1 "b": f32[3], %2 "x": f32[3]) {
  %3 = add %0, %2 : f32[3]
  return %1 "a", %0 "b", %3 "y"
}`,
	"a state is another's shape": `func @main(%0 "a": f32[2,3], %1 "b": f32[3,2], %2 "x": f32[2,3,5]) {
  %3, %4 = scan %0, %1, %2 {body=@step, steps=5, states=2, axes=[2]} : f32[2,3], f32[3,2]
  return %3 "a2", %4 "b2"
}
func @step(%0 "a": f32[2,3], %1 "b": f32[3,2], %2 "x": f32[2,3]) {
  %3 = reshape %0 {shape=[3,2]} : f32[3,2]
  %4 = reshape %1 {shape=[2,3]} : f32[2,3]
  %5 = add %4, %2 : f32[2,3]
  return %5 "a", %3 "b"
}`,
	"a state that stays, one that becomes a constant": `func @main(%0 "a": f32[2], %1 "w": f32[2]) {
  %2 = const [3, 4] : f32[2]
  %3, %4, %5, %6 = scan %0, %2, %1 {body=@step, steps=3, states=2, out_axes=[0,-1]} : f32[2], f32[2], f32[3,2], f32[2,3]
  return %3 "a2", %4 "b2", %5 "y", %6 "z"
}
func @step(%0 "a": f32[2], %1 "b": f32[2], %2 "w": f32[2]) {
  %3 = const [7, 8] : f32[2]
  %4 = mul %1, %2 : f32[2]
  return %0 "a", %3 "b", %4 "y", %3 "z"
}`,
	"no state, inputs and constants as they are": `func @main(%0 "x": i32[2,3], %1 "w": i32[2]) {
  %2 = const [1, 2, 3, 4, 5, 6] : i32[3,2]
  %3, %4, %5 = scan %0, %2, %1 {body=@step, steps=3, states=0, axes=[1,0], out_axes=[0,1,0]} : i32[3,2], i32[2,3], i32[3,2]
  return %3 "y", %4 "z", %5 "v"
}
func @step(%0 "x": i32[2], %1 "k": i32[2], %2 "w": i32[2]) {
  %3 = add %0, %1 : i32[2]
  return %3 "y", %2 "z", %0 "v"
}`,
	"one step, in halves": `func @main(%0 "a": f16[2], %1 "x": f16[1,2]) {
  %2, %3 = scan %0, %1 {body=@step, steps=1, states=1, axes=[0], out_axes=[0]} : f16[2], f16[1,2]
  return %2 "a2", %3 "y"
}
func @step(%0 "a": f16[2], %1 "x": f16[2]) {
  %2 = mul %0, %1 : f16[2]
  return %2 "a", %2 "y"
}`,
	"a scan in a scan": `func @main(%0 "a": f32[2], %1 "x": f32[3,4,2]) {
  %2, %3 = scan %0, %1 {body=@rows, steps=3, states=1, axes=[0], out_axes=[0]} : f32[2], f32[3,2]
  return %2 "a2", %3 "y"
}
func @rows(%0 "a": f32[2], %1 "x": f32[4,2]) {
  %2 = scan %0, %1 {body=@step, steps=4, states=1, axes=[0]} : f32[2]
  return %2 "a", %2 "y"
}
func @step(%0 "a": f32[2], %1 "x": f32[2]) {
  %2 = sub %1, %0 : f32[2]
  return %2 "a"
}`,
}

// TestScan compares bytecode, at once and again in the same session, with the
// interpreter on whole numbers. A body has no scan of its own there.
func TestScan(t *testing.T) {
	for name, text := range scanCases {
		t.Run(name, func(t *testing.T) {
			m, err := bill.Parse(name, fmt.Appendf(nil, "bill 1\nmodule \"scan\" level=packed\n%s\n", text), nil)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			for range 3 {
				var args []*ir.Tensor
				for _, p := range m.Main().Params {
					x := ir.NewTensor(p.Value.Type)
					for i := range x.Len() {
						x.SetFloat(i, float64(rng.IntN(9)-4))
					}
					args = append(args, x)
				}
				want, err := ir.Eval(context.Background(), m.Main(), args, nil)
				if err != nil {
					t.Fatal(err)
				}
				got, err := run(m.Clone(), args, runtime.Options{Threads: 2})
				if name == "a scan in a scan" {
					if !unsupported(err) {
						t.Fatalf("%v, expected an operation without an instruction", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				for i := range want {
					if _, same := got[i].FirstDiff(want[i]); !same {
						t.Errorf("result %d is %v, expected %v", i, got[i], want[i])
					}
				}
			}
			if _, plan, err := bytecode.GenerateWithin(m.Clone(), nil, 1<<20); err != nil || plan.Memory.Total() == 0 {
				t.Errorf("within a limit: memory %d, %v", plan.Memory.Total(), err)
			}
			if _, _, err := bytecode.GenerateWithin(m.Clone(), nil, 1); err == nil {
				t.Error("one byte is enough")
			}
		})
	}
}

package randgraph

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/runtime"
)

var bandSeeds = flag.Int("band-seeds", 60, "number of random networks whose plans are forced")

var bandPlans = flag.Int("band-plans", 3, "how many of the plans are forced on a random network, other ones on the next; 9 are all")

// bandSizes are plans that are forced in turn: whole maps, one row, odd heights, several frames, all at once.
var bandSizes = []bytecode.BandSize{
	{Frames: 1}, {Frames: 1, Rows: 1}, {Frames: 1, Rows: 1, Rolled: true, Split: true}, {Frames: 1, Rows: 2, Rolled: true}, {Frames: 1, Rows: 3}, {Frames: 1, Rows: 3, Split: true},
	{Frames: 2, Rows: 1, Rolled: true}, {Frames: 3, Rows: 5}, {Frames: 1 << 16, Rows: 1 << 16, Rolled: true},
}

// paddedWindows are networks in which padding follows a pooling or a sum over frames or rows that overlap: outside the map its
// windows reach into the operand, and what they find there is not the padding.
var paddedWindows = []uint64{300030, 300240, 300260, 300387}

// TestBands compares random networks whose regions run on bands of every size with the interpreter, on all engines, and
// pushed frame by frame.
func TestBands(t *testing.T) {
	total := &tally{count: map[string]int{}}
	t.Cleanup(func() { total.log(t) })
	var list []uint64
	for i := range *bandSeeds {
		list = append(list, *firstSeed+uint64(i))
	}
	if *firstSeed == 0 {
		list = append(list, paddedWindows...)
	}
	for _, seed := range list {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := Seed(seed, Config{})
			if _, err := passes.Run(context.Background(), m, pipeline.WithLittleMemory(pipeline.Default()), passes.RunOptions{}); err != nil {
				t.Fatal(err)
			}
			sets := Inputs(m.Main(), rand.New(rand.NewPCG(seed, 1)), inputSets)
			want := evalAll(t, m, sets)
			for k := range min(*bandPlans, len(bandSizes)) {
				size := bandSizes[(int(seed)*3+k)%len(bandSizes)]
				img, plan, err := bytecode.GenerateBands(m, nil, size)
				if err != nil {
					total.add("modules without bytecode", 1)
					if _, _, plain := bytecode.Generate(m, nil); plain == nil {
						t.Errorf("bands %v: %v", size, err)
					}
					return
				}
				total.add("regions", len(img.Regions))
				file, err := img.Encode()
				if err != nil {
					t.Fatal(err)
				}
				p, err := runtime.LoadBytes(file)
				if err != nil {
					t.Fatalf("bands %v: %v", size, err)
				}
				if err := compareEngines(m.Main(), p, sets, want); err != nil {
					t.Errorf("bands %v: %v", size, err)
				}
				total.add("plans", 1)
				if p.FrameBytes() > 0 {
					total.add("plans pushed frame by frame", 1)
					if err := comparePushed(m.Main(), p, sets, want); err != nil {
						t.Errorf("bands %v: pushed: %v", size, err)
					}
				}
				s, err := p.NewSession(runtime.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if got := s.Memory(); got.Arena != plan.Arena || got.Total() > plan.Memory.Total() {
					t.Errorf("bands %v: memory %+v, the plan says %+v and an arena of %d", size, got, plan.Memory, plan.Arena)
				}
				s.Close()
			}
		})
	}
}

// comparePushed gives a program of one input its clips frame by frame.
func comparePushed(f *ir.Func, p *runtime.Program, sets, want [][]*ir.Tensor) error {
	s, err := p.NewSession(runtime.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	for k, in := range sets {
		x := ir.ConvertInputs(f, in)[0]
		shape := x.Type.Shape
		data, axis := encode(x), len(shape)-3 // CTHW
		outer, inner := ir.Type{Shape: shape[:axis]}.Elems(), p.FrameBytes()/ir.Type{Shape: shape[:axis]}.Elems()
		frame := make([]byte, p.FrameBytes())
		for t := range p.Frames() {
			for i := range outer {
				copy(frame[i*inner:(i+1)*inner], data[(i*p.Frames()+t)*inner:])
			}
			ready, err := s.Push(frame)
			if err != nil {
				return err
			}
			if ready != (t == p.Frames()-1) {
				return fmt.Errorf("frame %d of %d: ready is %v", t, p.Frames(), ready)
			}
		}
		var got []*ir.Tensor
		for i, r := range f.Results {
			b := make([]byte, r.Value.Type.Elems()*width(r.Value.Type.DType))
			if err := s.Result(i, b); err != nil {
				return err
			}
			v, err := decode(r.Value.Type, b)
			if err != nil {
				return err
			}
			got = append(got, v)
		}
		if d := Diff(f, want[k][:len(f.Results)], got); d != "" {
			return fmt.Errorf("input set %d: %s", k, d)
		}
	}
	return nil
}

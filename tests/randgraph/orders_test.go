package randgraph

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/tests/shared"
)

var orders = flag.Int("orders", 50, "number of random orders of the passes")

// TestOrders lowers networks by the passes in random orders, each of them one in
// which a pass comes after those that it names, and compares the results.
func TestOrders(t *testing.T) {
	total := &tally{count: map[string]int{}}
	var seen orderSet
	t.Cleanup(func() {
		seen.check(t, *orders)
		total.log(t)
	})
	for i := range uint64(*orders) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(i, 2))
			order := seen.next(rng)
			for _, seed := range []uint64{2 * i, 4*i + 2} { // exact networks
				m := Seed(seed, Config{})
				sets := Inputs(m.Main(), rng, inputSets)
				want := evalAll(t, m, sets)
				res, err := passes.Run(context.Background(), m, order, passes.RunOptions{})
				if err != nil {
					t.Errorf("seed %d, order %s: %v", seed, passes.Text(order), err)
					continue
				}
				risky := 0
				for _, c := range report.Certificates(m, res.Records) {
					risky += c.AtRisk()
				}
				total.add("networks", 1)
				for k, got := range evalAll(t, m, sets) {
					if d := Diff(m.Main(), want[k], got); d != "" {
						if risky > 0 || stepBehindAffine(m.Main()) {
							total.add("networks in which rounding of the source decides", 1)
							break
						}
						t.Errorf("seed %d, input set %d, order %s: %s", seed, k, passes.Text(order), d)
						break
					}
				}
			}
		})
	}
}

// randomOrder shuffles the pipeline: a pass may run once every pass that it must
// come after has run, and the last stays the last.
func randomOrder(rng *rand.Rand) []passes.Step {
	all := pipeline.Default()
	named := func(list []passes.Step, name string) bool {
		return slices.ContainsFunc(list, func(s passes.Step) bool { return s.Pass.Name == name })
	}
	rest := slices.Clone(all[:len(all)-1])
	var order []passes.Step
	for len(rest) > 0 {
		i := rng.IntN(len(rest))
		ready := true
		for _, before := range rest[i].Pass.After {
			ready = ready && (named(order, before) || !named(all, before))
		}
		if ready {
			order = append(order, rest[i])
			rest = slices.Delete(rest, i, i+1)
		}
	}
	return append(order, all[len(all)-1])
}

// orderSet remembers the orders that were tried.
type orderSet struct{ distinct sync.Map }

func (s *orderSet) next(rng *rand.Rand) []passes.Step {
	order := randomOrder(rng)
	s.distinct.Store(passes.Text(order), true)
	return order
}

// check tells how many of the orders were distinct, and wants at least one in
// four to be.
func (s *orderSet) check(t *testing.T, orders int) {
	n := 0
	s.distinct.Range(func(any, any) bool { n++; return true })
	t.Logf("%d orders, %d of them distinct", orders, n)
	if 4*n < orders {
		t.Errorf("%d distinct orders of %d, expected at least one in four", n, orders)
	}
}

// TestModelOrders lowers real networks by the passes in random orders: bytecode
// must give the same results as that of the pipeline's own order: integers and
// bits the same ones, floats within 1e-5 where a layer is of class ideal.
// BILLNET_LONG takes all networks rather than the small ones, and more orders.
func TestModelOrders(t *testing.T) {
	orders, largest := 1, int64(150_000)
	if os.Getenv("BILLNET_LONG") != "" {
		orders, largest = 5, 1<<40
	}
	if testing.Short() {
		largest = 50_000
	}
	var files []string
	for _, pattern := range []string{"billnet", "torch", "torch2", "larq", "brevitas"} {
		found, err := filepath.Glob(filepath.Join(shared.Dir(t, "models", pattern), "*.onnx"))
		if err != nil || len(found) == 0 {
			t.Fatalf("no networks in %s: %v", pattern, err)
		}
		for _, f := range found {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			if info.Size() <= largest || strings.Contains(f, "billnet_small") {
				files = append(files, f)
			}
		}
	}
	total := &tally{count: map[string]int{}}
	var seen orderSet
	t.Cleanup(func() {
		seen.check(t, len(files)*orders)
		total.log(t)
	})
	for i, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			var opt onnx.Options
			if strings.Contains(path, "dynT") {
				opt.Dims = map[string]int{"time": 16}
				if strings.Contains(path, "t2_") {
					opt.Dims = map[string]int{"4*t4": 16}
				}
			}
			source, _, err := onnx.ImportFile(context.Background(), path, opt)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(uint64(i), 7))
			in := ir.RandomInputs(source.Main(), rng, 2)
			want, err := lowerAndRun(source.Clone(), pipeline.Default(), in)
			if err != nil {
				t.Fatal(err)
			}
			total.add("networks", 1)
			for range orders {
				order := seen.next(rng)
				got, err := lowerAndRun(source.Clone(), order, in)
				if err != nil {
					t.Fatalf("order %s: %v", passes.Text(order), err)
				}
				for k := range want {
					d := ir.Compare(want[k], got[k])
					switch {
					case d != "":
						t.Errorf("order %s: result %d differs: %s", passes.Text(order), k, d)
					case bytes.Equal(want[k].Data(), got[k].Data()):
						total.add("results with no differing bit", 1)
					default: // a layer of scaled weights that this order leaves in float
						total.add("float results within 1e-5", 1)
					}
				}
			}
		})
	}
}

// lowerAndRun compiles a module by the passes of an order and runs its bytecode.
func lowerAndRun(m *ir.Module, order []passes.Step, in []*ir.Tensor) ([]*ir.Tensor, error) {
	if _, err := passes.Run(context.Background(), m, order, passes.RunOptions{}); err != nil {
		return nil, err
	}
	p, err := Load(m, runtime.Loader{})
	if err != nil {
		return nil, err
	}
	s, err := p.NewSession(runtime.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return Run(s, m.Main(), ir.ConvertInputs(m.Main(), in))
}

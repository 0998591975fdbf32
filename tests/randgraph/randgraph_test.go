package randgraph

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime"
)

var (
	seeds     = flag.Int("seeds", 100, "number of random networks")
	firstSeed = flag.Uint64("seed", 0, "first seed; with -seeds 1, the only one")
	write     = flag.String("write", "", "folder to write the modules to, as seed-N.bill")
)

// inputSets is how many sets of inputs every network is evaluated on.
const inputSets = 5

// tally counts over all seeds what the log tells at the end.
type tally struct {
	mu    sync.Mutex
	count map[string]int
}

func (c *tally) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[what] += n
}

func (c *tally) log(t *testing.T) {
	keys := make([]string, 0, len(c.count))
	for k := range c.count {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		t.Logf("%6d %s", c.count[k], k)
	}
}

// TestPipeline compares random networks before and after every pass, and the
// bytecode with the interpreter on every intermediate value.
func TestPipeline(t *testing.T) {
	total := &tally{count: map[string]int{}}
	t.Cleanup(func() { total.log(t) })
	for i := range *seeds {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := Seed(seed, Config{})
			if *write != "" {
				if err := bill.WriteFile(filepath.Join(*write, fmt.Sprintf("seed-%d.bill", seed)), m); err != nil {
					t.Fatal(err)
				}
			}
			defer func() {
				if t.Failed() {
					t.Logf("for the module: go test ./tests/randgraph -run TestPipeline -seeds 1 -seed %d -write DIR", seed)
				}
			}()
			sets := Inputs(m.Main(), rand.New(rand.NewPCG(seed, 1)), inputSets)
			source := m.Clone()
			if !comparePasses(t, m, sets, total) {
				return
			}
			checkCertificates(t, source, sets)
			compareBytecode(t, m, sets, total)
		})
	}
}

// comparePasses lowers m and compares its results before and after every pass.
// Where a pass of class ideal solved a threshold over the real numbers and says
// that float32 rounding may decide a channel, a difference is counted instead.
func comparePasses(t *testing.T, m *ir.Module, sets [][]*ir.Tensor, total *tally) bool {
	want := evalAll(t, m, sets)
	text := ir.PrintFunc(m.Main())
	risky := 0
	var pending error // the first difference that rounding may excuse
	for i, step := range pipeline.Default() {
		res, err := passes.Run(context.Background(), m, []passes.Step{step}, passes.RunOptions{})
		if err != nil {
			t.Errorf("pass %d: %v", i, err)
			return false
		}
		for _, c := range report.Certificates(m, res.Records) {
			risky += c.AtRisk()
			total.add("thresholded channels", len(c.Channels))
			total.add("thresholded channels at risk of rounding", c.AtRisk())
		}
		after := ir.PrintFunc(m.Main())
		if after == text {
			continue
		}
		text = after
		got := evalAll(t, m, sets)
		for k := range sets {
			d := Diff(m.Main(), want[k], got[k])
			if d == "" {
				continue
			}
			err := fmt.Errorf("pass %d, %s, input set %d: %s", i, step.Pass.Name, k, d)
			if step.Pass.Class != passes.Ideal {
				t.Error(err)
				return false
			}
			if pending == nil {
				pending = err
			}
			total.add("results that rounding of the source decides", 1)
		}
		want = got
	}
	if pending != nil && risky == 0 && stepBehindAffine(m.Main()) {
		total.add("modules with a float comparison behind a scaled integer", 1)
		return true
	}
	if pending != nil && risky == 0 {
		t.Errorf("%v, and no certificate says that rounding decides there", pending)
	}
	return true
}

// stepBehindAffine reports whether a comparison of floats reads what an affine
// made: its float sum has no defined order, and it has no certificate either.
func stepBehindAffine(f *ir.Func) bool {
	behind := map[*ir.Value]bool{}
	for _, n := range f.Nodes {
		from := n.Is(ir.Affine)
		for _, a := range n.Args {
			from = from || behind[a]
		}
		for _, r := range n.Results {
			if from && !r.Type.DType.IsFloat() {
				return true
			}
			behind[r] = from
		}
	}
	return false
}

func evalAll(t *testing.T, m *ir.Module, sets [][]*ir.Tensor) [][]*ir.Tensor {
	t.Helper()
	var out [][]*ir.Tensor
	for _, in := range sets {
		got, err := Eval(m, in)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, got)
	}
	return out
}

// checkCertificates lowers a module in one go and checks the certificates that
// come with it: one for every layer with thresholds, with that layer's
// thresholds, and ranges that hold what its accumulators are.
func checkCertificates(t *testing.T, m *ir.Module, sets [][]*ir.Tensor) {
	res, err := passes.Run(context.Background(), m, pipeline.Default(), passes.RunOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	vals := map[*ir.Value][]*ir.Tensor{}
	for _, in := range sets {
		for i, p := range m.Main().Params {
			vals[p.Value] = append(vals[p.Value], in[i])
		}
		_, err := ir.Eval(context.Background(), m.Main(), in, func(n *ir.Node, out []*ir.Tensor) {
			for i, r := range n.Results {
				vals[r] = append(vals[r], out[i])
			}
		})
		if err != nil {
			t.Error(err)
			return
		}
	}
	certs := report.Certificates(m, res.Records)
	for _, n := range m.Main().Nodes {
		at := map[string]int{"threshold": 1, "bconv": 2, "iconv": 2, "blstm": 3}[n.Op.Name]
		if at == 0 || n.Arg(at) == nil {
			continue
		}
		if len(certs) == 0 || certs[0].Layer != n.Loc.Name {
			t.Errorf("%s has no certificate", n.Loc)
			return
		}
		c := certs[0]
		certs = certs[1:]
		th := ir.ConstOf(n.Args[at]) // the flip may have moved behind a pool
		for i, p := range c.Channels {
			if p.T != th.Int(i) {
				t.Errorf("%s: the certificate of channel %d says %d, the threshold is %d", n.Loc, i, p.T, th.Int(i))
			}
		}
		if n.Is(ir.BLSTM) {
			continue
		}
		for k := range sets {
			z := vals[n.Args[0]][k]
			if !n.Is(ir.Threshold) {
				z = sums(t, n, z)
			}
			inner := ir.Type{Shape: z.Type.Shape[2:]}.Elems()
			for i, v := range z.Ints() {
				p := c.Channels[i/inner%len(c.Channels)]
				if v < p.Lo || v > p.Hi {
					t.Errorf("%s: channel %d is %d, the certificate says %d..%d", n.Loc, i/inner%len(c.Channels), v, p.Lo, p.Hi)
					return
				}
			}
		}
	}
	if len(certs) != 0 {
		t.Errorf("%d certificates belong to no layer", len(certs))
	}
}

// sums evaluates a convolution without its thresholds.
func sums(t *testing.T, n *ir.Node, x *ir.Tensor) *ir.Tensor {
	t.Helper()
	attrs := map[string]any{}
	for k, v := range n.Attrs {
		if k != "signed" {
			attrs[k] = v
		}
	}
	bare, err := ir.NewNode(n.Op, []*ir.Value{{Type: x.Type}, {Type: n.In(1)}}, attrs, n.Loc)
	if err != nil {
		t.Fatal(err)
	}
	out, err := ir.EvalNode(bare, []*ir.Tensor{x, ir.ConstOf(n.Args[1])})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// compareBytecode compares the bytecode of a packed module with the
// interpreter, as it is and with every intermediate value a result.
func compareBytecode(t *testing.T, m *ir.Module, sets [][]*ir.Tensor, total *tally) {
	all, err := Expose(m)
	if err != nil {
		t.Error(err)
		return
	}
	want := evalAll(t, all, sets) // m's own results come first
	for _, m := range []*ir.Module{m, all} {
		p, err := Load(m, runtime.Loader{})
		if err != nil {
			if _, what, ok := strings.Cut(err.Error(), "bytecode has no instruction"); ok {
				total.add("modules without bytecode: no instruction"+what, 1)
				return
			}
			t.Error(err)
			return
		}
		if err := compareEngines(m.Main(), p, sets, want); err != nil {
			t.Error(err)
			return
		}
	}
	total.add("modules run as bytecode", 1)
	total.add("values compared in bytecode", len(all.Main().Results))
}

// compareEngines runs a program of a function on every engine and compares its
// results with the first of those wanted for every set of inputs.
func compareEngines(f *ir.Func, p *runtime.Program, sets, want [][]*ir.Tensor) error {
	var errs []error
	for _, e := range Engines() {
		s, err := p.NewSession(runtime.Options{ISA: e.ISA, Threads: e.Threads})
		if err != nil {
			return fmt.Errorf("%s: %w", e, err)
		}
		for k, in := range sets {
			got, err := Run(s, f, in)
			if err == nil {
				if d := Diff(f, want[k][:len(f.Results)], got); d != "" {
					err = errors.New(d)
				}
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s, input set %d: %w", e, k, err))
				break
			}
		}
		s.Close()
	}
	return errors.Join(errs...)
}

// TestReproducible: a seed gives the same module twice, and its text form reads
// back as the same module.
func TestReproducible(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.bill")
	for seed := range uint64(50) {
		m := Seed(seed, Config{})
		if d := bill.Equal(m, Seed(seed, Config{})); d != "" {
			t.Fatalf("seed %d gives two modules: %s", seed, d)
		}
		if err := bill.WriteFile(path, m); err != nil {
			t.Fatal(err)
		}
		back, err := bill.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := bill.Equal(m, back); d != "" {
			t.Fatalf("seed %d reads back as another module: %s", seed, d)
		}
	}
}

package lossy_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/report"
)

// residualNet is a stem, a residual block with an identity and one with a
// strided projection, a plain block and a head.
func residualNet(t *testing.T) *ir.Module {
	g := newFloatNet(3, 1, 3, 4, 8, 8)
	x := g.at("stem").relu(g.norm(g.conv(g.x, 8, 3, 1, 1, false)))
	f := g.at("one.a").relu(g.norm(g.conv(x, 8, 3, 1, 1, false)))
	f = g.at("one.b").norm(g.conv(f, 8, 3, 1, 1, false))
	x = g.at("one.add").Op(ir.Add, nil, f, x)
	x = g.at("one.relu").relu(x)
	f = g.at("two.a").relu(g.conv(x, 12, 3, 2, 1, true))
	f = g.at("two.b").conv(f, 12, 3, 1, 1, true)
	s := g.at("two.short").conv(x, 12, 1, 2, 1, true)
	x = g.at("two.add").Op(ir.Add, nil, s, f)
	x = g.at("two.relu").relu(x)
	x = g.at("plain").relu(g.norm(g.conv(x, 12, 3, 1, 1, false)))
	x = g.at("wide").relu(g.conv(x, 16, 3, 1, 1, true))
	return g.module(t, g.at("fc").linear(g.mean(x), 4), true)
}

func gatingOf(t *testing.T, list []*report.Gating, layer string) *report.Gating {
	t.Helper()
	for _, r := range list {
		if r.Layer == layer {
			return r
		}
	}
	t.Fatalf("no report for %q in %+v", layer, list)
	return &report.Gating{}
}

// gateValues evaluates a binarized module on a clip and returns, for every mux
// in arithmetic, its select, block, shortcut and result.
func gateValues(t *testing.T, m *ir.Module, clip []*ir.Tensor) (gates [][4]*ir.Tensor) {
	t.Helper()
	vals := map[*ir.Value]*ir.Tensor{}
	_, err := ir.Eval(context.Background(), m.Main(), clip, func(n *ir.Node, out []*ir.Tensor) {
		for i, r := range n.Results {
			vals[r] = out[i]
		}
		open, closed := ir.Def(argOf(n, 0)), ir.Def(argOf(n, 1))
		if !n.Is(ir.Add) || !open.Is(ir.Mul) || !closed.Is(ir.Mul) || !ir.Def(closed.Args[0]).Is(ir.Sub) {
			return
		}
		s, f, x := open.Args[0], closed.Args[1], open.Args[1]
		if d := ir.Def(x); d.Is(ir.Max) && d.Args[0] == f {
			x = d.Args[1]
		}
		gates = append(gates, [4]*ir.Tensor{vals[s], vals[f], vals[x], out[0]})
	})
	if err != nil {
		t.Fatal(err)
	}
	return gates
}

// TestGates: every wiring, in floats and in bits.
func TestGates(t *testing.T) {
	t.Parallel()
	clips := videoClips(residualNet(t).Main(), 2, 6)
	for wiring, op := range map[string]string{"mux-or": "mux_or", "or": "bit_or", "mux": "mux"} {
		m := residualNet(t)
		res := runLossy(t, m, "insert-mux-or{wiring="+wiring+"}", clips)
		if len(gated(res)) != 2 || gatingOf(t, gated(res), "one.add").Shortcut != `"stem"` || gatingOf(t, gated(res), "two.add").Shortcut != `"two.short"` {
			t.Errorf("%s: %+v", wiring, gated(res))
		}
		for _, r := range gated(res) {
			if through := r.Through; wiring != "or" && math.Abs(through-0.5) > 0.1 || wiring == "or" && through != 0 || r.Wiring != wiring || r.Left != "" {
				t.Errorf("%s: %+v", wiring, r)
			}
		}
		if n := countOps(m, ir.Add); wiring == "or" && n != 0 || wiring != "or" && n != 2 {
			t.Errorf("%s: %d sums are left", wiring, n)
		}
		runLossy(t, m, "binarize", clips)
		if wiring != "or" {
			open, selects := 0, 0
			for _, clip := range clips {
				gates := gateValues(t, m, clip)
				if len(gates) != 2 {
					t.Fatalf("%s: %d gates, expected 2", wiring, len(gates))
				}
				for _, g := range gates {
					per := g[3].Len() / g[0].Len()
					for i, y := range g[3].Floats() {
						s, f, x := g[0].Float32(i/per), g[1].Float32(i), g[2].Float32(i)
						want := max(f, s*x)
						if wiring == "mux" {
							want = s*x + (1-s)*f
						}
						if y != want || s != 0 && s != 1 || f != 0 && f != 1 || x != 0 && x != 1 {
							t.Fatalf("%s: gate of s=%v f=%v x=%v is %v", wiring, s, f, x, y)
						}
					}
					for _, s := range g[0].Floats() {
						selects++
						open += int(s)
					}
				}
			}
			// binarize set the thresholds anew: as many pass as did in floats.
			if through := float64(open) / float64(selects); math.Abs(through-0.5) > 0.15 {
				t.Errorf("%s: %.2f of the selects let through on bits, expected about a half", wiring, through)
			}
		}
		l := sameAfterDefault(t, m, clips)
		if f := floats(l); len(f) > 0 {
			t.Errorf("%s: float layers %v", wiring, f)
		}
		found := 0
		for _, e := range l.Entries {
			if e.Op == op {
				found++
			}
		}
		if found != 2 {
			t.Errorf("%s: %d operations %s in the ledger, expected 2: %+v", wiring, found, op, l.Entries)
		}
	}
}

// TestGateOptions: share of selects, axes, chosen blocks.
func TestGateOptions(t *testing.T) {
	t.Parallel()
	clips := videoClips(residualNet(t).Main(), 2, 5)
	run := func(options string, clips [][]*ir.Tensor) (*ir.Module, *passes.Result) {
		m := residualNet(t)
		return m, runLossy(t, m, "insert-mux-or"+options, clips)
	}
	for text, want := range map[string]float64{"{select=20%}": 0.2, "{select=80%}": 0.8} {
		if _, res := run(text, clips); math.Abs(gatingOf(t, gated(res), "one.add").Through-want) > 0.1 {
			t.Errorf("%s: %+v", text, gated(res))
		}
	}
	// One clip is enough for a share: it is one over channels.
	if _, res := run("{select=25%}", clips[:1]); math.Abs(gatingOf(t, gated(res), "two.add").Through-0.25) > 0.1 {
		t.Errorf("one clip: %+v", gated(res))
	}
	m, _ := run("{axes=hw}", clips)
	for _, n := range m.Main().Nodes {
		if n.Is(ir.ReduceMean) && n.Bool("keepdims") && n.Result().Type.Shape[2] != n.In(0).Shape[2] {
			t.Errorf("axes=hw: the mean is %s, expected one for every frame", n.Result().Type)
		}
	}
	m, res := run("", nil)
	if !strings.Contains(strings.Join(res.Notes, "\n"), "threshold 0.5") || countOps(m, ir.Add) != 2 {
		t.Errorf("without clips: %q", res.Notes)
	}
	// Blocks by name: the sum, the activation that closes a plain block, its
	// convolution, and one that a shortcut does not fit.
	m, res = run("{blocks=[one.relu,pla*,wide]}", clips)
	gatingOf(t, gated(res), "one.add")
	if len(gated(res)) != 3 || gatingOf(t, gated(res), "plain").Shortcut != `"two.relu"` || !strings.Contains(gatingOf(t, gated(res), "wide").Left, "equal shapes") {
		t.Errorf("blocks: %+v", gated(res))
	}
	if n := countOps(m, ir.Max); n != 2 {
		t.Errorf("blocks: %d gates, expected 2", n)
	}
	runLossy(t, m, "binarize", clips)
	sameAfterDefault(t, m, clips)
	if _, res := run("{blocks=stem}", clips); len(gated(res)) != 1 || !strings.Contains(gatingOf(t, gated(res), "stem").Left, "the model's input") {
		t.Errorf("blocks=stem: %+v", gated(res))
	}
	// Without gates, binarize says which sums stay float.
	m = residualNet(t)
	res = runLossy(t, m, "binarize", clips)
	if r := reportOf(t, binarized(res), "one.add", "add"); !strings.Contains(r.Left, "insert-mux-or") {
		t.Errorf("a sum that stays: %+v", r)
	}
	sums := slices.DeleteFunc(sameAfterDefault(t, m, clips).Entries, func(e report.Entry) bool { return e.Layer != "one.add" || e.Op != "add" })
	if len(sums) != 1 || sums[0].Kind == "bit" || sums[0].Kind == "integer" {
		t.Errorf("the residual sum without a gate is %+v, expected neither bits nor an integer", sums)
	}
	g := newFloatNet(1, 1, 2, 4, 4)
	plain := g.module(t, g.linear(g.mean(g.relu(g.conv(g.x, 4, 3, 1, 1, true))), 2), false)
	if res := runLossy(t, plain, "insert-mux-or", nil); !strings.Contains(strings.Join(res.Notes, "\n"), "no residual sum") {
		t.Errorf("no residual: %q", res.Notes)
	}
}

func argOf(n *ir.Node, i int) *ir.Value {
	if i < len(n.Args) {
		return n.Args[i]
	}
	return nil
}

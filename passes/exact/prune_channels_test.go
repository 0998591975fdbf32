package exact_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
)

// prunable builds networks of bits at the logic level, with constant and unread
// channels.
type prunable struct {
	b   *ir.Builder
	rng *rand.Rand
}

func newPrunable(seed uint64) *prunable {
	return &prunable{&ir.Builder{F: &ir.Func{Name: "main"}}, rand.New(rand.NewPCG(seed, 5))}
}

func (p *prunable) param(d ir.DType, shape ...int) *ir.Value {
	x := &ir.Value{Type: ir.T(d, shape...)}
	p.b.F.Params = []ir.Port{{Name: "x", Value: x}}
	return x
}

// conv appends a convolution with random weights of the given type; unread lists
// input channels, counted within their group, that have no weight.
func (p *prunable) conv(x *ir.Value, d ir.DType, outs, groups, kernel, pad int, unread ...int) *ir.Value {
	w := ir.NewTensor(ir.T(d, outs, x.Type.Shape[1]/groups, kernel, kernel))
	for i := range w.Ints() {
		w.Ints()[i] = int64(2*p.rng.IntN(2) - 1)
		if d == ir.Tern {
			w.Ints()[i] = int64(p.rng.IntN(3) - 1)
			if slices.Contains(unread, i/(kernel*kernel)%w.Type.Shape[1]) {
				w.Ints()[i] = 0
			}
		}
	}
	return p.b.Op(ir.BConv, map[string]any{"groups": groups, "pad": []int{pad, pad, pad, pad}}, x, p.b.Const(w))
}

// threshold appends a threshold in which constant(c) of -1, 0 or 1 says that
// channel c is not constant, never or always reached.
func (p *prunable) threshold(z *ir.Value, signed bool, constant func(c int) int) *ir.Value {
	s := analysis.NewRanger().Of(z)
	t, flip := ir.NewTensor(ir.T(ir.I32, z.Type.Shape[1])), ir.NewTensor(ir.T(ir.Bit, z.Type.Shape[1]))
	for c := range t.Ints() {
		lo, hi := s.At(c)
		flip.Ints()[c] = int64(p.rng.IntN(2))
		switch constant(c) {
		case 1 - int(flip.Int(c)):
			t.Ints()[c] = lo
		case int(flip.Int(c)):
			t.Ints()[c] = hi + 1
		default:
			t.Ints()[c] = (lo+hi)/2 + int64(p.rng.IntN(3)-1)
		}
	}
	return p.b.Op(ir.Threshold, map[string]any{"signed": signed}, z, p.b.Const(t), p.b.Const(flip))
}

func (p *prunable) module(t *testing.T, results ...*ir.Value) *ir.Module {
	t.Helper()
	for i, v := range results {
		p.b.F.Results = append(p.b.F.Results, ir.Port{Name: string(rune('a' + i)), Value: v})
	}
	if p.b.Err != nil {
		t.Fatal(p.b.Err)
	}
	return &ir.Module{Name: "net", Level: ir.Logic, Funcs: []*ir.Func{p.b.F}}
}

// prune runs the pass, compares the outputs before and after, and returns the
// sums that are left, as channels of every bconv.
func prune(t *testing.T, m *ir.Module, text string) []int {
	t.Helper()
	steps, err := pipeline.Registry().Parse("test", text)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := ir.Print(m, "")
	if _, err := passes.Run(context.Background(), m, steps, passes.RunOptions{Check: 6}); err != nil {
		t.Fatalf("%v\n%s", err, before)
	}
	var channels []int
	for _, n := range m.Main().Nodes {
		if n.Is(ir.BConv) {
			channels = append(channels, n.Result().Type.Shape[1])
		}
	}
	return channels
}

const pruneAny = "prune-channels{gain=any}"

// first makes a constant of the first n channels.
func first(n, value int) func(int) int {
	return func(c int) int {
		if c < n {
			return value
		}
		return -1
	}
}

func never(int) int { return -1 }

// TestPruneConstants: zeros go behind any padding, other constants only where no
// padding makes their share depend on the position and thresholds take it.
func TestPruneConstants(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signed bool
		value  int
		pad    int
		open   bool // the second layer's sums are a result
		want   int  // channels left of the first layer
	}{
		"zeros": {false, 0, 0, false, 11}, "zeros, padded": {false, 0, 1, false, 11}, "zeros, sums": {false, 0, 1, true, 11},
		"ones": {false, 1, 0, false, 11}, "ones, padded": {false, 1, 1, false, 16}, "ones, sums": {false, 1, 0, true, 16},
		"minus": {true, 0, 0, false, 11}, "minus, padded": {true, 0, 1, false, 16}, "plus": {true, 1, 0, false, 11},
	} {
		p := newPrunable(1)
		x := p.threshold(p.conv(p.param(ir.Bit, 1, 8, 5, 6), ir.SBit, 16, 1, 3, 1), c.signed, first(5, c.value))
		z := p.conv(x, ir.SBit, 8, 1, 3, c.pad)
		if !c.open {
			z = p.threshold(z, false, never)
		}
		if got := prune(t, p.module(t, z), pruneAny); got[0] != c.want || got[1] != 8 {
			t.Errorf("%s: %v channels are left, expected %d and 8", name, got, c.want)
		}
	}
}

// TestPrunePadding: a pool whose windows may lie in the padding altogether makes
// no constant of one.
func TestPrunePadding(t *testing.T) {
	t.Parallel()
	for pad, want := range map[int]int{0: 11, 1: 16} {
		p := newPrunable(6)
		x := p.threshold(p.conv(p.param(ir.Bit, 1, 8, 5, 6), ir.SBit, 16, 1, 1, 0), false, first(5, 1))
		x = p.b.Op(ir.MaxPool, map[string]any{"kernel": []int{1, 1}, "pad": []int{pad, 0, 0, 0}}, x)
		z := p.threshold(p.conv(x, ir.SBit, 8, 1, 1, 0), false, never)
		if got := prune(t, p.module(t, z), pruneAny); got[0] != want {
			t.Errorf("pad %d: %d channels are left, expected %d", pad, got[0], want)
		}
	}
}

// TestPruneUnread: channels without weights go, and with them what only they
// read.
func TestPruneUnread(t *testing.T) {
	t.Parallel()
	p := newPrunable(2)
	x := p.threshold(p.conv(p.param(ir.Bit, 1, 8, 5, 6), ir.Tern, 16, 1, 1, 0), false, never)
	y := p.threshold(p.conv(x, ir.Tern, 16, 16, 3, 1), false, never)
	y = p.b.Op(ir.MaxPool, map[string]any{"kernel": []int{2, 2}}, y)
	z := p.conv(y, ir.Tern, 8, 1, 1, 0, 0, 3, 4, 15)
	if got := prune(t, p.module(t, z), pruneAny); !slices.Equal(got, []int{12, 12, 8}) {
		t.Errorf("%v channels are left", got)
	}
}

// TestPruneGroups: a group whose outputs are all constant goes whole; otherwise
// all groups lose equally many channels.
func TestPruneGroups(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		constant func(int) int
		want     []int
	}{
		"one of each":     {func(c int) int { return map[bool]int{true: 0, false: -1}[c%4 == 0] }, []int{12, 12, 6}},
		"not of each":     {first(3, 0), []int{16, 16, 6}},
		"two of one":      {func(c int) int { return map[bool]int{true: 0, false: -1}[c%4 == 1 || c == 2] }, []int{12, 12, 6}},
		"the first group": {first(4, 0), []int{12, 12, 6}},
	} {
		p := newPrunable(3)
		x := p.threshold(p.conv(p.param(ir.Bit, 1, 8, 5, 6), ir.SBit, 16, 1, 1, 0), false, c.constant)
		y := p.threshold(p.conv(x, ir.SBit, 16, 4, 3, 1), false, c.constant)
		z := p.conv(y, ir.SBit, 6, 1, 1, 0)
		if got := prune(t, p.module(t, z), pruneAny); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v channels are left, expected %v", name, got, c.want)
		}
	}
}

// TestPruneChain: a sum of constants is one, and so is what follows.
func TestPruneChain(t *testing.T) {
	t.Parallel()
	p := newPrunable(7)
	x := p.threshold(p.conv(p.param(ir.Bit, 1, 8, 5, 6), ir.SBit, 16, 1, 1, 0), false, first(5, 0))
	y := p.threshold(p.conv(x, ir.SBit, 16, 16, 3, 1), false, never)
	z := p.threshold(p.conv(y, ir.SBit, 6, 1, 1, 0), false, never)
	if got := prune(t, p.module(t, z), pruneAny); !slices.Equal(got, []int{11, 11, 6}) {
		t.Errorf("%v channels are left", got)
	}
}

// TestPrunePlanes: by default channels only go where a plane of 8 becomes free,
// and never all of them.
func TestPrunePlanes(t *testing.T) {
	t.Parallel()
	for constant, want := range map[int]int{7: 24, 8: 16, 11: 13, 24: 1} {
		p := newPrunable(4)
		x := p.threshold(p.conv(p.param(ir.Bit, 1, 8, 5, 6), ir.SBit, 24, 1, 1, 0), false, first(constant, 0))
		z := p.conv(x, ir.SBit, 6, 1, 1, 0)
		if got := prune(t, p.module(t, z), "prune-channels"); got[0] != want {
			t.Errorf("%d of 24 channels are constant: %d are left, expected %d", constant, got[0], want)
		}
	}
}

// TestPruneResidual: through a gate a channel only goes from all values that it
// joins.
func TestPruneResidual(t *testing.T) {
	t.Parallel()
	p := newPrunable(5)
	x := p.threshold(p.conv(p.param(ir.Bit, 1, 8, 5, 6), ir.SBit, 16, 1, 1, 0), false, first(6, 0))
	f := p.threshold(p.conv(x, ir.SBit, 16, 1, 3, 1), false, first(9, 0))
	s := p.threshold(p.b.Op(ir.Count, map[string]any{"axes": []int{2, 3}}, x), false, never)
	y := p.b.Op(ir.MuxOr, nil, s, f, x)
	z := p.conv(y, ir.SBit, 6, 1, 1, 0)
	// The counts of the constant channels are 0, so their selects are constant too.
	if got := prune(t, p.module(t, z), pruneAny); !slices.Equal(got, []int{10, 10, 6}) {
		t.Errorf("%v channels are left", got)
	}
}

// TestPruneRandom: random networks give the same outputs, and most lose channels.
func TestPruneRandom(t *testing.T) {
	t.Parallel()
	pruned := 0
	const nets = 300
	for seed := range uint64(nets) {
		p := newPrunable(100 + seed)
		rng := p.rng
		x := p.param(ir.Bit, 1, 8, 5, 6)
		weights := func() ir.DType { return []ir.DType{ir.SBit, ir.Tern}[rng.IntN(2)] }
		bits := func(z *ir.Value, signed bool) *ir.Value {
			share := rng.IntN(100)
			return p.threshold(z, signed, func(int) int {
				if rng.IntN(100) < share {
					return rng.IntN(2)
				}
				return -1
			})
		}
		for range 1 + rng.IntN(4) {
			outs, kernel := 8*(1+rng.IntN(3)), 1+2*rng.IntN(2)
			if min(x.Type.Shape[2], x.Type.Shape[3]) < 3 {
				kernel = 1
			}
			groups := []int{1, 1, 2, 4, 8}[rng.IntN(5)]
			z := p.conv(x, weights(), outs, groups, kernel, rng.IntN(2)*(kernel/2), rng.IntN(8))
			y := bits(z, rng.IntN(4) == 0)
			if ir.SameShape(x.Type.Shape, y.Type.Shape) && x.Type.DType == ir.Bit && y.Type.DType == ir.Bit {
				s := bits(p.b.Op(ir.Count, map[string]any{"axes": []int{2, 3}}, x), false)
				switch rng.IntN(3) {
				case 0:
					y = p.b.Op(ir.MuxOr, nil, s, y, x)
				case 1:
					y = p.b.Op(ir.Mux, nil, s, y, x)
				case 2:
					y = p.b.Op(ir.BitXor, nil, y, x)
				}
			}
			if rng.IntN(4) == 0 && min(y.Type.Shape[2], y.Type.Shape[3]) > 1 {
				y = p.b.Op([]*ir.Op{ir.MaxPool, ir.MinPool}[rng.IntN(2)], map[string]any{"kernel": []int{2, 2}, "pad": []int{0, rng.IntN(2), 0, 0}}, y)
			}
			x = y
		}
		z := p.conv(x, weights(), 8, 1, 1, 0)
		if rng.IntN(2) == 0 {
			z = bits(z, false)
		}
		m := p.module(t, z)
		count := func() (n int) {
			for _, v := range m.Main().Nodes {
				n += v.Result().Type.Elems()
			}
			return n
		}
		before := count()
		prune(t, m, pruneAny)
		if count() < before {
			pruned++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if pruned < nets/2 {
		t.Errorf("%d of %d networks lost channels", pruned, nets)
	}
}

// TestPruneCertificates: the thresholds that lost channels and constants have
// certificates that the source's own expression confirms.
func TestPruneCertificates(t *testing.T) {
	t.Parallel()
	const c = 16
	rng := rand.New(rand.NewPCG(1, 1))
	x := &ir.Value{Type: ir.T(ir.U8, 1, 4, 6, 6)}
	f := &ir.Func{Name: "main", Params: []ir.Port{{Name: "x", Value: x}}}
	b := &ir.Builder{F: f}
	v := b.Op(ir.Cast, map[string]any{"to": "f32"}, x)
	for i := range 3 {
		b.Loc = ir.Loc{Name: string(rune('a' + i))}
		w := ir.NewTensor(ir.T(ir.F32, c, v.Type.Shape[1], 1, 1))
		for i := range w.Floats() {
			w.Floats()[i] = float32(2*rng.IntN(2) - 1)
		}
		v = b.Op(ir.Conv, nil, v, b.Const(w))
		norm := make([]*ir.Value, 4)
		for k := range norm {
			t := ir.NewTensor(ir.T(ir.F32, c))
			for i := range t.Floats() {
				t.Floats()[i] = float32(rng.NormFloat64())
				switch {
				case k == 0 && i%3 == 0:
					t.Floats()[i] = 0 // the bias decides
				case k == 3:
					t.Floats()[i] = 1 + t.Float32(i)*t.Float32(i)
				}
			}
			norm[k] = b.Const(t)
		}
		v = b.Op(ir.BatchNorm, nil, v, norm[0], norm[1], norm[2], norm[3])
		zero, one := b.Const(ir.FloatTensor([]float32{0})), b.Const(ir.FloatTensor([]float32{1}))
		v = b.Op(ir.Where, nil, b.Op(ir.GreaterOrEqual, nil, v, zero), one, zero)
	}
	f.Results = []ir.Port{{Name: "y", Value: v}}
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	m := &ir.Module{Name: "net", Level: ir.Source, Funcs: []*ir.Func{f}}
	text := strings.Replace(passes.Text(pipeline.Default()), "prune-channels", pruneAny, 1)
	steps, err := pipeline.Registry().Parse("test", text)
	if err != nil {
		t.Fatal(err)
	}
	res, err := passes.Run(context.Background(), m, steps, passes.RunOptions{Check: 4})
	if err != nil {
		t.Fatal(err)
	}
	certs := report.Certificates(m, res.Records)
	if len(certs) != 3 {
		t.Fatalf("%d certificates, expected 3", len(certs))
	}
	for i := range certs {
		cert := &certs[i]
		if lost := len(cert.Channels) < c; lost != (i < 2) {
			t.Errorf("layer %d has %d of %d channels", i, len(cert.Channels), c)
		}
		l, err := cert.Check(cert)
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Faults) > 0 || l.Enumerated+l.Proved != len(cert.Channels) {
			t.Errorf("layer %d: %+v", i, l)
		}
		wrong := *cert
		wrong.Channels = slices.Clone(cert.Channels)
		for k, p := range wrong.Channels {
			if p.T > p.Lo && p.T < p.Hi {
				wrong.Channels[k].T++
				if l, err := cert.Check(&wrong); err != nil || len(l.Faults) == 0 {
					t.Errorf("layer %d: a wrong threshold of channel %d passes: %v", i, k, err)
				}
				break
			}
		}
	}
}

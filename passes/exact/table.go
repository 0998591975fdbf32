package exact

import (
	"math"
	"math/big"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// maxTable bounds the entries of a layer's table, a byte each.
const maxTable = 1 << 18

// fuseTable: a quantizer of more levels than comparisons are worth, over a chain,
// is a table: y = table[first[c] + z], z cut off where y stops changing. Every
// entry is the source's own expression, as in fuseLevels.
func fuseTable(rw *passes.Rewriter, c *passes.Context, r *analysis.Ranger, n *ir.Node) []*ir.Value {
	q, grid, lo, hi := quantizer(rw, n)
	if q == nil || hi-lo <= maxLevels {
		return nil
	}
	ch := findChain(q.Args[0])
	if ch == nil || ch.border != nil || len(ch.ops) == 0 && !ch.base.Is(ir.Affine) {
		return nil
	}
	pool := ir.MaxPool
	if len(ch.pools) > 0 {
		falls, ok := ch.falls(ch.before[0]).Splat()
		for _, at := range ch.before[1:] {
			f, same := ch.falls(at).Splat()
			ok = ok && same && f == falls
		}
		if !ok {
			return nil // the largest in some channels, the smallest in others
		}
		if falls == 1 {
			pool = ir.MinPool
		}
	}
	ch.grid = grid
	t := &table{ch: ch, lo: lo, hi: hi}
	if err := t.find(r.Of(ch.z)); err != nil {
		rw.Err = err
		return nil
	}
	if t.entries == nil {
		return nil
	}
	if t.ideal {
		t.risks()
		c.Note("layer %q: %d levels are solved over the reals, %d of %d channels lie closer to a tie than float32 rounding", n.Loc.Name, hi-lo+1, t.atRisk, ch.c)
	}
	y := t.write(rw, r, n.Result().Type.DType)
	for _, p := range ch.pools {
		y = rw.Op(pool, p.Attrs, y)
	}
	return []*ir.Value{y}
}

// quantizer recognises a quantization to lo..hi with one scale and zero point 0:
// quantize_linear, which saturates at its type, or the clip behind it.
func quantizer(rw *passes.Rewriter, n *ir.Node) (q *ir.Node, grid []*ir.Node, lo, hi int64) {
	if n.Is(ir.QuantizeLinear) {
		q, grid = n, []*ir.Node{n}
	} else if n.Is(ir.Clip) && n.Arg(1) != nil && n.Arg(2) != nil {
		q, grid = ir.Def(n.Args[0]), []*ir.Node{ir.Def(n.Args[0]), n}
	}
	if !q.Is(ir.QuantizeLinear) || !endsChain(q) || q.Arg(2) != nil && !ir.IsSplat(q.Args[2], 0) {
		return nil, nil, 0, 0
	}
	if s, ok := ir.Splat(q.Args[1]); !ok || s <= 0 {
		return nil, nil, 0, 0
	}
	lo, hi = q.Result().Type.DType.Range()
	if n == q {
		for _, u := range rw.Readers(n.Result()) {
			if u.Is(ir.Clip) {
				return nil, nil, 0, 0 // it decides the levels
			}
		}
		return q, grid, lo, hi
	}
	a, ok1 := ir.Splat(n.Args[1])
	b, ok2 := ir.Splat(n.Args[2])
	if !ok1 || !ok2 || b <= a {
		return nil, nil, 0, 0
	}
	return q, grid, max(lo, int64(a)), min(hi, int64(b))
}

// table is a quantizer of lo..hi over a chain, as a list of its values.
type table struct {
	ch      *chain
	lo, hi  int64
	first   []int64 // for every channel, the z of its first entry
	start   []int64 // and where that is in the table
	last    []int64 // the z of its last entry
	cut     bool    // z goes beyond the entries
	entries []int64
	ideal   bool
	atRisk  int // channels
}

// find fills the table; it leaves it empty when there would be too many entries
// or the accumulator does not fit 31 bits.
func (t *table) find(s analysis.Span) error {
	c := t.ch.c
	t.ideal = t.ch.base.Is(ir.Affine)
	ends := [2][]int64{make([]int64, c), make([]int64, c)}
	for i := range c {
		ends[0][i], ends[1][i] = s.At(i)
		if ends[0][i] < math.MinInt32/2 || ends[1][i] > math.MaxInt32/2 {
			return nil
		}
	}
	var at [2][]int64 // the values there
	var err error
	for e := range ends {
		if at[e], err = t.values(ends[e]); err != nil {
			return err
		}
	}
	// The last z that has the first value, and the first that has the last one.
	for e := range ends {
		inside, outside := ends[e], ends[1-e]
		inside, outside = append([]int64{}, inside...), append([]int64{}, outside...)
		for {
			mid, open := make([]int64, c), false
			for i := range mid {
				mid[i] = inside[i] + (outside[i]-inside[i])/2
				open = open || at[0][i] != at[1][i] && mid[i] != inside[i]
			}
			if !open {
				break
			}
			v, err := t.values(mid)
			if err != nil {
				return err
			}
			for i := range mid {
				if v[i] == at[e][i] {
					inside[i] = mid[i]
				} else {
					outside[i] = mid[i]
				}
			}
		}
		if e == 0 {
			t.first = inside
		} else {
			t.last = inside
		}
	}
	total, most := int64(0), int64(0)
	for i := range c {
		if at[0][i] == at[1][i] {
			t.last[i] = t.first[i]
		}
		t.start = append(t.start, total)
		total += t.last[i] - t.first[i] + 1
		most = max(most, t.last[i]-t.first[i]+1)
		t.cut = t.cut || t.first[i] > ends[0][i] || t.last[i] < ends[1][i]
		if total > maxTable {
			return nil
		}
	}
	entries := make([]int64, total)
	for k := range most {
		z := make([]int64, c)
		for i := range z {
			z[i] = min(t.first[i]+k, t.last[i])
		}
		v, err := t.values(z)
		if err != nil {
			return err
		}
		for i := range z {
			entries[t.start[i]+z[i]-t.first[i]] = v[i]
		}
	}
	t.entries = entries
	return nil
}

// values evaluates the quantizer at one accumulator a channel.
func (t *table) values(z []int64) ([]int64, error) {
	if !t.ideal {
		x, err := t.ch.run(z)
		if err != nil {
			return nil, err
		}
		return x.I, nil
	}
	out := make([]int64, len(z))
	for c := range z {
		out[c] = t.realLevel(t.ch.realValue(c, z[c]))
	}
	return out, nil
}

// realLevel rounds a value over the real numbers to its level, halves to even.
func (t *table) realLevel(v *big.Float) int64 {
	s := real(ir.ConstOf(t.ch.grid[0].Args[1]).Float(0))
	x := s.Quo(v, s)
	for _, end := range []int64{t.lo, t.hi} {
		if d := real(0).Sub(x, real(float64(end))); d.Sign() < 0 == (end == t.lo) {
			if d.Sign() != 0 {
				return end
			}
		}
	}
	whole, _ := x.Int64()
	rest := real(0).Sub(x, real(float64(whole)))
	half := real(0.5)
	if rest.Sign() < 0 {
		half.Neg(half)
	}
	over := real(0).Sub(rest, half)
	if over.Sign() != 0 && over.MantExp(nil) < -realTie {
		over.SetInt64(0)
	}
	step := int64(half.Sign())
	if over.Sign() == half.Sign() || over.Sign() == 0 && whole%2 != 0 {
		whole += step
	}
	return min(max(whole, t.lo), t.hi)
}

// risks counts the channels of an ideal table in which a tie between two levels
// lies closer to an entry than the source's rounding.
func (t *table) risks() {
	s, _ := ir.Splat(t.ch.grid[0].Args[1])
	for c := range t.ch.c {
		bound := max(t.ch.roundingBound(c, t.first[c]), t.ch.roundingBound(c, t.last[c]))/s + 4*unitRoundoff*math.Max(math.Abs(float64(t.lo)), math.Abs(float64(t.hi)))
		for z := t.first[c]; z <= t.last[c]; z++ {
			x, _ := t.ch.realValue(c, z).Float64()
			x /= s
			if x < float64(t.lo)-0.5-bound || x > float64(t.hi)+0.5+bound {
				continue
			}
			if math.Abs(math.Abs(x-math.Trunc(x))-0.5) <= bound {
				t.atRisk++
				break
			}
		}
	}
}

// write writes the look-up.
func (t *table) write(rw *passes.Rewriter, r *analysis.Ranger, d ir.DType) *ir.Value {
	z, rank := t.ch.z, t.ch.z.Type.Rank()
	if z.Type.DType != ir.I32 {
		z = rw.Op(ir.Cast, map[string]any{"to": "i32"}, z)
	}
	vec := func(v []int64) *ir.Value { return rw.Const(onAxis(ir.IntTensor(ir.I32, v, len(v)), 1, rank)) }
	if t.cut {
		z = rw.Op(ir.Min, nil, rw.Op(ir.Max, nil, z, vec(t.first)), vec(t.last))
	}
	at := make([]int64, t.ch.c)
	for i := range at {
		at[i] = t.start[i] - t.first[i]
	}
	z = rw.Op(ir.Add, nil, z, vec(at))
	y := rw.Op(ir.Gather, nil, rw.Const(ir.IntTensor(d, t.entries, len(t.entries))), z)
	r.Known[y] = analysis.Uniform(t.lo, t.hi)
	return y
}

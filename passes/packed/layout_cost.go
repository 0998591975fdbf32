package packed

import (
	"fmt"
	"maps"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes/analysis"
	"github.com/billnet/billnet/passes/report"
)

// The cost of a layout is counted in bytes that move through memory: what every
// operation reads and writes, halo included, what its kernel copies because the
// geometry of its operand or result does not suit it, and its arithmetic, which
// runs over the halo too, at macsPerByte.
//
// A kernel on planes is direct when operand and result have equal rows and
// frames: it computes the whole plane as one span and writes it in place.
// Otherwise its tiles go through scratch and are copied row by row. What is
// strided reads phases; a pool, which is given none, copies its operand into them
// first.

// macsPerByte is how many multiply-accumulates on bits take as long as moving a
// byte.
const macsPerByte = 64

// bytesPerBit is how many bytes move in the time in which one bit goes from
// planes, eight channels a byte, to a dense map, a byte each, or back.
const bytesPerBit = 128

// worthwhile is the share of the cost below which the model can not tell two
// layouts apart; the first one stays then.
const worthwhile = 0.01

// chooseHalos compares one halo for the maps of all sizes with narrower ones.
// Sizes get their own halo one after the other, largest maps first, where that
// makes the whole cheaper by more than the model's precision.
func chooseHalos(f *ir.Func, states int) (halos, *report.LayoutReport, error) {
	own := neededHalos(f)
	all := [3]int{}
	for _, v := range own {
		for a := range all {
			all[a] = max(all[a], v[a])
		}
	}
	common := halos{}
	for size := range own {
		common[size] = all
	}
	out := &report.LayoutReport{}
	try := func(name string, h halos) (int, []report.LayoutRow, error) {
		trial := f.Clone()
		if err := layoutFunc(trial, h, states); err != nil {
			return 0, nil, err
		}
		rows := layoutRows(trial)
		c := report.LayoutChoice{Name: name}
		for i := range rows {
			r := &rows[i]
			c.Cost += r.Cost()
			if r.Op == ir.Relayout.Name {
				c.Relayouts++
				c.Moved += r.Read + r.Written
			}
			if r.Kernel == "scratch" || r.Kernel == "copy" {
				c.Scratch++
			}
		}
		out.Choices = append(out.Choices, c)
		return c.Cost, rows, nil
	}
	best := common
	cost, rows, err := try("one halo for all sizes", common)
	if err != nil {
		return nil, nil, err
	}
	chosen := 0
	sizes := slices.SortedFunc(maps.Keys(own), func(a, b mapSize) int {
		if d := b[0]*b[1]*b[2] - a[0]*a[1]*a[2]; d != 0 {
			return d
		}
		return slices.Compare(a[:], b[:])
	})
	for _, size := range sizes {
		if own[size] == best[size] {
			continue
		}
		h := maps.Clone(best)
		h[size] = own[size]
		c, r, err := try(fmt.Sprintf("halo %d,%d,%d for maps of %dx%dx%d", own[size][0], own[size][1], own[size][2], size[0], size[1], size[2]), h)
		if err != nil {
			return nil, nil, err
		}
		if float64(c) < (1-worthwhile)*float64(cost) {
			best, cost, rows, chosen = h, c, r, len(out.Choices)-1
		}
	}
	out.Choices[chosen].Chosen, out.Rows = true, rows
	return best, out, nil
}

// layoutRows accounts for every operation of a function with layouts.
func layoutRows(f *ir.Func) []report.LayoutRow {
	var rows []report.LayoutRow
	for _, n := range f.Nodes {
		if n.Is(ir.Const) || len(n.Args) == 0 {
			continue
		}
		r := report.LayoutRow{Layer: n.Loc.Name, Op: n.Op.Name, Kernel: "dense", In: n.In(0).String(), Out: n.Result().Type.String()}
		for _, a := range n.Args {
			if a != nil && ir.ConstOf(a) == nil {
				r.Read += mapBytes(a.Type)
			}
		}
		for _, v := range n.Results {
			r.Written += mapBytes(v.Type)
		}
		switch {
		case n.Is(ir.Relayout):
			r.Kernel = n.Op.Name
			if x, y := n.In(0), n.Result().Type; x.DType.IsBit() && x.Layout.Planes != y.Layout.Planes {
				r.Copied = x.Elems() * bytesPerBit
			}
		case n.In(0).Layout.Planes:
			addPlanes(&r, n)
		case n.Op.Work != nil:
			cost := analysis.CostDense
			if !n.In(0).DType.IsLogic() && !n.In(0).DType.IsInt() {
				cost = costFloat
			}
			r.Compute = n.Op.Work(n) * cost / macsPerByte
		}
		rows = append(rows, r)
	}
	return rows
}

// costFloat is convCost's of float layers.
const costFloat = 60

// addPlanes adds what a kernel on planes copies and computes.
func addPlanes(r *report.LayoutRow, n *ir.Node) {
	x, y := n.In(0), n.Result().Type
	r.Kernel = "direct"
	if !y.Layout.Planes { // a count
		return
	}
	gx, gy := geometryOf(x), geometryOf(y)
	if n.Is(ir.MaxPool) || n.Is(ir.MinPool) {
		if strideOf(n) != [3]int{1, 1, 1} {
			r.Kernel = "copy"
			r.Copied = 2 * r.Read
			gx.pitch, gx.frame = gy.pitch, gy.frame // the copy has the result's rows
		}
	}
	// A direct kernel computes rows and frames of the halo too; through scratch,
	// rows in whole blocks.
	stored := gy.t * gy.frame
	if gx.pitch != gy.pitch || gx.frame != gy.frame {
		r.Kernel = "scratch"
		r.Copied += 2 * r.Written
		stored = min(gy.t*gx.frame, gy.t*gy.h*roundUp(gy.w, 64))
	}
	if n.Op.Work != nil {
		positions := max(gy.t*gy.h*gy.w, 1)
		cost := analysis.ConvCost(x.DType, n.In(1).DType, y.Elems(), n.In(1).Elems()/max(n.In(1).Shape[0], 1))
		r.Compute = int(float64(cost) / macsPerByte * float64(stored) / float64(positions))
	}
}

// geometry is how a map on planes is stored: the positions of a phase, and the
// distances between rows and frames.
type geometry struct{ t, h, w, pitch, frame int }

func geometryOf(t ir.Type) geometry {
	l, s := t.Layout, t.Shape
	g := geometry{t: (s[2] + l.PT - 1) / l.PT, h: (s[3] + l.PH - 1) / l.PH, w: (s[4] + l.PW - 1) / l.PW}
	g.pitch = g.w + l.HW
	g.frame = (g.h + l.HH) * g.pitch
	return g
}

func roundUp(a, b int) int { return (a + b - 1) / b * b }

// mapBytes is the memory of a value, with its halo.
func mapBytes(t ir.Type) int {
	d := t.DType
	width := max(d.Bits()/8, 1)
	if !t.Layout.Planes {
		return t.Elems() * width
	}
	g, planes := geometryOf(t), t.Shape[1]
	if d.IsBit() {
		planes = (planes + 7) / 8
	}
	return planes * t.Layout.PT * t.Layout.PH * t.Layout.PW * roundUp((g.t+t.Layout.HT)*g.frame, 64) * width
}

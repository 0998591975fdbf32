package passes

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/billnet/billnet/ir"
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

// LayoutRow is what one operation costs.
type LayoutRow struct {
	Layer   string `json:"layer"`
	Op      string `json:"op"`
	Kernel  string `json:"kernel"` // direct, scratch or copy, for planes; dense; relayout
	In      string `json:"in"`     // of the first operand, with its layout
	Out     string `json:"out"`
	Read    int    `json:"read"`    // bytes
	Written int    `json:"written"` // bytes
	Copied  int    `json:"copied"`  // bytes that the kernel moves within
	Compute int    `json:"compute"` // arithmetic, in bytes that move in the same time
}

// Cost is the sum, in bytes.
func (r *LayoutRow) Cost() int { return r.Read + r.Written + r.Copied + r.Compute }

// LayoutChoice is one way to lay out a function.
type LayoutChoice struct {
	Name      string `json:"name"`
	Cost      int    `json:"cost"`      // bytes
	Relayouts int    `json:"relayouts"` // operations that only change a layout
	Moved     int    `json:"moved"`     // bytes that those read and write
	Scratch   int    `json:"scratch"`   // kernels that are not direct
	Chosen    bool   `json:"chosen"`
}

// LayoutReport says what the layout pass chose, and from what.
type LayoutReport struct {
	Choices []LayoutChoice `json:"choices"`
	Rows    []LayoutRow    `json:"rows"`
}

// chooseHalos compares one halo for the maps of all sizes with narrower ones.
// Sizes get their own halo one after the other, largest maps first, where that
// makes the whole cheaper by more than the model's precision.
func chooseHalos(f *ir.Func) (halos, *LayoutReport, error) {
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
	report := &LayoutReport{}
	try := func(name string, h halos) (int, []LayoutRow, error) {
		trial := f.Clone()
		if err := layoutFunc(trial, h); err != nil {
			return 0, nil, err
		}
		rows := layoutRows(trial)
		c := LayoutChoice{Name: name}
		for i := range rows {
			r := &rows[i]
			c.Cost += r.Cost()
			if r.Op == "relayout" {
				c.Relayouts++
				c.Moved += r.Read + r.Written
			}
			if r.Kernel == "scratch" || r.Kernel == "copy" {
				c.Scratch++
			}
		}
		report.Choices = append(report.Choices, c)
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
			best, cost, rows, chosen = h, c, r, len(report.Choices)-1
		}
	}
	report.Choices[chosen].Chosen, report.Rows = true, rows
	return best, report, nil
}

// layoutRows accounts for every operation of a function with layouts.
func layoutRows(f *ir.Func) []LayoutRow {
	var rows []LayoutRow
	for _, n := range f.Nodes {
		if n.Is("const") || len(n.Args) == 0 {
			continue
		}
		r := LayoutRow{Layer: n.Loc.Name, Op: n.Op.Name, Kernel: "dense", In: n.In(0).String(), Out: n.Result().Type.String()}
		for _, a := range n.Args {
			if a != nil && ir.ConstOf(a) == nil {
				r.Read += mapBytes(a.Type)
			}
		}
		for _, v := range n.Results {
			r.Written += mapBytes(v.Type)
		}
		switch {
		case n.Is("relayout"):
			r.Kernel = "relayout"
			if x, y := n.In(0), n.Result().Type; x.DType.IsBit() && x.Layout.Planes != y.Layout.Planes {
				r.Copied = x.Elems() * bytesPerBit
			}
		case n.In(0).Layout.Planes:
			r.onPlanes(n)
		case n.Op.Work != nil:
			cost := costDense
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

// onPlanes adds what a kernel on planes copies and computes.
func (r *LayoutRow) onPlanes(n *ir.Node) {
	x, y := n.In(0), n.Result().Type
	r.Kernel = "direct"
	if !y.Layout.Planes { // a count
		return
	}
	gx, gy := geometryOf(x), geometryOf(y)
	if n.Is("max_pool") || n.Is("min_pool") {
		if st, sh, sw := strideOf(n); st*sh*sw > 1 {
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
		cost := convCost(x.DType, n.In(1).DType, y.Elems(), n.In(1).Elems()/max(n.In(1).Shape[0], 1))
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

// Print writes the choices and the rows of the one that was taken as tables.
func (l *LayoutReport) Print(w io.Writer) {
	rows := [][]string{{"layout", "cost", "relayouts", "bytes relaid", "indirect kernels"}}
	for _, c := range l.Choices {
		name := c.Name
		if c.Chosen {
			name += " (chosen)"
		}
		rows = append(rows, []string{name, fmt.Sprint(c.Cost), fmt.Sprint(c.Relayouts), fmt.Sprint(c.Moved), fmt.Sprint(c.Scratch)})
	}
	printTable(w, rows)
	fmt.Fprintln(w)
	rows = [][]string{{"layer", "op", "kernel", "in", "out", "read", "written", "copied", "compute", "cost"}}
	for _, r := range l.Rows {
		rows = append(rows, []string{r.Layer, r.Op, r.Kernel, r.In, r.Out, fmt.Sprint(r.Read), fmt.Sprint(r.Written), fmt.Sprint(r.Copied), fmt.Sprint(r.Compute), fmt.Sprint(r.Cost())})
	}
	printTable(w, rows)
}

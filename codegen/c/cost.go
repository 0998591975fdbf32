package c

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/billnet/billnet/ir"
)

// The cost model: how many instructions a layer takes on a processor, from counts of what its code does. No time depends
// on data, so the counts are exact; what is estimated is the instructions of each unit, which are measured in an emulator
// for code that gcc makes at -O2.

// unit is something that is counted.
type unit int

const (
	statements unit = iota // of loops over dense tensors and rows
	calls                  // of layers and of parts of convolutions
	tables                 // of 16 sums of four inputs
	additions              // of two sums from tables to that of an output, for one word of positions
	weightRows             // of additions
	stores                 // of results of convolutions of integers
	lookups                // of four tables for four outputs
	bitTaps                // words of bits that are gathered
	bitWords               // words of bits that are compared
	bitSums                // results of convolutions of bits
	poolTaps               // words of bits that are pooled
	units
)

// cores are the instructions a unit, by target.
var cores = []struct {
	name string
	cost [units]float64
}{
	{"cortex-m0", [units]float64{4.6, 1160.5, 116, 7, 23.1, 6.9, 16.8, 37.4, 26.5, 1.2, 121}},
	{"cortex-m4", cortexM4},
	{"cortex-m7", cortexM4}, // the same instructions, which take fewer cycles
	{"rv32", [units]float64{4.6, 424.6, 136.4, 5, 25.4, 10.2, 23, 57.9, 15.5, 13.7, 75.7}},
}

var cortexM4 = [units]float64{4.7, 359.2, 109.5, 4.5, 26.9, 5.7, 14.3, 32.9, 15.2, 6.3, 73.7}

// Targets are the processors that the cost model knows.
func Targets() (names []string) {
	for _, c := range cores {
		names = append(names, c.name)
	}
	return names
}

// LayerCost is what a layer takes.
type LayerCost struct {
	Index        int    // of its function
	Layer, Op    string // whose instruction it is
	Data         int    // bytes of constants, those that an earlier layer has too left out
	MACs         int    // multiply-accumulates a clip, those of padding and of zero weights too
	Instructions int    // a clip
	Float        bool   // it computes floats, which takes other times for other data where the processor has none
}

// Cost is what a network takes on a processor.
type Cost struct {
	Sizes
	Frames int // pushes that make a clip
	Layers []LayerCost
}

// Instructions are those of a clip.
func (c *Cost) Instructions() (n int) {
	for _, l := range c.Layers {
		n += l.Instructions
	}
	return n
}

// Estimate tells what a module of the packed level takes on a target, as Generate writes it.
func Estimate(m *ir.Module, opt Options, target string) (*Cost, error) {
	g, err := prepare(m, opt)
	if err != nil {
		return nil, err
	}
	core := cores[slices.Index(Targets(), target)]
	out := &Cost{Sizes: g.sizes(), Frames: g.frames}
	for _, l := range g.layers {
		if l.rows {
			l.spend(calls, 1)
		}
		runs := 1.0
		if l.rows {
			runs = float64(g.total(l))
		}
		n := 0.0
		for u, count := range l.work {
			n += count * core.cost[u]
		}
		out.Layers = append(out.Layers, LayerCost{l.index, l.in.Name, l.in.Op.String(), l.data, int(g.img.MACs(l.in)), int(n * runs), g.floats(l)})
	}
	return out, nil
}

// floats reports whether an operand or a result of a layer is of floats.
func (g *generator) floats(l *layer) bool {
	return slices.ContainsFunc(append(slices.Clone(l.in.In), l.in.Out...), func(b int) bool { return b >= 0 && g.buffer(b).Elem.IsFloat() })
}

// spend counts n units, as often as the loops run that are open.
func (l *layer) spend(u unit, n float64) {
	for _, times := range l.loops {
		n *= times
	}
	l.work[u] += n
}

var bound = regexp.MustCompile(`^for \(.*?; \w+ < (?:\(\w+ \+ 1\) \* )?(\d+);`)

// statement counts a line of a function: loops run as often as their bounds say.
func (l *layer) statement(text string) {
	if strings.HasPrefix(text, "}") {
		l.loops = l.loops[:len(l.loops)-1]
	}
	l.spend(statements, 1)
	if strings.HasSuffix(text, "{") {
		times := 1.0
		if m := bound.FindStringSubmatch(text); m != nil {
			times, _ = strconv.ParseFloat(m[1], 64)
		}
		l.loops = append(l.loops, times)
	}
}

// inside is the share of the taps of a window along frames and rows that lie in the map.
func (c *convolution) inside() float64 {
	share := 1.0
	for axis, size := range [2][2]int{{c.in.frames, c.out.frames}, {c.in.rows, c.out.rows}} {
		n := 0
		for at := range size[1] {
			for tap := range c.kernel[axis] {
				if i := at*c.p.Stride[axis] + tap*c.p.Dilation[axis] - c.p.Pad[axis]; i >= 0 && i < size[0] {
					n++
				}
			}
		}
		share *= float64(n) / float64(size[1]*c.kernel[axis])
	}
	return share
}

// spendInts counts a row of a convolution of integers; see kernels/int_conv.c.
func (c *convolution) spendInts(l *layer, block, columns, half int) {
	together := c.inputsOfByte()
	parts := float64((c.channels*c.kernel[0]*c.kernel[1]+together-1)/together*c.p.Groups) * c.inside()
	blocks := float64((c.outs + block - 1) / block)
	outs := parts * float64(c.outs)
	l.spend(calls, parts*blocks)
	l.spend(tables, 2*parts*blocks*float64(columns))
	l.spend(weightRows, outs*float64((c.kernel[2]+2)/3))
	l.spend(additions, outs*float64(c.kernel[2]*half))
	l.spend(stores, float64(c.out.channels*c.out.width))
}

// spendBits counts a row of a convolution of bits; see kernels/bit_conv.c.
func (c *convolution) spendBits(l *layer, words int) {
	n := float64(c.out.width)
	l.spend(bitTaps, n*float64(c.p.Groups*c.taps()*((c.channels+31)/32)))
	l.spend(bitWords, n*float64(c.out.channels*words))
	l.spend(bitSums, n*float64(c.out.channels))
}

// spendTables counts a row of a convolution of bits by tables; see kernels/bit_point.c.
func (c *convolution) spendTables(l *layer, steps int) {
	n := float64(c.out.width * steps)
	l.spend(lookups, n*float64(c.out.channels/4))
	l.spend(bitTaps, n)
}

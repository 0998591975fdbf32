package c

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

// convolution is what convolutions of maps share.
type convolution struct {
	in, out         cmap
	kernel          [3]int
	p               *billb.Conv
	channels, outs  int // of a group
	weights         []int64
	ternary         bool
	t, flip, window string
}

func (g *generator) convolution(l *layer, p *billb.Conv) *convolution {
	c := &convolution{in: g.inMap(l, 0), out: g.outMap(l), p: p}
	k := &g.img.Consts[l.in.Constant("w")]
	c.kernel = [3]int(k.Shape[2:])
	c.channels, c.outs = c.in.channels/p.Groups, c.out.channels/p.Groups
	c.weights, _ = values(k)
	for _, w := range c.weights {
		c.ternary = c.ternary || w == 0
	}
	c.t, c.flip = g.bounds(l, c.out.channels)
	c.window = window(c.kernel, p.Stride, p.Dilation, p.Pad)
	g.use("window", "put", "map")
	l.rows = true
	l.equation = "z[o,p] = the sum of w[o,i,k] * x[i,p*stride+k*dilation-pad] over i and k"
	if c.t != "NULL" {
		l.equation += "; y = (z >= t[o]) != flip[o]"
	}
	return c
}

// bounds defines the largest sums of n channels that give 0, and what flips the bits, NULL without thresholds. Sums and bounds
// stay so far within 32 bits that the difference has room, whose sign is the bit.
func (g *generator) bounds(l *layer, n int) (string, string) {
	t, flip := g.thresholdsOf(l, "t", "flip", n)
	if t == nil {
		return "NULL", "NULL"
	}
	const most = 1<<30 - 1 // of sums
	if l.in.Constant("lo") >= 0 && (slices.Min(g.integers(l, "lo")) < -most || slices.Max(g.integers(l, "hi")) > most) {
		refuse("sums beyond 31 bits")
	}
	for i := range t {
		t[i] = max(-most, min(t[i], most+1)) - 1
	}
	return g.data.int32s(l.in.Name+": bounds, the largest sums that give 0", t), g.data.words(l.in.Name+": flips", flip)
}

func (c *convolution) taps() int { return c.kernel[0] * c.kernel[1] * c.kernel[2] }

// weight is that of an output, an input of its group and a tap.
func (c *convolution) weight(o, i, tap int) int64 { return c.weights[(o*c.channels+i)*c.taps()+tap] }

// slot is the bits of a tap in a window: the next power of two, or whole words.
func (c *convolution) slot() int {
	if c.channels >= 32 {
		return (c.channels + 31) / 32 * 32
	}
	return 1 << bits.Len(uint(c.channels-1))
}

// bitConv is a convolution of bits.
func bitConv(g *generator, l *layer) {
	c := g.convolution(l, l.in.Params.(*billb.Conv))
	if c.hasTables() {
		g.bitPoint(l, c)
		return
	}
	g.use("bit_conv")
	slot, taps := c.slot(), c.taps()
	words := (slot*taps + 31) / 32
	signed := c.in.elem == billb.SBit
	masked := c.ternary || signed && c.padded()
	plane := func(set func(w int64) bool) []uint32 {
		v := make([]uint32, c.out.channels*words)
		for o := range c.out.channels {
			for tap := range taps {
				for i := range c.channels {
					if at := tap*slot + i; set(c.weight(o, i, tap)) {
						v[o*words+at/32] |= 1 << (at % 32)
					}
				}
			}
		}
		return v
	}
	weights := plane(func(w int64) bool { return w > 0 })
	nonzero := "NULL"
	if c.ternary {
		nonzero = g.data.words(l.in.Name+": weights that are not 0", plane(func(w int64) bool { return w != 0 }))
	}
	base := make([]int64, c.out.channels)
	for o := range base {
		for _, v := range weights[o*words : (o+1)*words] {
			base[o] += int64(bits.OnesCount32(v))
		}
		if signed {
			base[o] = int64(c.channels * taps)
		}
		if base[o] > 32767 {
			refuse("a sum of %d bits, at most 32767", base[o])
		}
	}
	g.table("bit_conv_t", fmt.Sprintf("conv_%d", l.index), "in", c.in, "out", c.out, "window", c.window, "groups", c.p.Groups, "slot", slot, "words", words,
		"is_signed", truthInt(signed), "is_masked", truthInt(masked), "is_point", truthInt(taps == 1 && !c.padded()),
		"weights", g.data.words(l.in.Name+": weights", weights), "nonzero", nonzero, "base", g.data.int16s(l.in.Name+": base, from which sums count", base), "t", c.t, "flip", c.flip,
		"scratch", l.take(4*(2*words+c.out.channels)))
	l.line("const uint8_t *rows[%d];", c.kernel[0]*c.kernel[1])
	g.moves(l, c.kernel, c.p.Stride, c.p.Dilation, c.p.Pad, fmt.Sprintf("conv_%d", l.index))
	c.spendBits(l, words)
	l.line("bit_conv(memory, &conv_%d, rows, t, h);", l.index)
}

// tableBytes bounds the tables of a convolution of one tap.
const tableBytes = 8 << 10

// hasTables reports whether a convolution of bits can go by tables: one tap, integers of
// a byte as results, sums that fit.
func (c *convolution) hasTables() bool {
	return c.taps() == 1 && !c.padded() && c.p.Groups == 1 && c.t == "NULL" && c.out.unit == 1 && c.out.channels%4 == 0 &&
		c.channels <= 127 && (c.channels+15)/16*64*c.out.channels <= tableBytes
}

// bitPoint is a convolution of bits of one tap by tables.
func (g *generator) bitPoint(l *layer, c *convolution) {
	g.use("bit_point")
	steps := (c.channels + 15) / 16
	var tables []uint32
	for step := range steps {
		for o := 0; o < c.out.channels; o += 4 {
			for k := 4 * step; k < 4*step+4; k++ {
				for value := range 16 {
					word := uint32(0)
					for lane := range 4 {
						sum := c.sumOf(o+lane, 4*k, value)
						if k == 0 {
							sum += 128
						}
						word += uint32(sum) << (8 * lane)
					}
					tables = append(tables, word)
				}
			}
		}
	}
	g.table("bit_point_t", fmt.Sprintf("conv_%d", l.index), "in", c.in, "out", c.out, "window", c.window, "steps", steps,
		"tables", g.data.words(l.in.Name+": tables, sums of four inputs for four outputs", tables))
	g.moves(l, c.kernel, c.p.Stride, c.p.Dilation, c.p.Pad, fmt.Sprintf("conv_%d", l.index))
	c.spendTables(l, steps)
	l.line("bit_point(memory, &conv_%d, t, h);", l.index)
}

// sumOf is the sum of four inputs from first on, whose bits are value, for an output.
func (c *convolution) sumOf(o, first, value int) (sum int) {
	for i := range min(4, c.channels-first) {
		x := value >> i & 1
		if c.in.elem == billb.SBit {
			x = 2*x - 1
		}
		sum += int(c.weight(o, first+i, 0)) * x
	}
	return sum
}

// padded reports whether a tap of a window may lie in the padding.
func (c *convolution) padded() bool {
	for i, n := range [3]int{c.in.frames, c.in.rows, c.in.width} {
		m := [3]int{c.out.frames, c.out.rows, c.out.width}[i]
		if c.p.Pad[i] > 0 || (m-1)*c.p.Stride[i]+(c.kernel[i]-1)*c.p.Dilation[i]-c.p.Pad[i] >= n {
			return true
		}
	}
	return false
}

func truthInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// intConv is a convolution of integers.
func intConv(g *generator, l *layer) {
	v := l.in.Params.(*billb.IntConv)
	c := g.convolution(l, &v.Conv)
	g.use("int_conv")
	lanes, low := c.lanes(g, l, v.Acc)
	half := (c.out.width + lanes - 1) / lanes
	columns := (half-1)*c.p.Stride[2] + (c.kernel[2]-1)*c.p.Dilation[2] + 1
	block, together := max(1, min(c.outs, g.sums/4/half)), 1
	if c.taps() == 1 && !c.padded() {
		together = 2
	}
	zeros := 0
	if c.padded() || c.channels*c.kernel[0]*c.kernel[1]%c.inputsOfByte() != 0 {
		zeros = c.in.pitch()
	}
	g.table("int_conv_t", fmt.Sprintf("conv_%d", l.index), "in", c.in, "out", c.out, "window", c.window, "groups", c.p.Groups, "lanes", lanes,
		"is_ternary", truthInt(c.ternary), "together", together, "block", block, "low", low,
		"weights", g.data.uint8s(l.in.Name+": weights, rows of two tables", c.rowsOfTables()), "t", c.t, "flip", c.flip,
		"scratch", l.take(4*(together*32*columns+block*half+2*block)+zeros), "zeros", zeros)
	g.moves(l, c.kernel, c.p.Stride, c.p.Dilation, c.p.Pad, fmt.Sprintf("conv_%d", l.index))
	c.spendInts(l, block, columns, half)
	l.line("int_conv(memory, &conv_%d, t, h);", l.index)
}

// lanes is the number of positions a word has room for, and the least sum: two
// where all sums lie among 2^16 numbers.
func (c *convolution) lanes(g *generator, l *layer, acc int) (n, low int) {
	lo, hi := int64(0), int64(0)
	for i, v := range g.integers(l, "lo") {
		lo, hi = min(lo, v), max(hi, g.integers(l, "hi")[i])
	}
	switch {
	case acc == 32 || hi-lo >= 1<<16 || c.out.width == 1:
		return 1, 0
	case lo >= -1<<15 && hi < 1<<15:
		return 2, -1 << 15
	}
	return 2, int(lo)
}

// inputsOfByte is how many inputs a byte of weights is for, which are rows of two tables.
func (c *convolution) inputsOfByte() int {
	if c.ternary {
		return 4
	}
	return 8
}

// rowsOfTables is the weights as kernels/int_conv.c reads them.
func (c *convolution) rowsOfTables() []byte {
	const shift = 4
	together := c.inputsOfByte()
	var out []byte
	inputs := c.channels * c.kernel[0] * c.kernel[1]
	for group := range c.p.Groups {
		for first := 0; first < inputs; first += together {
			for o := range c.outs {
				for kw := range c.kernel[2] {
					b := 0
					for i := range min(together, inputs-first) {
						tap, channel := (first+i)/c.channels, (first+i)%c.channels
						switch w := c.weight(group*c.outs+o, channel, tap*c.kernel[2]+kw); {
						case w > 0:
							b |= 1 << i
						case w < 0 && c.ternary:
							b |= 1 << (shift + i)
						}
					}
					out = append(out, byte(b))
				}
			}
		}
	}
	return out
}

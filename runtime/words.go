package runtime

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

// Vectors of bits, sbits and terns as two bit planes of 64-bit words: sign (set
// for +1) and nonzero. With them one formula gives the sum of weights times
// activations for every encoding: where both are not zero, each product is -1
// if the signs differ and +1 if not, so
//
//	z = popcount(m) - 2*popcount((xs XOR ws) AND m), m = xnz AND wnz.
//
// A bit of {0,1} is 0 or +1: its sign plane and its nonzero plane are equal.

// wordsOf is the number of words of a plane of n elements.
func wordsOf(n int) int { return (n + 63) / 64 }

// packWords splits dense logic elements into their planes. Padding bits are 0
// in the nonzero plane.
func packWords(sign, nonzero []uint64, x []byte) {
	for w := range sign {
		piece := x[64*w : min(64*w+64, len(x))]
		var s, z uint64
		for i, v := range piece {
			s |= uint64(truth(int8(v) > 0)) << i
			z |= uint64(v&1) << i // -1 and +1 are odd
		}
		sign[w], nonzero[w] = s, z
	}
}

// matrixWords is the planes of a weight matrix, row by row. nonzero is nil when
// no weight is zero.
type matrixWords struct {
	rows, cols, words int
	sign, nonzero     []uint64
}

// matrixWords packs a constant of sbits or terns with rows rows.
func (p *prep) matrixWords(c *billb.Const, rows, cols int) *matrixWords {
	m := &matrixWords{rows: rows, cols: cols, words: wordsOf(cols)}
	p.charge(mulSat(8, rows, m.words))
	m.sign = make([]uint64, rows*m.words)
	if c.Form == billb.Plain && c.Elem == SBit {
		for i := range m.sign {
			first := 64 * (i % m.words)
			m.sign[i] = bitsAt(c.Data, i/m.words*cols+first, min(64, cols-first))
		}
		return m
	}
	p.charge(mulSat(8, rows, m.words))
	m.nonzero = make([]uint64, rows*m.words)
	dense := p.denseData(c)
	for r := range rows {
		packWords(m.sign[r*m.words:][:m.words], m.nonzero[r*m.words:][:m.words], dense[r*cols:(r+1)*cols])
	}
	if !slices.Contains(dense, 0) {
		m.nonzero = nil
	}
	return m
}

// bitsAt is n bits of data from bit at on.
func bitsAt(data []byte, at, n int) uint64 {
	var x uint64
	for i := 0; i < n; {
		skip := (at + i) % 8
		x |= uint64(data[(at+i)/8]) >> skip << i
		i += 8 - skip
	}
	return x << (64 - n) >> (64 - n)
}

// product sets z[i] to the sum of row lo+i of the weights times a vector given
// by its planes.
func (m *matrixWords) product(z []int32, lo int, sign, nonzero []uint64) {
	sign, nonzero = sign[:m.words], nonzero[:m.words]
	all := 0
	for _, x := range nonzero {
		all += bits.OnesCount64(x)
	}
	for i := range z {
		ws := m.sign[(lo+i)*m.words:][:m.words]
		used, differ := all, 0
		if m.nonzero == nil {
			for j, s := range ws {
				differ += bits.OnesCount64((s ^ sign[j]) & nonzero[j])
			}
		} else {
			used = 0
			wz := m.nonzero[(lo+i)*m.words:][:m.words]
			for j, s := range ws {
				both := wz[j] & nonzero[j]
				used += bits.OnesCount64(both)
				differ += bits.OnesCount64((s ^ sign[j]) & both)
			}
		}
		z[i] = int32(used - 2*differ)
	}
}

// konstMatrix is constant operand i, rows by cols of one of the element types,
// in any shape with two axes.
func (p *prep) konstMatrix(i, rows, cols int, allowed ...Elem) *billb.Const {
	c := p.konst(i, allowed...)
	if c != nil && (len(c.Shape) != 2 || c.Shape[0] != rows || c.Shape[1] != cols) {
		p.fail("constant %s has shape %s, expected [%d,%d]", operandName(p.op.Consts, i), billb.ShapeString(c.Shape), rows, cols)
	}
	return c
}

// int32s is a constant of any integer or logic type as int32, wrapped.
func (p *prep) int32s(c *billb.Const) []int32 {
	p.charge(mulSat(4, billb.Product(c.Shape)))
	data, width := p.denseData(c), c.Elem.Width()
	v := make([]int32, billb.Product(c.Shape))
	for i := range v {
		b := data[i*width:]
		switch {
		case width >= 4:
			v[i] = int32(binary.NativeEndian.Uint32(b))
			if width == 8 {
				v[i] = int32(binary.NativeEndian.Uint64(b))
			}
		case c.Elem == U16:
			v[i] = int32(binary.NativeEndian.Uint16(b))
		case c.Elem == I16:
			v[i] = int32(int16(binary.NativeEndian.Uint16(b)))
		case c.Elem == I8 || c.Elem == SBit || c.Elem == Tern:
			v[i] = int32(int8(b[0]))
		default:
			v[i] = int32(b[0])
		}
	}
	return v
}

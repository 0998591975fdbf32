// Package kernels generates the assembly of runtime/kernels, a function a family.
package kernels

import (
	"github.com/billnet/billnet/internal/asmgen/asm"
	. "github.com/mmcloughlin/avo/operand"
)

// gen builds the functions of a file.
type gen struct{ *asm.Gen }

// isa adds the operations on bytes and integers that AVX2 and AVX-512 spell differently.
type isa struct{ asm.ISA }

func (g gen) isas() []isa { return []isa{{g.AVX2()}, {g.AVX512()}} }

// step is an immediate added to an address.
func step(n int) Constant { return I32(n) }

func (v isa) load(m Mem, x Op) { v.move(m, x) }

func (v isa) move(a, b Op) {
	if v.Wide() {
		v.VMOVDQU64(a, b)
	} else {
		v.VMOVDQU(a, b)
	}
}

func (v isa) xor(a, b, c Op) {
	if v.Wide() {
		v.VPXORD(a, b, c)
	} else {
		v.VPXOR(a, b, c)
	}
}

func (v isa) and(a, b, c Op) {
	if v.Wide() {
		v.VPANDD(a, b, c)
	} else {
		v.VPAND(a, b, c)
	}
}

func (v isa) or(a, b, c Op) {
	if v.Wide() {
		v.VPORD(a, b, c)
	} else {
		v.VPOR(a, b, c)
	}
}

// add and sub work on elements of 2 or 4 bytes; sub sets c = b - a.
func (v isa) add(size int, a, b, c Op) {
	if size == 2 {
		v.VPADDW(a, b, c)
	} else {
		v.VPADDD(a, b, c)
	}
}

func (v isa) sub(size int, a, b, c Op) {
	if size == 2 {
		v.VPSUBW(a, b, c)
	} else {
		v.VPSUBD(a, b, c)
	}
}

// broadcast repeats an element of size bytes.
func (v isa) broadcast(size int, m, x Op) {
	switch size {
	case 1:
		v.VPBROADCASTB(m, x)
	case 2:
		v.VPBROADCASTW(m, x)
	default:
		v.VPBROADCASTD(m, x)
	}
}

// maskOf widens bytes of a mask to elements of size bytes.
func (v isa) maskOf(size int, m Mem, x Op) {
	if size == 2 {
		v.VPMOVSXBW(m, x)
	} else {
		v.VPMOVSXBD(m, x)
	}
}

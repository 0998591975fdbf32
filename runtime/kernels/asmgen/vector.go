package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is the vector width that a kernel is written for: the operations that AVX2 and AVX-512 spell differently.
type isa struct {
	*gen
	name  string
	bytes int // of a register
}

func (g *gen) isas() []isa { return []isa{{g, "AVX2", 32}, {g, "AVX512", 64}} }

func (v isa) wide() bool { return v.bytes == 64 }

// vec is a new full register, half and quarter narrower ones.
func (v isa) vec() reg.VecVirtual {
	if v.wide() {
		return v.ZMM()
	}
	return v.YMM()
}

func (v isa) half() reg.VecVirtual {
	if v.wide() {
		return v.YMM()
	}
	return v.XMM()
}

func (v isa) load(m Mem, x Op) { v.move(m, x) }

func (v isa) move(a, b Op) {
	if v.wide() {
		v.VMOVDQU64(a, b)
	} else {
		v.VMOVDQU(a, b)
	}
}

func (v isa) xor(a, b, c Op) {
	if v.wide() {
		v.VPXORD(a, b, c)
	} else {
		v.VPXOR(a, b, c)
	}
}

func (v isa) and(a, b, c Op) {
	if v.wide() {
		v.VPANDD(a, b, c)
	} else {
		v.VPAND(a, b, c)
	}
}

func (v isa) or(a, b, c Op) {
	if v.wide() {
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

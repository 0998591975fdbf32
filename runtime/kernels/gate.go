package kernels

import (
	"encoding/binary"
	"fmt"
)

// GateOp is a gate between two bit maps F and x and a select S of one bit per channel.
type GateOp uint8

// The gates. Those named Sel take S.
const (
	And    GateOp = iota // F & x
	Or                   // F | x
	Xor                  // F ^ x
	AndNot               // F & ~x
	Not                  // ~x
	SelOr                // F | (S & x): MUX(F, F|x; S)
	SelMux               // (F & ~S) | (x & S): MUX(F, x; S)
	SelAnd               // F & (~S | x): MUX(F, F&x; S)
)

func (op GateOp) String() string {
	if op > SelAnd {
		return fmt.Sprintf("GateOp(%d)", uint8(op))
	}
	return [...]string{"and", "or", "xor", "andnot", "not", "selor", "selmux", "seland"}[op]
}

// gateBytes makes every gate one formula of f and x, with constant bytes for a plane:
// dst = (f & (x & fx ^ f1)) ^ x & x1.
type gateBytes struct{ fx, f1, x1 uint8 }

// bytes returns the constants of the gate for a select byte. Not is a xor with the mask, which takes f's place; valid
// masks the channels that exist.
func (op GateOp) bytes(s, valid uint8) gateBytes {
	switch op {
	case And:
		return gateBytes{fx: 0xFF}
	case Or: // f&~x ^ x
		return gateBytes{fx: 0xFF, f1: 0xFF, x1: 0xFF}
	case Xor:
		return gateBytes{f1: 0xFF, x1: 0xFF}
	case AndNot:
		return gateBytes{fx: 0xFF, f1: 0xFF}
	case Not:
		return gateBytes{f1: valid, x1: 0xFF}
	case SelOr: // f&~(s&x) ^ s&x
		return gateBytes{fx: s, f1: 0xFF, x1: s}
	case SelMux: // f&~s ^ s&x
		return gateBytes{f1: ^s, x1: s}
	default: // f&~(s&~x) = f&(s&x ^ ~s)
		return gateBytes{fx: s, f1: ^s}
	}
}

func gateGeneric(dst, f, x []byte, fx, f1, x1 uint8) {
	const ones = 0x0101010101010101
	a, b, c := uint64(fx)*ones, uint64(f1)*ones, uint64(x1)*ones
	f, x = f[:len(dst)], x[:len(dst)]
	for i := 0; i+8 <= len(dst); i += 8 {
		fv, xv := binary.LittleEndian.Uint64(f[i:]), binary.LittleEndian.Uint64(x[i:])
		binary.LittleEndian.PutUint64(dst[i:], fv&(xv&a^b)^xv&c)
	}
}

// Gate is the plan of a gate between bit maps. Both inputs and the output share one geometry; the output may be one of
// the inputs.
type Gate struct {
	set  *Set
	op   GateOp
	g    Geom
	walk *walk
}

// NewGate plans a gate over maps of geometry g.
func NewGate(set *Set, op GateOp, g Geom) (*Gate, error) {
	if set == nil {
		return nil, errNoSet
	}
	if op > SelAnd {
		return nil, errorf("kernels: unknown gate %d", uint8(op))
	}
	if err := g.Check(Bit); err != nil {
		return nil, err
	}
	return &Gate{set: set, op: op, g: g, walk: newWalk(g, g, 64*block, g.Planes(Bit))}, nil
}

// Stages is 1.
func (p *Gate) Stages() int { return 1 }

// Scratch is 0.
func (p *Gate) Scratch(parts int) int { return 0 }

// Run computes one part. Not ignores f; only the Sel gates read s, ceil(C/8) bytes with bit j of byte b for channel 8b+j.
func (p *Gate) Run(stage, part, parts int, dst, f, x, s []byte) {
	n := p.g.Bytes(Bit)
	dst, x = dst[:n], x[:n]
	if p.op != Not {
		f = f[:n]
	}
	if part == 0 {
		clearEnds(dst, p.g, Bit)
	}
	tiles, phases := p.walk.tiles(), len(p.walk.classes)
	lo, hi := share(p.g.Planes(Bit)*tiles, part, parts)
	for i := lo; i < hi; i++ {
		plane, pl := i/tiles, p.walk.at(i%tiles)
		ch, c := plane/phases, &p.walk.classes[plane%phases]
		var sel uint8
		if p.op >= SelOr {
			sel = s[ch]
		}
		a := p.walk.lead + plane*p.walk.plane + pl.start
		b := a + pl.blocks*block
		var fv []byte
		if p.op == Not {
			fv = p.walk.mask(c, pl)
		} else {
			fv = f[a:b]
		}
		k := p.op.bytes(sel, validBits(p.g.C, ch))
		p.set.gate(dst[a:b], fv, x[a:b], k.fx, k.f1, k.x1)
		p.walk.finish(p.walk.planeOf(dst, plane, 1), nil, 1, c, pl)
	}
}

// validBits is the mask of the channels of byte b of c channels that exist.
func validBits(c, b int) uint8 {
	if n := c - 8*b; n < 8 {
		return uint8(1)<<n - 1
	}
	return 0xFF
}

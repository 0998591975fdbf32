package kernels

import (
	"fmt"
	"strings"
)

// ISA is an instruction set that kernels are written for: a level of a family.
// Levels of one family include each other; those of two families have nothing in
// common but plain Go, which all include.
type ISA uint8

// The instruction sets.
const (
	Generic ISA = iota // plain Go
	AVX2               // x86-64 with AVX2
	AVX512             // x86-64 with AVX-512 F, BW, VL, VBMI, VNNI and BITALG
)

// family is a line of instruction sets of which a machine has at most one.
type family uint8

const (
	portable family = iota
	x86
)

// isas is all that is known of instruction sets, by ISA. The levels of a family
// are in ascending order.
var isas = [...]struct {
	name   string
	family family
	level  uint8
}{
	Generic: {"generic", portable, 0},
	AVX2:    {"avx2", x86, 1},
	AVX512:  {"avx512", x86, 2},
}

func (i ISA) String() string {
	if int(i) >= len(isas) {
		return fmt.Sprintf("ISA(%d)", uint8(i))
	}
	return isas[i].name
}

// Includes reports whether a CPU with i runs the kernels that are written for j.
func (i ISA) Includes(j ISA) bool {
	if int(i) >= len(isas) || int(j) >= len(isas) {
		return false
	}
	return j == Generic || isas[i].family == isas[j].family && isas[i].level >= isas[j].level
}

// ISAs lists all instruction sets, plain Go first and every one after those that
// it includes.
func ISAs() []ISA {
	list := make([]ISA, len(isas))
	for i := range list {
		list[i] = ISA(i)
	}
	return list
}

// Names are those of all instruction sets, in the order of ISAs.
func Names() []string {
	var names []string
	for _, i := range ISAs() {
		names = append(names, i.String())
	}
	return names
}

// Machine names the instruction sets that this build and CPU can run kernels of,
// in the order of ISAs.
func Machine() []string {
	var names []string
	for _, i := range ISAs() {
		if Available(i) {
			names = append(names, i.String())
		}
	}
	return names
}

// ParseISA returns the instruction set called name.
func ParseISA(name string) (ISA, error) {
	for i := range isas {
		if isas[i].name == name {
			return ISA(i), nil
		}
	}
	return Generic, errorf("kernels: unknown instruction set %q, expected one of %s", name, strings.Join(Names(), ", "))
}

// Available reports whether this build and CPU can run kernels of an instruction set.
func Available(isa ISA) bool { return isa == Generic || int(isa) < len(isas) && asmAvailable(isa) }

// Best is the most capable instruction set that is available.
func Best() ISA { return bestOf(func(ISA) bool { return true }) }

// bestOf is the most capable instruction set that is available and allowed.
func bestOf(allowed func(ISA) bool) ISA {
	best := Generic
	for i := range ISA(len(isas)) {
		if i.Includes(best) && Available(i) && allowed(i) {
			best = i
		}
	}
	return best
}

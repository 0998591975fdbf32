package runtime

import "github.com/billnet/billnet/runtime/billb"

// align is what pieces of memory begin at multiples of, in bytes.
const align = billb.Align

// roundUp is the smallest multiple of to that is not below n.
//
//go:noinline
func roundUp(n, to int) int { return (n + to - 1) / to * to }

// area hands out pieces of a step's scratch memory.
type area struct {
	p    *prep
	size int
}

// take reserves n times width bytes and returns their offset.
func (a *area) take(n, width int) int {
	if n == 0 || width == 0 {
		return a.size
	}
	if n > (defaultLimit-a.size-align)/width {
		a.p.fail("the instruction needs more than %d bytes of scratch memory", defaultLimit)
	}
	at := a.size
	a.size += roundUp(n*width, align)
	return at
}

// scratch is the size for a step.
func (a *area) scratch(int) int { return a.size }

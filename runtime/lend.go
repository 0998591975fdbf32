package runtime

import (
	"unsafe"

	"github.com/billnet/billnet/runtime/billb"
)

// home is where a value lies during a run: in the arena, or in memory that the caller of Run lends for a port, which saves
// copying it. All operands that are the value share its home.
type home struct{ port int } // in memory.lent; 0: in the arena

// homes follows, instruction by instruction, which home the value of every buffer has.
type homes struct {
	of   []*home       // of every buffer
	next map[int]*home // of what the instruction writes
	img  *billb.Image
}

// newHomes gives every input the port of its index plus one.
func newHomes(img *billb.Image) *homes {
	h := &homes{img: img, of: make([]*home, len(img.Buffers)), next: map[int]*home{}}
	for i, p := range img.Inputs {
		h.of[p.Buffer] = &home{port: 1 + i}
	}
	return h
}

// written is the home of what the instruction writes to a buffer.
func (h *homes) written(b int) *home {
	if h.next[b] == nil {
		h.next[b] = &home{}
	}
	return h.next[b]
}

// step ends an instruction.
func (h *homes) step(in *billb.Instr, s *step) {
	for _, b := range in.Out {
		switch {
		case b < 0:
		case s.alias:
			h.of[b] = h.of[in.In[0]]
		default:
			h.of[b] = h.written(b)
		}
	}
	clear(h.next)
}

// end gives the outputs their ports, after those of the inputs, and returns them. Outputs of one value share one, and one
// that is an input has the input's.
func (h *homes) end() []int {
	ports := make([]int, len(h.img.Outputs))
	for i, p := range h.img.Outputs {
		at := h.of[p.Buffer]
		if at == nil { // no elements
			continue
		}
		if at.port == 0 {
			at.port = 1 + len(h.img.Inputs) + i
		}
		ports[i] = at.port
	}
	return ports
}

// lendable reports whether a caller's memory serves in place of the arena's: pieces of the arena begin at multiples of align,
// and nothing else lies before the next one.
func lendable(b []byte) bool {
	return len(b) > 0 && len(b)%align == 0 && uintptr(unsafe.Pointer(unsafe.SliceData(b)))%align == 0
}

// overlap reports whether two pieces of memory have a byte in common.
func overlap(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	x, y := uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return x < y+uintptr(len(b)) && y < x+uintptr(len(a))
}

// lendOutputs has the run write what it can to the caller's memory at once.
func (s *Session) lendOutputs(inputs, outputs [][]byte) {
	lent := s.m[0].lent
	for i, b := range outputs {
		port := s.ports[i]
		if port != 1+len(inputs)+i || len(b) != len(s.port(&s.prog.img.Outputs[i])) || !lendable(b) {
			continue
		}
		alone := true
		for _, x := range inputs {
			alone = alone && !overlap(b, x)
		}
		for j, x := range outputs {
			alone = alone && (i == j || !overlap(b, x))
		}
		if alone {
			lent[port] = b
		}
	}
}

// lendInput has the run read an input in the caller's memory.
func (s *Session) lendInput(i int, b []byte) bool {
	if !lendable(b) {
		return false
	}
	for _, port := range s.ports {
		if port == 1+i { // an output, which may be read after the run
			return false
		}
	}
	s.m[0].lent[1+i] = b
	return true
}

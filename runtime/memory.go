package runtime

// Memory is the memory that a session works in, in bytes.
type Memory struct {
	Arena   int // of all activations, inputs and outputs among them
	Scratch int // of the kernels, as far as it does not lie in gaps of the arena
	Ports   int // inputs and outputs that are kept beside the arena
}

// Total is all of it.
func (m Memory) Total() int { return m.Arena + m.Scratch + m.Ports }

// Memory is what the session has allocated to work in; the program's weights are
// not part of it.
func (s *Session) Memory() Memory {
	m := s.memory()
	m.Ports += len(s.feed.kept) + len(s.feed.window)
	return m
}

func (x *machine) memory() Memory {
	return Memory{Arena: x.arena, Scratch: len(x.m[0].arena) - x.arena}
}

// Memory is what a session with so many threads would work in.
func (p *Program) Memory(threads int) (Memory, error) {
	code, err := p.prepared(p.best)
	if err != nil {
		return Memory{}, err
	}
	_, total := newRooms(code.steps, p.img.Arena, gapsOf(p.img), threads)
	return Memory{Arena: p.img.Arena, Scratch: total - p.img.Arena}, nil
}

package runtime

// Memory is the memory that a session works in, in bytes.
type Memory struct {
	Arena   int // of all activations, inputs and outputs among them
	Scratch int // of the kernels: what they share, and the vectors of every thread
	Ports   int // inputs and outputs that are kept beside the arena
}

// Total is all of it.
func (m Memory) Total() int { return m.Arena + m.Scratch + m.Ports }

// Memory is what the session has allocated to work in; the program's weights are
// not part of it.
func (s *Session) Memory() Memory {
	m := s.memory()
	m.Ports += len(s.feed.kept)
	return m
}

func (x *machine) memory() Memory {
	m := Memory{Arena: len(x.m[0].arena), Scratch: len(x.m[0].scratch)}
	for _, part := range x.m {
		m.Scratch += len(part.temp)
	}
	return m
}

// Memory is what a session with so many threads would work in.
func (p *Program) Memory(threads int) (Memory, error) {
	code, err := p.prepared(p.best)
	if err != nil {
		return Memory{}, err
	}
	return Memory{Arena: p.img.Arena, Scratch: scratchBytes(code.steps, threads) + threads*tempBytes}, nil
}

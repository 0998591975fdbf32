package runtime

import "slices"

// Streams reports whether the program takes a frame at a time and has a result after
// every one: its runs are steps, each of which goes on where the one before ended.
func (p *Program) Streams() bool {
	return len(p.img.States) > 0 || slices.ContainsFunc(p.img.Meta, func(kv [2]string) bool { return kv[0] == metaStates })
}

// metaStates is the metadata of a program of a stream, which may carry nothing.
const metaStates = "stream.states"

// Step takes the next frame of a stream: its elements as Run takes those of the
// program's one input. Then the outputs, which Output and Result read, are those of all
// frames since the session was made or Restart was called: what the network says of a
// clip of so many. Run, Execute and Push are steps too. Step allocates nothing, and the
// memory of a session does not grow. A step that fails forgets the frames before.
func (s *Session) Step(frame []byte) error {
	if err := s.begin(); err != nil {
		return s.named(err)
	}
	defer s.end()
	if !s.prog.Streams() || len(s.prog.img.Inputs) != 1 {
		return errorf("%s: Step needs a program of one input that carries states from frame to frame (billc compile --stream): Push takes the frames of a clip", s.prog.img.Name)
	}
	if err := s.take(0, frame, false); err != nil {
		return err
	}
	return s.execute()
}

// Restart forgets the frames so far: of a clip that is not complete, or of a stream.
func (s *Session) Restart() {
	s.feed.next = 0
	s.forget()
}

// forget makes the states what they are before the first frame.
func (s *Session) forget() {
	for _, st := range s.prog.img.States {
		b := &s.prog.img.Buffers[st.From]
		size, _ := b.Size()
		clear(s.m[0].arena[b.Offset : b.Offset+size])
	}
}

// carry makes the values of this run the states of the next.
func (s *Session) carry() {
	for _, st := range s.prog.img.States {
		from, to := &s.prog.img.Buffers[st.From], &s.prog.img.Buffers[st.To]
		if from.Offset != to.Offset {
			size, _ := to.Size()
			copy(s.m[0].arena[from.Offset:from.Offset+size], s.m[0].arena[to.Offset:])
		}
	}
}

package runtime

import (
	"slices"

	"github.com/billnet/billnet/runtime/billb"
)

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

func (s *Session) forget() { forget(s.prog.img, s.m[0].arena) }

func (s *Session) carry() { carry(s.prog.img, s.m[0].arena) }

// forget makes the states what they are before the first frame.
func forget(img *billb.Image, arena []byte) {
	for _, st := range img.States {
		b := &img.Buffers[st.From]
		size, _ := b.Size()
		clear(arena[b.Offset : b.Offset+size])
	}
}

// carry makes the values of a run the states of the next.
func carry(img *billb.Image, arena []byte) {
	for _, st := range img.States {
		from, to := &img.Buffers[st.From], &img.Buffers[st.To]
		if from.Offset != to.Offset {
			size, _ := to.Size()
			copy(arena[from.Offset:from.Offset+size], arena[to.Offset:])
		}
	}
}

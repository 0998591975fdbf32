package runner

import (
	"errors"
	"io"
)

// pipe runs on the bytes of standard input, as many as the open inputs have, and
// writes those of all outputs. It ends with standard input.
func (c *runCmd) pipe(e *env, m *model, s Session, in *inputs) error {
	data, left := in.set(0), 0
	for i, p := range m.Inputs {
		if data[i] == nil {
			data[i] = make([]byte, size(p.Shape)*p.Elem.Width())
			left += len(data[i])
		}
	}
	if left == 0 {
		return usagef("--pipe: %s has no bytes to read, --input gives all of %s", m.path, portList(m.Inputs))
	}
	raw, _ := m.outputs()
	for runs := 0; ; runs++ {
		got := 0
		for i := range data {
			if in.sets[i] != nil {
				continue
			}
			n, err := io.ReadFull(e.stdin, data[i])
			got += n
			switch {
			case e.stopped() != nil:
				return e.stopped()
			case errors.Is(err, io.EOF) && got == 0 && len(data[i]) > 0:
				return nil
			case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
				return errorf("standard input ends after %d of the %d bytes of run %d (counted from 0): %s takes %s", got, left, runs, m.path, portList(m.Inputs))
			case err != nil:
				return errorf("reading standard input: %w", err)
			}
		}
		if err := s.Run(data, raw); err != nil {
			return errorf("%s: %w", m.path, err)
		}
		for _, b := range raw {
			e.stdout.Write(b) // an error shows when it is flushed
		}
		if err := flush(e); err != nil {
			return err
		}
	}
}

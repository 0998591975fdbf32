package runner

import (
	"fmt"
	"io"

	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
)

// streamer is a session that takes a clip frame by frame, as runtime.Session does.
type streamer interface {
	Push(frame []byte) (ready bool, err error)
	Slide(n int) error
	Result(i int, dst []byte) error
	Restart()
}

// stream prints a result as soon as there is one: after every frame of a causal network, else
// after as many as a clip has, or with --slide after fewer.
func (c *runCmd) stream(e *env, m *model, s Session, in *inputs) error {
	st, ok := s.(streamer)
	if !ok || !in.pictures || len(m.Inputs) != 1 {
		return usagef("--stream: %s has no clip as its only input, but %s", m.path, portList(m.Inputs))
	}
	if err := c.scored(m); err != nil {
		return err
	}
	if c.Slide != 0 {
		if err := st.Slide(c.Slide); err != nil {
			return usagef("--slide %d: %v", c.Slide, err)
		}
	}
	fmt.Fprintf(e.stderr, "input %s is given %s\n", portText(m.Inputs[in.open]), in.feeds)
	return c.eachClip(e, in, func(path string, read *int) error {
		st.Restart()
		return c.frames(e, m, st, in, path, read)
	})
}

// frames streams a video. read is the number of its results so far.
func (c *runCmd) frames(e *env, m *model, st streamer, in *inputs, path string, read *int) error {
	opt := in.opt
	opt.Done = e.done
	video, err := clip.OpenStream(path, in.spec, opt)
	if err != nil {
		return err
	}
	defer video.Close()
	if !c.JSON && !c.Logits {
		fmt.Fprintf(e.stdout, "%s\n frame   softmax  class\n", plain.Text(path))
	}
	raw, outs := m.outputs()
	rest := 0
	for frame := 0; ; frame++ {
		if err := e.stopped(); err != nil {
			return err
		}
		t, err := video.Next()
		if err == io.EOF {
			if rest > 0 && c.Slide != 0 && frame >= in.spec.T {
				fmt.Fprintf(e.stderr, "note: %s: the last %d frames are fewer than --slide %d\n", plain.Text(path), rest, c.Slide)
			} else if rest > 0 {
				fmt.Fprintf(e.stderr, "note: %s: the last %d frames are no clip of %d\n", plain.Text(path), rest, in.spec.T)
			}
			return nil
		}
		if err != nil {
			return err
		}
		data := t.U8
		if t.F32 != nil {
			data = runtime.Bytes(t.F32)
		}
		ready, err := st.Push(data)
		if err != nil {
			return err
		}
		if rest++; !ready {
			continue
		}
		rest = 0
		if err := st.Result(0, raw[0]); err != nil {
			return err
		}
		switch {
		case c.JSON:
			writeScores(e, path, frame, in.feeds, outs[0], m.Labels)
			*read = frame + 1
		case c.Logits:
			writeLogits(e.stdout, outs[0])
		default:
			class := ranked(outs[0])[0]
			fmt.Fprintf(e.stdout, "%6d  %6.2f %%  %s\n", frame, 100*softmax(outs[0])[class], plain.Text(label(m.Labels, class)))
		}
		if err := flush(e); err != nil {
			return err
		}
	}
}

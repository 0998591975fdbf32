package main

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/train/recipe"
)

// meter shows how far a run is: a bar on a terminal, else a line now and then.
type meter struct {
	w     *plain.Writer
	now   func() time.Time
	live  bool // w is a terminal
	bar   *progressbar.ProgressBar
	stage int
	loss  float64 // smoothed
	right float64

	first time.Time // of the first step that this process did
	done  int       // steps since then
	last  time.Time // of the last line
}

// meterEvery is the time between lines.
const meterEvery = 30 * time.Second

func newMeter(w *plain.Writer) *meter {
	return &meter{w: w, now: time.Now, stage: -1, live: terminal(w) != nil}
}

// step shows a step. Loss and accuracy are means over about 50 steps, the time
// left is that of the whole run.
func (m *meter) step(p recipe.Progress) {
	now := m.now()
	if m.stage < 0 {
		m.first, m.last = now, now
	} else {
		m.done++
	}
	if p.Index != m.stage {
		m.end()
		m.stage, m.loss, m.right = p.Index, p.Loss, p.Accuracy
		if m.live {
			m.bar = progressbar.NewOptions(p.Steps, progressbar.OptionSetWriter(m.w), progressbar.OptionShowCount(),
				progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionSetPredictTime(false), progressbar.OptionSetWidth(20))
		}
	}
	m.loss += (p.Loss - m.loss) / 50
	m.right += (p.Accuracy - m.right) / 50
	text := fmt.Sprintf("%s (%d of %d): loss %.3f, accuracy %4.1f %%", p.Stage, p.Index+1, p.Count, m.loss, 100*m.right)
	if m.done > 0 {
		left := now.Sub(m.first) / time.Duration(m.done) * time.Duration(p.Left)
		text += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	switch {
	case m.bar != nil:
		m.bar.Describe(text)
		m.bar.Set(p.Step)
	case now.Sub(m.last) >= meterEvery:
		m.last = now
		fmt.Fprintf(m.w, "%s, step %d of %d\n", text, p.Step, p.Steps)
	}
}

// end ends the bar of a stage.
func (m *meter) end() {
	if m.bar != nil {
		m.bar.Exit()
		fmt.Fprintln(m.w)
		m.bar = nil
	}
}

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/train/recipe"
)

// TestMeter: what is no terminal gets a line now and then, with loss, accuracy
// and the time left of the whole run.
func TestMeter(t *testing.T) {
	var out strings.Builder
	at := time.Unix(0, 0)
	m := newMeter(&plain.Writer{To: &out})
	m.now = func() time.Time { return at }
	for step := 11; step <= 20; step++ { // of a run that was resumed
		m.step(recipe.Progress{Stage: "float", Count: 2, Step: step, Steps: 20, Left: 20 - step + 5, Loss: 2, Accuracy: 0.25})
		at = at.Add(10 * time.Second)
	}
	m.step(recipe.Progress{Stage: "all", Index: 1, Count: 2, Step: 1, Steps: 5, Left: 4, Loss: 1, Accuracy: 0.5})
	m.end()
	want := `float (1 of 2): loss 2.000, accuracy 25.0 %, 1m50s left, step 14 of 20
float (1 of 2): loss 2.000, accuracy 25.0 %, 1m20s left, step 17 of 20
float (1 of 2): loss 2.000, accuracy 25.0 %, 50s left, step 20 of 20
`
	if out.String() != want {
		t.Errorf("the lines are\n%s, expected\n%s", out.String(), want)
	}
	m = newMeter(&plain.Writer{To: &out})
	m.live = true
	out.Reset()
	m.step(recipe.Progress{Stage: "float", Count: 1, Step: 1, Steps: 2, Left: 1, Loss: 2, Accuracy: 0.25})
	m.end()
	if !strings.Contains(out.String(), "float (1 of 1): loss 2.000, accuracy 25.0 %") || !strings.HasSuffix(out.String(), "\n") {
		t.Errorf("the bar is %q", out.String())
	}
}

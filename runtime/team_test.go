package runtime

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestTeam runs many stages of uneven length and checks that every part runs
// exactly once in every stage, never overlapping the next stage.
func TestTeam(t *testing.T) {
	const threads, stages = 3, 500
	team := newTeam(threads)
	defer team.close()
	m := make([]*memory, threads)
	for i := range m {
		m[i] = &memory{}
	}
	var now atomic.Int32
	var ran [threads]int32
	stage := func(mine *memory, part, parts int) {
		if mine != m[part] || parts != threads {
			t.Errorf("part %d of %d got another part's memory", part, parts)
		}
		at := now.Load()
		if ran[part]++; ran[part] != at {
			t.Errorf("part %d has run %d times in stage %d", part, ran[part], at)
		}
		if at%97 == int32(part) { // long enough for the others to fall asleep
			time.Sleep(200 * time.Microsecond)
		}
	}
	for i := range int32(stages) {
		now.Store(i + 1)
		team.run(stage, m)
	}
	for part, n := range ran {
		if n != stages {
			t.Errorf("part %d ran %d times, expected %d", part, n, stages)
		}
	}
}

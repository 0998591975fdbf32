package runtime

import (
	"strings"
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

// TestTeamPanic lets one part panic after the other and checks that the panic
// reaches the caller, that all other parts have ended by then, and that the team
// goes on.
func TestTeamPanic(t *testing.T) {
	const threads = 3
	team := newTeam(threads)
	defer team.close()
	m := make([]*memory, threads)
	var done atomic.Int32
	raised := func(bad int) (v any) {
		defer func() { v = recover() }()
		done.Store(0)
		team.run(func(_ *memory, part, _ int) {
			if part == bad {
				panic("a fault for the test")
			}
			time.Sleep(time.Millisecond)
			done.Add(1)
		}, m)
		return nil
	}
	for bad := range threads {
		b, ok := raised(bad).(*bug)
		if !ok || b.value != "a fault for the test" || done.Load() != threads-1 {
			t.Errorf("part %d: raised %v with %d other parts done", bad, b, done.Load())
		} else if text := b.String(); !strings.HasPrefix(text, "a fault for the test\n") || !strings.Contains(text, "team_test.go") {
			t.Errorf("part %d: the panic reads %q, expected its value and where it happened", bad, text)
		}
		if v := raised(-1); v != nil || done.Load() != threads {
			t.Errorf("after the panic of part %d: %d parts ran, raised %v", bad, done.Load(), v)
		}
	}
}

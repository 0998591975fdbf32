package hostile

import (
	"context"
	"fmt"
	"math/rand/v2"
	goruntime "runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/pipeline"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime"
)

// The bounds of one model.
const (
	MaxBytes = 256 << 20
	MaxTime  = 10 * time.Second
)

// Verdict is what became of a model.
type Verdict struct {
	Stage string // "import", "passes", "bytecode" or "load" where it ended, "done"
	Err   error  // of that stage
	Fault string // what should not have happened, "" if nothing did
	Bytes uint64 // allocated in all, freed or not
	Time  time.Duration
}

// Try compiles a model by the default pipeline, loads the program and runs it where
// it is small. It must not run beside anything else that allocates.
//
// A model that allocates more than MaxBytes in all is tried once more, to see how
// much of it there was at a time.
func Try(data []byte) Verdict {
	v := try(data)
	if v.Fault != "" || v.Bytes <= MaxBytes {
		return v
	}
	peak := watchHeap(func() { try(data) })
	if peak > MaxBytes {
		v.Fault = fmt.Sprintf("takes %d MB", peak>>20)
	}
	return v
}

// watchHeap returns the largest size of the heap while f runs, above what there was.
func watchHeap(f func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	goruntime.GC()
	read := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	done, peak, before := make(chan struct{}), uint64(0), read()
	go func() { defer close(done); f() }()
	for {
		select {
		case <-done:
			return peak
		case <-time.After(time.Millisecond):
			peak = max(peak, read()-min(before, read()))
		}
	}
}

func try(data []byte) Verdict {
	ctx, cancel := context.WithTimeout(context.Background(), MaxTime)
	defer cancel()
	done := make(chan Verdict, 1)
	start, before := time.Now(), allocated()
	go func() {
		var v Verdict
		defer func() {
			if p := recover(); p != nil {
				v.Fault = fmt.Sprintf("panic in %s: %v\n%s", v.Stage, p, debug.Stack())
			}
			done <- v
		}()
		v.Err = compile(ctx, data, &v.Stage)
	}()
	var v Verdict
	select {
	case v = <-done:
	case <-time.After(MaxTime + 2*time.Second):
		v.Fault = "does not look at its context"
	}
	v.Time, v.Bytes = time.Since(start), allocated()-before
	switch {
	case v.Fault != "":
	case v.Err != nil && strings.Contains(v.Err.Error(), "BUG"):
		v.Fault = v.Err.Error()
	case v.Time > MaxTime:
		v.Fault = fmt.Sprintf("takes longer than %s", MaxTime)
	}
	return v
}

// compile takes a model as far as a loaded program; stage says how far.
func compile(ctx context.Context, data []byte, stage *string) error {
	*stage = "import"
	m, _, err := onnx.ImportBytes(ctx, "mutant.onnx", data, onnx.Options{})
	if err != nil {
		return err
	}
	*stage = "passes"
	res, err := passes.Run(ctx, m, pipeline.Default(), passes.RunOptions{})
	if err != nil {
		return err
	}
	*stage = "bytecode"
	file, _, err := bytecode.File(m, report.EncodeCertificates(report.Certificates(m, res.Records)), 0)
	if err != nil {
		return err
	}
	*stage = "load"
	p, err := runtime.LoadBytes(file)
	if err != nil {
		return err
	}
	*stage = "run"
	if err := run(p); err != nil {
		return err
	}
	*stage = "done"
	return nil
}

// Programs of more work or memory than that are not run.
const (
	maxRunMACs  = 1 << 24
	maxRunArena = 1 << 22
)

// run executes a small program once. Inputs may be out of range, which is an error.
func run(p *runtime.Program) error {
	macs := 0.0
	for _, in := range p.Instructions() {
		macs += in.MACs
	}
	if macs > maxRunMACs || p.ArenaBytes() > maxRunArena {
		return nil
	}
	s, err := p.NewSession(runtime.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	in, rng := make([][]byte, len(p.Inputs())), rand.New(rand.NewPCG(1, 2))
	for i, port := range p.Inputs() {
		in[i] = runtime.Sample(port, 2, rng)
	}
	return s.Run(in, nil)
}

// allocated is the number of bytes that the process has allocated so far, freed or
// not: no limit of the collector hides a short-lived excess.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

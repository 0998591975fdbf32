// Command billrun runs a compiled model, a .billb file, on clips or tensors,
// checks it against recorded outputs and measures its speed.
//
// It links the runtime and the clip reader only: it knows nothing of ONNX or of
// the compiler. "billrun --help" shows the commands; every command has its own
// help with examples.
//
// Exit codes: 0 done, 1 failed, 2 bad usage, 3 outputs differ from the recorded
// ones, 70 a fault in billrun, 124 timed out.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

func main() {
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	os.Exit(run(interrupt, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// program is what messages call this program.
const program = "billrun"

// The exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitDiffer  = 3
	exitBug     = 70
	exitTimeout = 124
)

const description = `Usage: billrun [run] MODEL [CLIP...] [flags]
       billrun COMMAND ...

Runs a compiled BILLNET model (.billb) on clips.

Examples:

  billrun model.billb wave.gif
  billrun model.billb --json clips.npy > scores.jsonl
  ffmpeg -i cam.mp4 -f rawvideo -pix_fmt rgb24 -s 64x48 - | billrun model.billb - --size 64x48
  billrun model.billb --input x=@x.npy --input sel=@sel.npy --out results
  billrun test model.billb --golden testdata
  billrun bench model.billb --profile

A file called like a command is given after "run": billrun run ./test clip.gif. What begins with - and is no flag stands after "--".
Exit codes: 0 done, 1 failed, 2 bad usage, 3 outputs differ, 70 a fault in billrun, 124 timed out.`

// commands are the commands of the program; the first is the default.
var commands = []command{
	{"run", "Run a model on clips or tensors (what happens when no command is given).", runHelp, declareRun},
	{"test", "Compare a model's outputs with recorded ones.", testHelp, declareTest},
	{"bench", "Measure a model's speed.", benchHelp, declareBench},
	{"info", "Show a model's interface, instructions and sizes.", infoHelp, declareInfo},
	{"version", "Show the version and the instruction sets of this machine.", "", declareVersion},
}

// env is what a command runs with.
type env struct {
	stdin  io.Reader
	stdout *bufio.Writer // flushed after the command, and by it when a reader may be waiting
	stderr io.Writer
	stop   atomic.Pointer[fail] // why the command has to end
}

// stopped is the reason why the command has to end, nil while it may go on.
// Package context would do the same and is several times as large.
func (e *env) stopped() error {
	if stop := e.stop.Load(); stop != nil {
		return stop
	}
	return nil
}

// printJSON prints an object on one line. Errors show when the output is flushed.
func (e *env) printJSON(members func(*jsonWriter)) {
	w := &jsonWriter{}
	w.object(func() { members(w) })
	e.stdout.Write(append(w.b, '\n'))
}

// fail is an error with an exit code. Without a text it was reported already.
type fail struct {
	code int
	text string
}

func (f *fail) Error() string { return f.text }

func usagef(format string, args ...any) error {
	return &fail{exitUsage, fmt.Sprintf(format, args...)}
}

// grace is how long a command that was told to stop may take to do it.
const grace = 500 * time.Millisecond

// run is the program. It ends early when something comes from interrupt, which
// may be nil, and returns the exit code.
func run(interrupt <-chan os.Signal, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd, timeout, err := parse(args)
	if err != nil {
		return report(stderr, err)
	}
	var late <-chan time.Time
	if timeout > 0 {
		late = time.After(timeout)
	}
	e := &env{stdin: stdin, stdout: bufio.NewWriter(stdout), stderr: stderr}
	done := make(chan error, 1)
	go func() {
		done <- guard(func() error {
			err := cmd.Run(e)
			if ferr := e.stdout.Flush(); err == nil && ferr != nil {
				err = fmt.Errorf("writing the output: %w", ferr)
			}
			return err
		})
	}()
	var stop *fail
	select {
	case err := <-done:
		return report(stderr, err)
	case <-interrupt:
		stop = &fail{exitFailed, "interrupted"}
		signal.Reset(os.Interrupt) // a second interrupt ends the program at once
	case <-late:
		stop = &fail{exitTimeout, fmt.Sprintf("timed out after %v", timeout)}
	}
	// The command sees it between two clips; one that waits for input does not.
	e.stop.Store(stop)
	select {
	case err = <-done:
		if errors.Is(err, stop) {
			err = stop
		}
	case <-time.After(grace):
		err = stop
	}
	return report(stderr, err)
}

// bug is a fault of the program itself.
type bug struct {
	what  any
	stack []byte
}

func (b *bug) Error() string { return fmt.Sprint(b.what) }

// guard calls f and turns a panic into an error.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &bug{v, debug.Stack()}
		}
	}()
	return f()
}

// report prints an error in one line, a fault with what its report needs, and
// returns the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	if b, ok := errors.AsType[*bug](err); ok {
		fmt.Fprintf(stderr, "BUG: %v\nThis is a fault in %s %s, not in your files. Please report it with the command line, the model and these lines:\n%s", b.what, program, version(), b.stack)
		return exitBug
	}
	if f, ok := errors.AsType[*fail](err); ok {
		if f.text != "" {
			complain(stderr, err)
		}
		return f.code
	}
	complain(stderr, err)
	return exitFailed
}

// complain prints an error in one line.
func complain(stderr io.Writer, err error) {
	fmt.Fprintf(stderr, "%s: %s\n", program, plain(strings.Join(strings.Split(strings.TrimSpace(err.Error()), "\n"), "; ")))
}

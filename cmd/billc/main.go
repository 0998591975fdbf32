// Command billc compiles BILLNET video networks: ONNX or text in, bytecode or
// text out, with a ledger that says what every layer became.
//
// Exit codes: 0 done, 1 failed, 2 bad usage, 3 outputs differ, 4 unsupported
// operators or not binary, 70 an internal fault, 124 timed out.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/codegen/c"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/internal/release"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/streaming"
)

// version is what artifacts record as their compiler.
const version = "billc 0.1"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	os.Exit(code)
}

// Exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitDiffer      = 3
	exitUnsupported = 4
	exitFault       = 70
	exitTimeout     = 124
)

// codeError is an error that asks for an exit code.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

func withCode(code int, format string, args ...any) error {
	return &codeError{code, fmt.Errorf(format, args...)}
}

// cli is the command line.
type cli struct {
	Timeout     time.Duration `help:"Give up after this long (exit code 124)." placeholder:"DURATION"`
	ShowVersion versionFlag   `name:"version" help:"Print the version and the commit."`

	Compile compileCmd `cmd:"" help:"Compile a model (.onnx or .bill) to bytecode or text, and print the ledger."`
	Build   buildCmd   `cmd:"" help:"Build a standalone executable that runs a model on clips."`
	New     newCmd     `cmd:"" help:"Write the text of a BILLNET architecture to train."`
	Train   trainCmd   `cmd:"" help:"Train a network in stages: from float to bits and integers."`
	Curves  curvesCmd  `cmd:"" help:"Draw the loss and accuracy of one or several runs of training."`
	Eval    evalCmd    `cmd:"" help:"Measure the accuracy of a model or artifact."`
	Clips   clipsCmd   `cmd:"" help:"Write clips of a data set, to look at, to run or to train on."`
	Inspect inspectCmd `cmd:"" help:"Show layers, shapes, operations, weight bytes and the activation arena of a model or artifact."`
	Verify  verifyCmd  `cmd:"" help:"Compare two models, find the pass that changes one, or check an artifact's certificate."`
	Reduce  reduceCmd  `cmd:"" help:"Make a model small on which a pass fails, while it still fails."`
	Demo    demoCmd    `cmd:"" help:"Compile and run an embedded, trained gesture network on embedded clips."`
	Passes  passesCmd  `cmd:"" help:"List the presets and the passes with their options."`
	Ops     opsCmd     `cmd:"" help:"List the operations of the intermediate representation."`
	Version versionCmd `cmd:"" help:"Print the version and the commit."`
	Help    helpCmd    `cmd:"" help:"Explain a command, as its --help does."`

	Completion completionCmd `cmd:"" help:"Print what makes a shell complete the command line."`
}

// grace is how long a command that was told to stop may take to do it, before it
// is left alone.
const grace = 500 * time.Millisecond

// patient is a command that writes something when it is told to stop, and is
// waited for.
type patient interface{ patient() }

// run is main without the process: it parses args, runs a command and returns
// the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) (code int) {
	s := newStreams(in, out, errw)
	c, k, code := parse(s, args)
	if k == nil {
		return code
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("timed out after %v (--timeout): %w", c.Timeout, context.DeadlineExceeded))
		defer cancel()
	}
	k.BindTo(ctx, (*context.Context)(nil))
	k.Bind(s)
	done := make(chan int, 1)
	go func() {
		done <- guard(s, func() int { return reportError(ctx, s, k.Run()) })
	}()
	select {
	case code := <-done:
		return code
	case <-ctx.Done():
	}
	if _, ok := k.Selected().Target.Addr().Interface().(patient); ok {
		return <-done
	}
	select {
	case code := <-done:
		return code
	case <-time.After(grace):
	}
	// What does not look at the context is left alone, and writes nothing any more.
	atomicfile.Stop()
	s.out.Close()
	code = reportError(ctx, s, ctx.Err())
	s.err.Close()
	return code
}

// parse reads the command line. The context is nil when there is nothing to run.
func parse(s *streams, args []string) (c *cli, k *kong.Context, code int) {
	c = &cli{}
	exited := -1
	parser, err := kong.New(c, kong.Name("billc"), kong.Writers(s.out, s.err), kong.Exit(func(code int) { exited = code }), kong.UsageOnError(), kong.ValueFormatter(withDefault),
		kong.Vars{"emit": emitterNames(), "replaces": replaces, "targets": targetNames()},
		kong.Description("Compiles binary video networks (Conv3D, LSTM, logic-gated residuals) to tiny exact programs.\n\n"+
			"  billc demo\n  billc compile model.onnx -o model.billb\n  billc inspect model.billb\n\n"+replaces))
	if err != nil {
		panic(err)
	}
	k, err = parser.Parse(rewriteHelp(args))
	switch {
	case exited >= 0 || s.out.Err() != nil: // help was printed
		return nil, nil, reportError(context.Background(), s, nil)
	case err != nil:
		fmt.Fprintf(s.err, "billc: %v\n", err)
		return nil, nil, exitUsage
	}
	return c, k, 0
}

// guard calls f and reports a panic.
func guard(s *streams, f func() int) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(s.err, "BUG: %v\nThis is a fault of billc. Please report it with the command line, the model and this trace:\n%s", r, debug.Stack())
			code = exitFault
		}
	}()
	return f()
}

// reportError prints an error as one line and returns its exit code. That nothing
// could be printed is an error too.
func reportError(ctx context.Context, s *streams, err error) int {
	if failed := s.failed(); failed != nil && (err == nil || errors.Is(err, s.out.Err())) {
		err = failed
	}
	if err == nil {
		return 0
	}
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, atomicfile.ErrStopped)) {
		err = whyStopped(err, ctx.Err(), cause)
	}
	fmt.Fprintf(s.err, "billc: %v\n", err)
	var coded *codeError
	var unsupported *onnx.UnsupportedError
	switch {
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, new(*passes.PipelineError)):
		return exitUsage
	case errors.As(err, &unsupported), errors.As(err, new(*bytecode.UnsupportedError)), errors.As(err, new(*c.UnsupportedError)), errors.As(err, new(*bytecode.LimitError)),
		errors.As(err, new(*streaming.Error)):
		return exitUnsupported
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	case strings.Contains(err.Error(), "BUG:"):
		fmt.Fprintln(s.err, "This is a fault of billc. Please report it with the command line and the model.")
		return exitFault
	}
	return exitFailed
}

// whyStopped words the error of a command that was told to stop.
func whyStopped(err, state, cause error) error {
	why := "interrupted"
	if errors.Is(state, context.DeadlineExceeded) {
		why = strings.TrimSuffix(cause.Error(), ": "+context.DeadlineExceeded.Error())
	}
	text := strings.ReplaceAll(err.Error(), state.Error(), why)
	if errors.Is(err, atomicfile.ErrStopped) {
		text = why
	}
	return &stoppedError{text, state}
}

// stoppedError is an error in other words.
type stoppedError struct {
	text  string
	state error
}

func (e *stoppedError) Error() string { return e.text }
func (e *stoppedError) Unwrap() error { return e.state }

type versionCmd struct{}

func (versionCmd) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, release.Text("billc"))
	return err
}

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
	"time"

	"github.com/alecthomas/kong"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/internal/release"
	"github.com/billnet/billnet/passes"
)

// version is what artifacts record as their compiler.
const version = "billc 0.1"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
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
	Timeout time.Duration `help:"Give up after this long (exit code 124)." placeholder:"DURATION"`

	Compile compileCmd `cmd:"" help:"Compile a model (.onnx or .bill) to bytecode or text, and print the ledger."`
	Build   buildCmd   `cmd:"" help:"Build a standalone executable that runs a model on clips."`
	New     newCmd     `cmd:"" help:"Write the text of a BILLNET architecture to train."`
	Train   trainCmd   `cmd:"" help:"Train a network in stages: from float to bits and integers."`
	Eval    evalCmd    `cmd:"" help:"Measure the accuracy of a model or artifact."`
	Clips   clipsCmd   `cmd:"" help:"Write clips of a data set, to look at, to run or to train on."`
	Inspect inspectCmd `cmd:"" help:"Show layers, shapes, operations, weight bytes and the activation arena of a model or artifact."`
	Verify  verifyCmd  `cmd:"" help:"Compare two models, find the pass that changes one, or check an artifact's certificate."`
	Reduce  reduceCmd  `cmd:"" help:"Make a model small on which a pass fails, while it still fails."`
	Demo    demoCmd    `cmd:"" help:"Compile and run an embedded, trained gesture network on embedded clips."`
	Passes  passesCmd  `cmd:"" help:"List the presets and the passes with their options."`
	Ops     opsCmd     `cmd:"" help:"List the operations of the intermediate representation."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// streams are what commands print to.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is main without the process: it parses args, runs a command and returns
// the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(errw, "BUG: %v\nThis is a fault of billc. Please report it with the command line, the model and this trace:\n%s", r, debug.Stack())
			code = exitFault
		}
	}()
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("billc"), kong.Writers(out, errw), kong.Exit(func(code int) { exited = code }), kong.UsageOnError(),
		kong.Description("Compiles binary video networks (Conv3D, LSTM, logic-gated residuals) to tiny exact programs.\n\n"+
			"  billc demo\n  billc compile model.onnx -o model.billb\n  billc inspect model.billb"))
	if err != nil {
		panic(err)
	}
	k, err := parser.Parse(args)
	if exited >= 0 { // help was printed
		return exited
	}
	if err != nil {
		fmt.Fprintf(errw, "billc: %v\n", err)
		return exitUsage
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	k.BindTo(ctx, (*context.Context)(nil))
	return reportError(errw, k.Run(&streams{in, out, errw}))
}

// reportError prints an error as one line and returns its exit code.
func reportError(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(w, "billc: %v\n", err)
	var coded *codeError
	var unsupported *onnx.UnsupportedError
	switch {
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, new(*passes.PipelineError)):
		return exitUsage
	case errors.As(err, &unsupported), errors.As(err, new(*bytecode.UnsupportedError)):
		return exitUnsupported
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	case strings.Contains(err.Error(), "BUG:"):
		fmt.Fprintln(w, "This is a fault of billc. Please report it with the command line and the model.")
		return exitFault
	}
	return exitFailed
}

type versionCmd struct{}

func (versionCmd) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, release.Text("billc"))
	return err
}

package runner

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
	"syscall"
	"time"

	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/internal/plain"
)

// Program is a program that runs networks.
type Program struct {
	Name    string   // what messages call it
	Version string   // what a report of a fault tells
	Commit  string   // that it was built from; "" when that is not known
	Kernels []string // the names of all instruction sets that there are kernels for
	Machine []string // those of this machine

	// Limits measures what kernels reach on this machine; nil where a program does not.
	Limits func(isa string) ([]Limit, error)

	commands []command // the first is what happens when none is given
	style
	embedded *model                      // the network in the program, or nil and
	open     func(string) (Model, error) // what reads it from the file that is the first argument
}

// command is a command of a program.
type command struct {
	name, about string
	help        string // explanation and examples; lines that begin with a space are printed as they are
	declare     func(*flags) runner
}

// runner is a command with its flags and arguments set.
type runner interface{ Run(*env) error }

// style is how a command line names its command, and how help shows that.
type style interface {
	// choose takes what names the command out of the arguments; named is false
	// when nothing does, and the command is the first.
	choose(p *Program, args []string) (c *command, rest []string, named bool)

	// check reports the arguments of a command that was not named when they look
	// like a misspelt name.
	check(p *Program, args []string) error

	// help is the help of a command, which has the flags f, or of the program when
	// c is nil; common are the flags of all commands.
	help(p *Program, c *command, f, common *flags) string
}

// Main runs the program on the arguments and files of this process and returns
// its exit code.
func (p *Program) Main() int {
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt, syscall.SIGTERM)
	return p.Run(interrupt, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// The exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitDiffer  = 3
	exitBug     = 70
	exitTimeout = 124
)

// env is what a command runs with.
type env struct {
	*Program
	stdin  io.Reader
	stdout *bufio.Writer // flushed after the command, and by it when a reader may be waiting
	stderr io.Writer
	stop   atomic.Pointer[fail] // why the command has to end
	done   chan struct{}        // closed when it has to
}

// stopped is the reason why the command has to end, nil while it may go on.
// Package context would do the same and is several times as large.
//
//go:noinline
func (e *env) stopped() error {
	if stop := e.stop.Load(); stop != nil {
		return stop
	}
	return nil
}

// load gives the network: the one in the program, or that of a file.
func (e *env) load(path string) (*model, error) {
	if e.embedded != nil {
		return e.embedded, nil
	}
	m, err := e.open(path)
	if err != nil {
		return nil, err
	}
	return &model{m, m.Describe(), path}, nil
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

//go:noinline
func usagef(format string, args ...any) error {
	return &fail{exitUsage, fmt.Sprintf(format, args...)}
}

// grace is how long a command that was told to stop may take to do it.
const grace = 500 * time.Millisecond

// Run runs the program. It ends early when something comes from interrupt, which
// may be nil, and returns the exit code.
func (p *Program) Run(interrupt <-chan os.Signal, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd, timeout, err := p.parse(args)
	if err != nil {
		return p.report(stderr, err)
	}
	var late <-chan time.Time
	if timeout > 0 {
		late = time.After(timeout)
	}
	e := &env{Program: p, stdin: stdin, stdout: bufio.NewWriter(stdout), stderr: stderr, done: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		done <- guard(func() error {
			err := cmd.Run(e)
			if ferr := e.stdout.Flush(); err == nil && ferr != nil {
				err = errorf("writing the output: %w", ferr)
			}
			return err
		})
	}()
	var stop *fail
	select {
	case err := <-done:
		return p.report(stderr, err)
	case <-interrupt:
		stop = &fail{exitFailed, "interrupted"}
		signal.Reset() // a second interrupt ends the program at once
	case <-late:
		stop = &fail{exitTimeout, fmt.Sprintf("timed out after %v", timeout)}
	}
	// The command sees it between two frames, and while ffmpeg reads; one that waits
	// for standard input does not.
	e.stop.Store(stop)
	close(e.done)
	select {
	case err = <-done:
		if errors.Is(err, stop) {
			err = stop
		}
	case <-time.After(grace):
		err = stop
		atomicfile.Stop()
	}
	return p.report(stderr, err)
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
func (p *Program) report(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	if b, ok := errors.AsType[*bug](err); ok {
		fmt.Fprintf(stderr, "BUG: %v\nThis is a fault in %s %s, not in your files. Please report it with the command line, the model and these lines:\n%s", b.what, p.Name, p.Version, b.stack)
		return exitBug
	}
	if f, ok := errors.AsType[*fail](err); ok {
		if f.text != "" {
			p.complain(stderr, err)
		}
		return f.code
	}
	p.complain(stderr, err)
	return exitFailed
}

// complain prints an error in one line.
func (p *Program) complain(stderr io.Writer, err error) {
	fmt.Fprintf(stderr, "%s: %s\n", p.Name, plain.Text(strings.Join(strings.Split(strings.TrimSpace(err.Error()), "\n"), "; ")))
}

// errorf is fmt.Errorf, which compilers copy into every place that calls it.
//
//go:noinline
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

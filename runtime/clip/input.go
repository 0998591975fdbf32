package clip

import (
	"bufio"
	"bytes"
	"io"
	"io/fs"
	"os"
)

// input is an open file or pipe.
type input struct {
	name string // for messages
	path string // "" for standard input
	r    *bufio.Reader
	size int64 // -1 = unknown
	f    io.Closer
	seek io.ReadSeeker // what r reads; nil for a pipe
}

func (in *input) close() error {
	if in.f == nil {
		return nil
	}
	return in.f.Close()
}

// keep makes rewind possible: a pipe is read into memory, up to limit bytes. Nothing may have been read before.
func (in *input) keep(limit int64) error {
	if in.seek != nil {
		return nil
	}
	var b bytes.Buffer
	if n, err := io.Copy(&b, io.LimitReader(in.r, limit+1)); err != nil {
		return err
	} else if n > limit {
		return errorf("a pipe of more than %d bytes does not fit in memory: give the name of a file", limit)
	}
	r := bytes.NewReader(b.Bytes())
	in.seek, in.size = r, r.Size()
	in.r.Reset(r)
	return nil
}

// rewind goes back to the first byte, after keep.
func (in *input) rewind() error { return in.goTo(0) }

// goTo goes to a byte counted from the first one, after keep.
func (in *input) goTo(at int64) error {
	if _, err := in.seek.Seek(at, io.SeekStart); err != nil {
		return err
	}
	in.r.Reset(in.seek)
	return nil
}

// pass goes n bytes on.
func (in *input) pass(n int64) error {
	if held := int64(in.r.Buffered()); in.seek != nil && n > held {
		if _, err := in.seek.Seek(n-held, io.SeekCurrent); err != nil {
			return err
		}
		in.r.Reset(in.seek)
		return nil
	}
	for n > 0 { // Discard takes an int
		k := min(n, 1<<30)
		if _, err := in.r.Discard(int(k)); err != nil {
			return noEOF(err)
		}
		n -= k
	}
	return nil
}

// openInput opens a file, standard input for "-", or a pipe that somebody writes to: a
// pipe without a writer is an error, since one may never come.
func openInput(path string, opt Options) (*input, error) {
	if path == "-" {
		r := opt.Stdin
		if r == nil {
			r = os.Stdin
		}
		return &input{name: "standard input", r: bufio.NewReaderSize(r, 1<<16), size: -1}, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|notWaiting, 0)
	if err != nil {
		return nil, err
	}
	in := &input{name: path, path: path, r: bufio.NewReaderSize(f, 1<<16), size: -1, f: f}
	st, err := f.Stat()
	switch {
	case err != nil:
	case st.Mode().IsRegular():
		in.size, in.seek = st.Size(), f
	case st.Mode()&fs.ModeNamedPipe != 0:
		if _, err := in.r.Peek(1); err == io.EOF {
			f.Close()
			return nil, errorf("%s is a pipe that nobody writes to, expected a file (- reads standard input)", path)
		}
	}
	return in, nil
}

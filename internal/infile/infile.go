// Package infile opens the files that a command line names.
package infile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Open opens a file to read from. What is none ends with an error that says what
// it is, and in particular a pipe: opening one waits for a writer, who may never
// come.
func Open(path string) (*os.File, error) {
	if err := Check(path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// Check reports what is there under a name and is no file.
func Check(path string) error {
	info, err := os.Stat(path)
	if p, ok := err.(*fs.PathError); ok {
		p.Op = "open" // as os.Open says it
	}
	if err != nil {
		return err
	}
	what := ""
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		what = "a pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	default:
		what = "a device"
	}
	return fmt.Errorf("%s is %s, expected a file", path, what)
}

// Read reads a whole file, of at most limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes, the most that is read", path, limit)
	}
	return data, nil
}

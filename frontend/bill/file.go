package bill

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/internal/infile"
	"github.com/billnet/billnet/ir"
)

// ParseFile reads a module from a text and its side file. The side file must
// lie in the text's folder or below it: a name with "..", an absolute one and a
// link that leads out are errors.
func ParseFile(path string) (*ir.Module, error) { return ParseFileWith(path, nil) }

// ParseFileWith is ParseFile with other values for numbers, as ParseWith has
// them.
func ParseFileWith(path string, lets map[string]float64) (*ir.Module, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// The text itself is named by the caller and may be anything, also a link
	// that leads elsewhere; its side file is still beside the name given.
	text, err := readText(path)
	if err != nil {
		return nil, err
	}
	return parse(path, text, func(name string) ([]byte, error) { return readSide(root, name) }, func(name string) [][]byte {
		return pendingSides(root, path, name)
	}, lets, MaxConstElems)
}

// pendingSides reads what may become the side file: whoever was writing it was
// killed, or is about to give it its name.
func pendingSides(root *os.Root, path, name string) (list [][]byte) {
	dir := filepath.Dir(path)
	for _, side := range atomicfile.PendingOf(path, name) {
		in, err := filepath.Rel(dir, side)
		if err != nil {
			continue
		}
		if data, err := readSide(root, in); err == nil {
			list = append(list, data)
		}
	}
	return list
}

func readText(path string) ([]byte, error) {
	f, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxText+1)) // one more, for Parse to see and refuse
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

func readSide(root *os.Root, name string) ([]byte, error) {
	if !filepath.IsLocal(name) || slices.Contains(strings.Split(filepath.ToSlash(name), "/"), "..") {
		return nil, fmt.Errorf("the name leads out of the text's folder; a side file lies beside its text")
	}
	// Only a regular file has a size to check; opening a pipe would wait forever.
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file")
	}
	if info.Size() > MaxData {
		return nil, fmt.Errorf("%d bytes, at most %d are read", info.Size(), MaxData)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	return data, nil
}

// WriteFile writes a module that verifies as a text and, when it has large
// constants, a side file beside it: path and path + ".data". Whenever it is
// interrupted, ParseFile reads the old module or the new one.
func WriteFile(path string, m *ir.Module) error {
	if err := ir.Verify(m); err != nil {
		return fmt.Errorf("%s is not written: %w", path, err)
	}
	text, data := ir.Print(m, filepath.Base(path)+".data")
	if data == nil {
		return atomicfile.WriteBytes(path, []byte(text))
	}
	return atomicfile.WritePair(path, []byte(text), path+".data", data)
}

package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
)

// externalData prepares the reading of a tensor whose bytes are in a file
// beside the model. The file is only looked at here: it must exist, inside the
// model's folder, and be long enough.
func (d *decoder) externalData(t *Tensor, entries []*onnxpb.StringEntry) error {
	location := ""
	var offset, length int64
	length = -1
	for _, e := range entries {
		var err error
		switch e.Key {
		case "location":
			location = e.Value
		case "offset":
			offset, err = parseSize(e)
		case "length":
			length, err = parseSize(e)
		}
		if err != nil {
			return err
		}
	}
	want := int64(t.storedBytes())
	if length >= 0 && length != want {
		return fmt.Errorf("%d bytes of external data, but %s%v takes %d", length, t.DType, t.Dims, want)
	}
	if location == "" {
		return errors.New("external data without a location")
	}
	if d.dir == nil {
		return fmt.Errorf("its data is in a file %q beside the model; open the model by its path", location)
	}
	file := path.Clean(location)
	if !fs.ValidPath(file) {
		return fmt.Errorf("its data file %q is not inside the model's folder", location)
	}
	info, err := fs.Stat(d.dir, file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("its data file %q is missing; it belongs beside the model", location)
	}
	if err != nil {
		return fmt.Errorf("its data file %q cannot be read: %w", location, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("its data file %q is not a regular file", location)
	}
	if offset > info.Size() || want > info.Size()-offset {
		return fmt.Errorf("its data file %q has %d bytes, expected %d at offset %d; is the file complete?", location, info.Size(), want, offset)
	}
	dir := d.dir
	t.load = func() ([]byte, error) {
		buf, err := readAt(dir, file, offset, want)
		if err != nil {
			return nil, err
		}
		return t.unpack(buf), nil
	}
	return nil
}

func parseSize(e *onnxpb.StringEntry) (int64, error) {
	v, err := strconv.ParseInt(e.Value, 10, 64)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("external data %s %q is not a size", e.Key, e.Value)
	}
	return v, nil
}

// readAt reads size bytes of a file from offset.
func readAt(dir fs.FS, file string, offset, size int64) ([]byte, error) {
	f, err := dir.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if r, ok := f.(io.ReaderAt); ok {
		buf := make([]byte, size)
		if _, err := io.ReadFull(io.NewSectionReader(r, offset, size), buf); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return buf, nil
	}
	if _, err := io.CopyN(io.Discard, f, offset); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	buf := make([]byte, size)
	if _, err := io.ReadFull(f, buf); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return buf, nil
}

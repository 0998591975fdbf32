package runner

import (
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/internal/infile"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
)

// maxTensor bounds an .npy file, as the runtime bounds a buffer.
const maxTensor = 1<<31 - 1

// npyType is the NumPy type in which elements are written and read.
func npyType(e runtime.Elem) string {
	switch e {
	case runtime.Bit:
		return "u8"
	case runtime.SBit, runtime.Tern:
		return "i8"
	}
	return e.String()
}

// readTensor reads an .npy file for a port, as it is: one tensor of the port's
// shape, or, when the port's first axis is a batch of one, several along it.
func readTensor(path string, p runtime.Port) ([][]byte, error) {
	f, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a, err := clip.ReadNPY(f, maxTensor)
	if err != nil {
		return nil, errorf("%s: %w", path, err)
	}
	if n, _ := io.ReadFull(f, make([]byte, 1)); n > 0 {
		return nil, errorf("%s: the file goes on after its %s%s array", path, a.DType, shapeText(a.Shape))
	}
	want := npyType(p.Elem)
	truth := func(dtype string) bool { return dtype == "bool" || dtype == "u8" }
	if ok := a.DType == want || truth(a.DType) && (p.Elem == runtime.Bool || p.Elem == runtime.Bit); !ok {
		return nil, errorf("%s holds %s%s, input %s takes elements %s", path, a.DType, shapeText(a.Shape), portText(p), want)
	}
	count := 1
	switch batched := len(p.Shape) > 0 && p.Shape[0] == 1 && len(a.Shape) == len(p.Shape) && slices.Equal(a.Shape[1:], p.Shape[1:]); {
	case slices.Equal(a.Shape, p.Shape):
	case batched && len(a.Data) == 0:
		return nil, errorf("%s holds %s%s: nothing in it", path, a.DType, shapeText(a.Shape))
	case batched:
		count = a.Shape[0]
	default:
		return nil, errorf("%s holds %s%s, input %s has another shape; tensors are taken as they are", path, a.DType, shapeText(a.Shape), portText(p))
	}
	if count == 1 {
		return [][]byte{a.Data}, nil
	}
	return slices.Collect(slices.Chunk(a.Data, len(a.Data)/count)), nil
}

// writeTensors writes every output as dir/NAME.npy: all of them or, as far as
// can be known before, none.
func writeTensors(dir string, list []values) ([]string, error) {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = v.name
	}
	paths := clip.TensorFiles(names)
	var files []atomicfile.File
	for i, v := range list {
		var b strings.Builder
		if err := clip.WriteNPY(&b, &clip.NPY{DType: npyType(v.elem), Shape: v.shape, Data: v.raw}); err != nil {
			return nil, errorf("output %q: %w", v.name, err)
		}
		files = append(files, atomicfile.File{Name: paths[i], Data: []byte(b.String())})
	}
	for i := range paths {
		paths[i] = filepath.Join(dir, paths[i])
	}
	return paths, atomicfile.WriteInto(dir, files)
}

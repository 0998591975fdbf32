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

// declared is the element type that the model declared for a port that has
// another one here, because none of ours is the same: f16, bf16, i4, u4, i2 or u2.
// It is "" for all others.
func (d *Description) declared(p runtime.Port) string { return d.meta("type." + p.Name) }

// readTensor reads an .npy file for a port, as it is: one tensor of the port's
// shape, or, when the port's first axis is a batch of one, several along it.
// Floats of another width are converted to f32, which note says.
func readTensor(path string, p runtime.Port, declared string) (list [][]byte, note string, err error) {
	f, err := infile.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	a, err := clip.ReadNPY(f, maxTensor)
	if err != nil {
		return nil, "", errorf("%s: %w", path, err)
	}
	if n, _ := io.ReadFull(f, make([]byte, 1)); n > 0 {
		return nil, "", errorf("%s: the file goes on after its %s%s array", path, a.DType, shapeText(a.Shape))
	}
	want := npyType(p.Elem)
	a, note = converted(a, want, declared)
	if note != "" {
		note = path + ": " + note
	}
	truth := func(dtype string) bool { return dtype == "bool" || dtype == "u8" }
	if ok := a.DType == want || truth(a.DType) && (p.Elem == runtime.Bool || p.Elem == runtime.Bit); !ok {
		return nil, "", errorf("%s holds %s%s, input %s takes elements %s", path, a.DType, shapeText(a.Shape), portText(p), want)
	}
	count := 1
	switch batched := len(p.Shape) > 0 && p.Shape[0] == 1 && len(a.Shape) == len(p.Shape) && slices.Equal(a.Shape[1:], p.Shape[1:]); {
	case slices.Equal(a.Shape, p.Shape):
	case batched && len(a.Data) == 0:
		return nil, "", errorf("%s holds %s%s: nothing in it", path, a.DType, shapeText(a.Shape))
	case batched:
		count = a.Shape[0]
	default:
		return nil, "", errorf("%s holds %s%s, input %s has another shape; tensors are taken as they are", path, a.DType, shapeText(a.Shape), portText(p))
	}
	if count == 1 {
		return [][]byte{a.Data}, note, nil
	}
	return slices.Collect(slices.Chunk(a.Data, len(a.Data)/count)), note, nil
}

// converted makes elements of the wanted type, where the array has another one
// that can become it. Floats are rounded to the declared type, if they are not of
// it; note says what was done that is more than another way to write a number.
func converted(a *clip.NPY, want, declared string) (b *clip.NPY, note string) {
	b, ok := a.Convert(want, declared)
	switch half := declared == "f16" || declared == "bf16"; {
	case !ok:
		return a, ""
	case half && a.DType != declared:
		rounded, _ := b.Convert(declared, "")
		b, _ = rounded.Convert(want, "")
		return b, a.DType + " is converted to " + declared
	case !half && want == "f32" && a.DType != want:
		return b, a.DType + " is converted to f32"
	}
	return b, ""
}

// writeTensors writes every output as dir/NAME.npy, in the type that was declared
// for it where there is one: all of them or, as far as can be known before, none.
func writeTensors(dir string, list []values, declared []string) ([]string, error) {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = v.name
	}
	paths := clip.TensorFiles(names)
	var files []atomicfile.File
	for i, v := range list {
		var b strings.Builder
		a := &clip.NPY{DType: npyType(v.elem), Shape: v.shape, Data: v.raw}
		if as := declared[i]; as != "" {
			if as[0] == 'i' || as[0] == 'u' {
				as = "v8"
			}
			if c, ok := a.Convert(as, declared[i]); ok {
				a = c
			}
		}
		if err := clip.WriteNPY(&b, a); err != nil {
			return nil, errorf("output %q: %w", v.name, err)
		}
		files = append(files, atomicfile.File{Name: paths[i], Data: []byte(b.String())})
	}
	for i := range paths {
		paths[i] = filepath.Join(dir, paths[i])
	}
	return paths, atomicfile.WriteInto(dir, files)
}

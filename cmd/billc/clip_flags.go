package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/verify"
)

// clipFlags say which inputs a model is evaluated on.
type clipFlags struct {
	Clips    []string `sep:"none" help:"Inputs: a clip, a folder of clips, an .npy file with a batch of them, or NAME=FILE.npy for one of several inputs; may be repeated." placeholder:"PATH"`
	MaxClips int      `name:"max-clips" default:"64" help:"Take at most this many clips." placeholder:"N"`
	Fit      string   `enum:"stretch,crop,letterbox" default:"stretch" help:"How frames of another shape become the model's: ${enum}."`
}

// read returns the inputs that the flags name, each in the order of the ports;
// nil when no clips are given. meta is the model's metadata.
func (c *clipFlags) read(ctx context.Context, s *streams, px *pixelFlags, ports []verify.Port, meta map[string]string) ([][]*ir.Tensor, error) {
	if len(c.Clips) == 0 {
		return nil, nil
	}
	if c.MaxClips < 1 {
		return nil, withCode(exitUsage, "--max-clips=%d: expected 1 or more", c.MaxClips)
	}
	columns := make([][]*ir.Tensor, len(ports)) // the values of every input
	var paths []string
	for _, arg := range c.Clips {
		name, file, ok := strings.Cut(arg, "=")
		i := slices.IndexFunc(ports, func(p verify.Port) bool { return p.Name == name })
		switch {
		case !ok:
			paths = append(paths, arg)
			continue
		case i < 0:
			if _, err := os.Stat(arg); err == nil { // a path with an equals sign
				paths = append(paths, arg)
				continue
			}
			return nil, withCode(exitUsage, "--clips %s: the model has no input %q; it has %s", arg, name, portNames(ports))
		case columns[i] != nil:
			return nil, withCode(exitUsage, "--clips %s: input %q is given twice", arg, name)
		}
		var err error
		if columns[i], err = c.tensors(file, ports[i], meta); err != nil {
			return nil, err
		}
	}
	if err := c.fill(ctx, s, px, columns, paths, ports, meta); err != nil {
		return nil, err
	}
	return c.rows(s, columns, ports)
}

// fill reads the clips of the one input that has no values yet.
func (c *clipFlags) fill(ctx context.Context, s *streams, px *pixelFlags, columns [][]*ir.Tensor, paths []string, ports []verify.Port, meta map[string]string) error {
	var open []int
	for i, v := range columns {
		if v == nil {
			open = append(open, i)
		}
	}
	switch {
	case len(paths) == 0 && len(open) == 0:
		return nil
	case len(open) != 1 || len(paths) == 0:
		return withCode(exitUsage, "clips fill one input, and NAME=FILE.npy the others: the model has %s, of which %d are left for %d paths", portNames(ports), len(open), len(paths))
	}
	i := open[0]
	spec, pictures, err := px.spec(ports[i], meta)
	if err != nil {
		return err
	}
	if pictures {
		fmt.Fprintf(s.err, "note: input %q is given %s\n", ports[i].Name, spec.Feeds(normOf(meta)))
	}
	for _, path := range paths {
		files, err := clipFiles(path)
		if err != nil {
			return err
		}
		for _, file := range files {
			if len(columns[i]) > c.MaxClips {
				return nil
			}
			var more []*ir.Tensor
			if pictures {
				more, err = c.clips(ctx, s, file, spec, ports[i], c.MaxClips+1-len(columns[i]))
			} else {
				more, err = c.tensors(file, ports[i], meta)
			}
			if err != nil {
				return err
			}
			columns[i] = append(columns[i], more...)
		}
	}
	return nil
}

// rows turns the values of every input into sets of inputs. An input with one
// value has it in every set.
func (c *clipFlags) rows(s *streams, columns [][]*ir.Tensor, ports []verify.Port) ([][]*ir.Tensor, error) {
	n := 1
	for i, v := range columns {
		if len(v) != 1 && n != 1 && len(v) != n {
			return nil, withCode(exitUsage, "input %q has %d values, another one %d", ports[i].Name, len(v), n)
		}
		n = max(n, len(v))
	}
	if n > c.MaxClips {
		fmt.Fprintf(s.err, "note: only the first %d clips are used (--max-clips)\n", c.MaxClips)
		n = c.MaxClips
	}
	sets := make([][]*ir.Tensor, n)
	for k := range sets {
		for _, v := range columns {
			sets[k] = append(sets[k], v[min(k, len(v)-1)])
		}
	}
	return sets, nil
}

func portNames(ports []verify.Port) string {
	list := make([]string, len(ports))
	for i, p := range ports {
		list[i] = fmt.Sprintf("%q %s", p.Name, p.Type)
	}
	return strings.Join(list, ", ")
}

// tensors reads the values of an input from an .npy file: one of its shape, or
// several along a first axis that is a batch of one. The model's metadata name the
// types that are narrower than the elements of its inputs.
func (c *clipFlags) tensors(path string, p verify.Port, meta map[string]string) ([]*ir.Tensor, error) {
	t, err := readTensor(path, meta["type."+p.Name])
	if err != nil {
		return nil, err
	}
	want, got := p.Type.Shape, t.Type.Shape
	n := 1
	switch {
	case ir.SameShape(want, got):
	case len(want) > 0 && want[0] == 1 && len(got) == len(want) && ir.SameShape(want[1:], got[1:]) && got[0] > 0:
		n = got[0]
	default:
		return nil, fmt.Errorf("%s holds %s, input %q is %s", path, t.Type, p.Name, p.Type)
	}
	if t.Type.DType != p.Type.DType && t.Type.DType.IsFloat() && !p.Type.DType.IsFloat() {
		return nil, fmt.Errorf("%s holds %s, input %q takes elements %s", path, t.Type, p.Name, p.Type.DType)
	}
	size := t.Len() / n
	list := make([]*ir.Tensor, min(n, c.MaxClips+1))
	for i := range list {
		v := ir.NewTensor(p.Type)
		for k := range size {
			v.SetFloat(k, t.Float(i*size+k))
		}
		list[i] = v
	}
	return list, nil
}

// clips reads at most limit clips of a file or folder of frames.
func (c *clipFlags) clips(ctx context.Context, s *streams, path string, spec clip.Spec, p verify.Port, limit int) ([]*ir.Tensor, error) {
	src, err := clip.Open(path, spec, clip.Options{Mode: clip.Mode(c.Fit), Stdin: s.in, Done: ctx.Done()})
	if err != nil {
		return nil, stopped(ctx, err)
	}
	defer src.Close()
	var list []*ir.Tensor
	for len(list) < limit {
		it, err := src.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, stopped(ctx, err)
		}
		data := it.Tensor.U8
		if it.Tensor.F32 != nil {
			data = runtime.Bytes(it.Tensor.F32)
		}
		t, err := ir.TensorFromData(p.Type, data)
		if err != nil {
			return nil, fmt.Errorf("BUG: %s: %w", path, err)
		}
		list = append(list, t)
	}
	return list, nil
}

// stopped is why the context ended, if that is why reading a clip did.
func stopped(ctx context.Context, err error) error {
	if errors.Is(err, clip.ErrStopped) {
		return context.Cause(ctx)
	}
	return err
}

// clipFiles lists the clips of a path: itself, or, for a folder without frames,
// those in it and in the folders below, in the order of their names. Files that
// hold no clips by their name are passed over.
func clipFiles(path string) ([]string, error) {
	if path == "-" {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if isFrame(e.Name()) {
			return []string{path}, nil
		}
		if strings.HasPrefix(e.Name(), ".") || noClip(e.Name()) {
			continue
		}
		more, err := clipFiles(filepath.Join(path, e.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no clips", path)
	}
	return files, nil
}

func isFrame(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".jpg", ".jpeg":
		return true
	}
	return false
}

func noClip(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json", ".txt", ".csv", ".md":
		return true
	}
	return strings.HasSuffix(name, ".golden.npy")
}

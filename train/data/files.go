package data

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billnet/billnet/runtime/clip"
)

// files is a Source of clips on disk; OpenJester and OpenFolder list them.
type files struct {
	name    string
	classes []string
	mirror  []int // class of a class's mirror image, or notMirrored; nil: nothing is mirrored
	opt     Options
	split   [3][]file
	problems
}

// file is one clip on disk.
type file struct {
	label  int
	path   string
	item   int  // which clip of an .npy file
	jester bool // a folder of 00001.jpg, 00002.jpg, ..: only the frames shown are read
}

func (f *files) Name() string      { return f.name }
func (f *files) Classes() []string { return append([]string(nil), f.classes...) }
func (f *files) Size() Size        { return f.opt.Size }
func (f *files) Len(s Split) int   { return len(f.split[s]) }

func (f *files) Stats() Stats {
	return f.problems.stats([3]int{len(f.split[Train]), len(f.split[Val]), len(f.split[Test])})
}

func (f *files) Clip(s Split, i int, variant uint64, dst []uint8) (int, error) {
	if err := checkClip(f, s, i, dst); err != nil {
		return 0, err
	}
	it := f.split[s][i]
	var v view
	if variant != 0 && !f.opt.NoAugment {
		v = newView(s, i, variant)
		v.mirror = v.mirror && f.mirror != nil && f.mirror[it.label] != notMirrored
	}
	pictures, err := f.read(it, &v)
	if err != nil {
		f.add(fmt.Sprint(it.path, " ", it.item), err.Error())
		return 0, &BadClip{it.path, err}
	}
	v.fill(dst, pictures, f.opt.Size)
	if v.mirror {
		return f.mirror[it.label], nil
	}
	return it.label, nil
}

// read returns the T pictures, [H][W][3], that a view shows of a clip. Errors name the file.
func (f *files) read(it file, v *view) ([][]uint8, error) {
	if it.jester {
		return f.readJester(it.path, v)
	}
	if isNPY(it.path) {
		return f.readNPY(it, v)
	}
	video, err := clip.OpenVideo(it.path, clip.Options{})
	if err != nil {
		return nil, err
	}
	defer video.Close()
	size := 3 * f.opt.Size.H * f.opt.Size.W
	_, all, err := video.Select(size, func(dst, frame []uint8) error {
		p, err := v.picture(&clip.Clip{T: 1, H: video.H, W: video.W, C: 3, Pix: frame}, f.opt)
		copy(dst, p)
		return err
	}, func(line clip.Timeline) []int { return v.frames(line, f.opt.Size.T) })
	if err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(all, size)), nil
}

// npySpec is an array of clips, [3][T][H][W] with or without a batch axis before it, of any size.
var npySpec = clip.Spec{C: 3, DType: "u8"}

func isNPY(path string) bool { return strings.EqualFold(filepath.Ext(path), ".npy") }

func (f *files) readNPY(it file, v *view) ([][]uint8, error) {
	src, err := clip.Open(it.path, npySpec, clip.Options{})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	var item *clip.Item
	for range it.item + 1 {
		if item, err = src.Next(); err == io.EOF {
			return nil, fmt.Errorf("%s: clip %d is not there any more", it.path, it.item)
		}
		if err != nil {
			return nil, err
		}
	}
	c, err := npySpec.Clip(item.Tensor)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", it.path, err)
	}
	shown := make([][]uint8, f.opt.Size.T)
	for i, t := range v.frames(clip.Even(c.T), len(shown)) {
		if shown[i], err = v.picture(&clip.Clip{T: 1, H: c.H, W: c.W, C: 3, Pix: c.Frame(t)}, f.opt); err != nil {
			return nil, fmt.Errorf("%s: %w", it.path, err)
		}
	}
	return shown, nil
}

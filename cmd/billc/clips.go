package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/train/data"
)

type clipsCmd struct {
	Out string `short:"o" required:"" help:"Where to write: a new folder, of GIFs in a sub-folder a class; FILE.npy, of all clips as u8[N,3,frames,height,width] with FILE.labels.npy beside it; FILE.png, a sheet to look at; or -, a stream for programs: a line of JSON, then every clip as its label (8 bytes, little endian) and its bytes." placeholder:"PATH"`
	dataFlags
	splitFlag
	Frames  int    `default:"16" help:"Frames of a clip." placeholder:"N"`
	Height  int    `default:"48" help:"Height of a frame in pixels." placeholder:"N"`
	Columns int    `default:"64" help:"Width of a frame in pixels." placeholder:"N"`
	Clips   int    `help:"Clips, the first ones of the split; by default one a class." placeholder:"N"`
	Variant uint64 `help:"Which random version of every clip, as training sees them; 0 is the clip as it is." placeholder:"N"`
	Order   string `help:"With -o -: the clips in the order and the versions in which training with this seed sees them, without end where --clips does not say how many; by default every clip once, as it is." placeholder:"SEED"`
	Part    string `help:"With -o -: of every M clips the one with number K, from 0, so that M processes share the stream." placeholder:"K/M"`
	Skip    int    `help:"With -o -: clips of the stream, or of the part of it, to leave out at its beginning." placeholder:"N"`
}

// Run writes clips of a data set, to look at, to run or to train on.
func (c *clipsCmd) Run(ctx context.Context, s *streams) error {
	if c.Clips < 0 {
		return withCode(exitUsage, "--clips %d, expected 1 or more", c.Clips)
	}
	src, err := data.Open(c.Data, data.Options{Size: data.Size{T: c.Frames, H: c.Height, W: c.Columns}})
	if err != nil {
		return err
	}
	split, err := c.split(src)
	if err != nil {
		return err
	}
	n := c.Clips
	if n == 0 {
		n = len(src.Classes())
	}
	if all := src.Len(split); all != data.Endless {
		n = min(n, all)
	}
	if n == 0 {
		return fmt.Errorf("%s has no %s clips", src.Name(), split)
	}
	if toStandardOutput(c.Out) {
		return c.stream(ctx, s, src, split)
	}
	if c.Order != "" || c.Part != "" || c.Skip != 0 {
		return withCode(exitUsage, "--order, --part and --skip are for a stream, which -o - writes")
	}
	var written int
	switch ext := filepath.Ext(c.Out); ext {
	case ".png":
		written, err = c.sheet(src, split, n)
	case ".npy":
		written, err = c.tensor(ctx, src, split, n)
	case "":
		written, err = c.folder(ctx, src, split, n)
	default:
		return withCode(exitUsage, "-o %s: expected a new folder, a name that ends in .npy or .png, or -", c.Out)
	}
	if err != nil {
		return err
	}
	if src.Stats().Skipped > 0 {
		noteData(s, src)
	}
	fmt.Fprintf(s.err, "wrote %s: %d clips of %s, %s\n", c.Out, written, src.Name(), split)
	return nil
}

// sheet draws rows of frames: the first clips of every class.
func (c *clipsCmd) sheet(src data.Source, split data.Split, n int) (int, error) {
	var b bytes.Buffer
	classes := len(src.Classes())
	perClass := max(1, n/classes)
	if err := data.WriteSheet(&b, src, split, perClass, 8); err != nil {
		return 0, err
	}
	return perClass * classes, atomicfile.WriteBytes(c.Out, b.Bytes())
}

// each calls f for the first n clips that can be read.
func (c *clipsCmd) each(ctx context.Context, src data.Source, split data.Split, n int, f func(i, label int, pix []uint8) error) error {
	pix := make([]uint8, src.Size().Bytes())
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		label, err := src.Clip(split, i, c.Variant, pix)
		if bad := new(data.BadClip); errors.As(err, &bad) { // counted by the source
			continue
		}
		if err != nil {
			return err
		}
		if err := f(i, label, pix); err != nil {
			return err
		}
	}
	return nil
}

// tensor writes all clips and their labels.
func (c *clipsCmd) tensor(ctx context.Context, src data.Source, split data.Split, n int) (int, error) {
	var all []uint8
	var labels []int64
	err := c.each(ctx, src, split, n, func(_, label int, pix []uint8) error {
		all, labels = append(all, pix...), append(labels, int64(label))
		return nil
	})
	if err != nil {
		return 0, err
	}
	size := src.Size()
	clips, err := clip.NewNPY([]int{len(labels), 3, size.T, size.H, size.W}, all)
	if err != nil {
		return 0, err
	}
	numbers, err := clip.NewNPY([]int{len(labels)}, labels)
	if err != nil {
		return 0, err
	}
	var files []atomicfile.File
	base := filepath.Base(c.Out)
	for _, f := range []struct {
		name string
		npy  *clip.NPY
	}{{base, clips}, {strings.TrimSuffix(base, ".npy") + ".labels.npy", numbers}} {
		var b bytes.Buffer
		if err := clip.WriteNPY(&b, f.npy); err != nil {
			return 0, err
		}
		files = append(files, atomicfile.File{Name: f.name, Data: b.Bytes()})
	}
	return len(labels), atomicfile.WriteBound(filepath.Dir(c.Out), files[0], files[1])
}

// folder writes a GIF a clip, in a sub-folder a class: a data set itself.
func (c *clipsCmd) folder(ctx context.Context, src data.Source, split data.Split, n int) (int, error) {
	if list, err := os.ReadDir(c.Out); err == nil && len(list) > 0 {
		return 0, withCode(exitUsage, "-o %s: the folder is not empty; name a new one", c.Out)
	}
	dir, err := atomicfile.NewFolder(c.Out)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	written := 0
	names := folderNames(src.Classes())
	digits := len(fmt.Sprint(n - 1))
	err = c.each(ctx, src, split, n, func(i, label int, pix []uint8) error {
		var b bytes.Buffer
		if err := data.WriteGIF(&b, src.Size(), pix, 0); err != nil {
			return err
		}
		written++
		return dir.Write(fmt.Sprintf("%s/%0*d.gif", names[label], digits, i), b.Bytes())
	})
	if err != nil {
		return 0, err
	}
	return written, dir.Commit()
}

// folderNames are the classes' names, or names made of them where one cannot be
// that of a folder: a list of labels may hold anything.
func folderNames(classes []string) []string {
	if !slices.ContainsFunc(classes, func(name string) bool {
		return !filepath.IsLocal(name) || strings.ContainsAny(name, `/\:`) || strings.HasPrefix(name, ".")
	}) {
		return classes
	}
	names := clip.TensorFiles(classes)
	for i := range names {
		names[i] = strings.TrimSuffix(names[i], ".npy")
	}
	return names
}

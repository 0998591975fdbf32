package clip

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// Source yields the clips of one file as model inputs: one for a video, as many as the batch axis says for an .npy file.
type Source struct {
	spec  Spec
	mode  Mode
	n, at int

	video *Video // or
	npy   *npySource
}

// Item is one clip of a Source.
type Item struct {
	Index  int     // from 0
	Tensor *Tensor // the model's input
	Clip   *Clip   // the pictures it was made of; nil for .npy (Spec.Clip makes them)
	Note   string  // what was done, for people: "37 frames 176x100 -> 16 frames 64x48: frames 1,3,..; stretch, area"
}

// Open opens a file, a folder of frames, or standard input ("-") for a model that takes s. The contents decide the
// format. Errors name the file, what was found and what was expected.
func Open(path string, s Spec, opt Options) (*Source, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if err := opt.Mode.check(); err != nil {
		return nil, err
	}
	src, err := open(path, opt)
	if err != nil {
		return nil, err
	}
	src.spec, src.mode = s, opt.Mode
	if src.npy != nil {
		if err := src.npy.match(s); err != nil {
			src.Close()
			return nil, errorf("%s: %w", src.npy.in.name, err)
		}
		src.n = src.npy.clips
	}
	return src, nil
}

// Len is the number of clips.
func (s *Source) Len() int { return s.n }

// Next returns the next clip; io.EOF after the last.
func (s *Source) Next() (*Item, error) {
	if s.at == s.n {
		return nil, io.EOF
	}
	it := &Item{Index: s.at}
	var err error
	if s.npy != nil {
		if it.Tensor, err = s.npy.read(s.spec); err != nil {
			return nil, errorf("%s: clip %d: %w", s.npy.in.name, s.at, err)
		}
		it.Note = fmt.Sprintf("%s%v", s.npy.h.dtype, it.Tensor.Shape)
		if s.npy.h.dtype != s.spec.dtype() {
			it.Note += " as " + s.spec.dtype()
		}
		if s.npy.h.dtype == "u8" && s.spec.Set() {
			it.Note += ", normalised"
		}
		s.at++
		return it, nil
	}
	if it.Clip, it.Note, err = s.video.fit(s.spec, s.mode); err != nil {
		return nil, err
	}
	if it.Tensor, err = s.spec.Tensor(it.Clip); err != nil {
		return nil, errorf("%s: %w", s.video.name, err)
	}
	s.at++
	return it, nil
}

// Close releases the file. It may be called at any time.
func (s *Source) Close() error {
	if s.npy != nil {
		return s.npy.in.close()
	}
	return s.video.Close()
}

// npySource reads an .npy file clip by clip, so that a file may be larger than memory.
type npySource struct {
	in    *input
	h     npyHeader
	r     io.Reader // the data from the next clip on
	shape []int     // of one clip
	clips int
	limit int64
}

func openNPY(in *input, limit int64) (*Source, error) {
	h, err := readNPYHeader(in.r)
	if err != nil {
		return nil, err
	}
	if want := h.bytes + h.dataBytes(); in.size >= 0 && in.size != want {
		return nil, errorf("%s%v takes %d bytes with its header, but the file has %d", h.dtype, h.shape, want, in.size)
	}
	return &Source{npy: &npySource{in: in, h: h, r: in.r, limit: limit}}, nil
}

// match finds one clip or a batch of them in the shape of the file.
func (n *npySource) match(s Spec) error {
	want := s.Shape()
	switch shape := n.h.shape; {
	case matches(shape, want):
		n.shape, n.clips = shape, 1
	case len(shape) == 5 && matches(shape[1:], want):
		n.shape, n.clips = shape[1:], shape[0]
	default:
		return errorf("the array has shape %v, the model takes %s (%s), alone or with a batch axis before it; tensors are not resampled",
			shape, shapeString(want), s.layout())
	}
	if n.clips == 0 {
		return errorf("the array has shape %v: no clips in it", n.h.shape)
	}
	bytes1 := n.h.dataBytes() / int64(n.clips)
	if n.h.fortran {
		bytes1 = n.h.dataBytes() // the batch axis is interleaved with the others
	}
	if bytes1 > n.limit {
		return errorf("%d bytes have to be read at once, more than the limit of %d", bytes1, n.limit)
	}
	return nil
}

func (n *npySource) read(s Spec) (*Tensor, error) {
	if n.h.fortran {
		data, err := readN(n.r, n.h.dataBytes())
		if err != nil {
			return nil, err
		}
		n.r = bytes.NewReader(n.h.fix(data, n.h.shape))
		n.h.fortran, n.h.swap = false, false
	}
	data, err := readN(n.r, n.h.dataBytes()/int64(n.clips))
	if err != nil {
		return nil, err
	}
	return s.tensor(&NPY{n.h.dtype, slices.Clone(n.shape), n.h.fix(data, n.shape)})
}

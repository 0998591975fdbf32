package clip

import (
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Video yields the frames of a file one by one, at the file's own size.
type Video struct {
	W, H int
	FPS  float64 // on average; 0 = unknown

	name string
	opt  Options

	next  func() ([]uint8, error)
	skip  func() error // passes over a frame; nil = next
	close func() error
	line  Timeline // of the file; without frames when only reading it tells
	need  int64    // bytes that decoding takes
	note  string   // what is odd about the file, for people
}

// Next returns the next frame, [H][W][3] RGB, valid until the next call; io.EOF after the last.
func (v *Video) Next() ([]uint8, error) {
	if v.opt.stopped() {
		return nil, ErrStopped
	}
	f, err := v.next()
	return f, v.named(err)
}

// Skip passes over the next frame, which takes less time than Next where the format allows it; io.EOF after the last.
func (v *Video) Skip() error {
	if v.skip == nil {
		_, err := v.Next()
		return err
	}
	if v.opt.stopped() {
		return ErrStopped
	}
	return v.named(v.skip())
}

// named puts the name of the file before an error. What went wrong after Done was closed is no fault of the file.
func (v *Video) named(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if v.opt.stopped() {
		return ErrStopped
	}
	return errorf("%s: %w", v.name, err)
}

// Close releases the file or the ffmpeg process behind v.
func (v *Video) Close() error {
	if v.close == nil {
		return nil
	}
	f := v.close
	v.close = nil
	return f()
}

// Select reads a video from its first frame and returns the frames that pick chooses of its timeline, one after the
// other in the order of pick, each made by fit, which writes size bytes.
//
// Where the file tells its length, only the frames chosen are made and kept. Where only reading to the end tells it (a
// pipe, ffmpeg), every frame is made, and those that do not fit in 16 MB wait in a temporary file; what is chosen is
// the same. The frames returned count against Options.Limit.
func (v *Video) Select(size int, fit func(dst, frame []uint8) error, pick func(Timeline) []int) (Timeline, []uint8, error) {
	line := v.line
	var s *spool
	if line.n == 0 {
		s = &spool{size: size, limit: v.opt.spool()}
		defer s.close()
		if err := v.fill(s, fit); err != nil {
			return line, nil, err
		}
		line = Even(s.n)
	}
	index := pick(line)
	if need := v.need + int64(len(index))*int64(size); need > v.opt.limit() {
		return line, nil, errorf("%s: %s of %d bytes and decoding them take %d bytes, more than the limit of %d", v.name, frames(len(index)), size, need, v.opt.limit())
	}
	all := make([]uint8, len(index)*size)
	first := map[int][]uint8{} // where each frame goes
	for i, k := range index {
		if first[k] == nil {
			first[k] = all[i*size : (i+1)*size]
		}
	}
	var err error
	if s != nil {
		err = v.named(s.copy(first))
	} else {
		err = v.choose(fit, first)
	}
	if err != nil {
		return line, nil, err
	}
	for i, k := range index {
		copy(all[i*size:(i+1)*size], first[k])
	}
	return line, all, nil
}

// fill makes all frames of v.
func (v *Video) fill(s *spool, fit func(dst, frame []uint8) error) error {
	buf := make([]uint8, s.size)
	for {
		frame, err := v.Next()
		if err == io.EOF && s.n > 0 {
			return nil
		}
		if err == io.EOF {
			return errorf("%s: no frames in it", v.name)
		}
		if err == nil {
			err = v.named(fit(buf, frame))
		}
		if err != nil {
			return err
		}
		if err := s.add(buf); err != nil {
			return errorf("%s: %w", v.name, err)
		}
	}
}

// choose makes those frames of v that have a place in dst.
func (v *Video) choose(fit func(dst, frame []uint8) error, dst map[int][]uint8) error {
	for k, left := 0, len(dst); left > 0; k++ {
		to, wanted := dst[k]
		var frame []uint8
		var err error
		if wanted {
			frame, err = v.Next()
		} else {
			err = v.Skip()
		}
		if err == io.EOF {
			err = errorf("%s: it ends after %s, but should have %d", v.name, frames(k), v.line.n)
		}
		if wanted && err == nil {
			err = v.named(fit(to, frame))
			left--
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ReadAll returns all frames as a clip.
func (v *Video) ReadAll() (*Clip, error) {
	c, _, err := v.fit(Spec{C: 3}, Stretch)
	return c, err
}

// fit reads the frames that stand for the whole in s.T frames (0: all frames), each resized as it arrives, so that only the model's
// pixels are kept.
func (v *Video) fit(s Spec, mode Mode) (*Clip, string, error) {
	f, err := newFitter(v.W, v.H, 3, s, mode)
	if err != nil {
		return nil, "", errorf("%s: %w", v.name, err)
	}
	if int64(f.bytes()) > v.opt.limit() {
		return nil, "", errorf("%s: a frame of %dx%d passes the limit of %d bytes a clip", v.name, f.r.dstW, f.r.dstH, v.opt.limit())
	}
	var index []int
	line, pix, err := v.Select(f.bytes(), func(dst, frame []uint8) error {
		f.frame(dst, frame)
		return nil
	}, func(l Timeline) []int {
		if s.T > 0 {
			index = l.Sample(s.T)
		} else {
			index = Even(l.n).Sample(l.n) // all
		}
		return index
	})
	if err != nil {
		return nil, "", err
	}
	c := &Clip{T: len(index), W: f.r.dstW, H: f.r.dstH, C: s.C, Pix: pix, FPS: v.FPS * float64(len(index)) / float64(line.n)}
	return c, f.note(line, index) + v.note, nil
}

const builtIn = "built in are .npy tensors, GIF, PNG, JPEG, YUV4MPEG2 (.y4m), folders of PNG or JPEG frames, and raw rgb24 with a given size"

var signatures = []struct{ format, ext, magic string }{
	{"npy", ".npy", npyMagic},
	{"gif", ".gif", "GIF87a"},
	{"gif", ".gif", "GIF89a"},
	{"png", ".png", pngMagic},
	{"jpeg", ".jpg", "\xff\xd8\xff"},
	{"jpeg", ".jpeg", "\xff\xd8\xff"},
	{"y4m", ".y4m", "YUV4MPEG2"},
}

// sniff names the format by its first bytes. A known extension with other contents is an error; "" = not built in.
func sniff(in *input) (string, error) {
	head, err := in.r.Peek(10)
	if len(head) == 0 {
		if err != nil && err != io.EOF {
			return "", err
		}
		return "", errorf("the file is empty")
	}
	for _, s := range signatures {
		if strings.HasPrefix(string(head), s.magic) {
			return s.format, nil
		}
	}
	for _, s := range signatures {
		if strings.EqualFold(filepath.Ext(in.path), s.ext) {
			return "", errorf("named %s, but it begins with %q, not %q", s.ext, head, s.magic)
		}
	}
	return "", nil
}

// OpenVideo opens a file, a folder of frames, or standard input ("-"). An .npy file is an error: it holds tensors.
func OpenVideo(path string, opt Options) (*Video, error) {
	src, err := open(path, opt)
	if err != nil {
		return nil, err
	}
	if src.video == nil {
		src.Close()
		return nil, errorf("%s: an .npy file holds tensors, not video", path)
	}
	return src.video, nil
}

// open finds the format and reads as much as is needed to know the size of a frame.
func open(path string, opt Options) (*Source, error) {
	if st, err := os.Stat(path); path != "-" && err == nil && st.IsDir() {
		v, err := openFolder(path, opt.limit())
		if err != nil {
			return nil, errorf("%s: %w", path, err)
		}
		return videoSource(v, path, opt), nil
	}
	in, err := openInput(path, opt)
	if err != nil {
		return nil, err
	}
	src, err := openFormat(in, opt)
	if err != nil {
		in.close()
		if opt.stopped() {
			return nil, ErrStopped
		}
		return nil, errorf("%s: %w", in.name, err)
	}
	return src, nil
}

func videoSource(v *Video, name string, opt Options) *Source {
	v.name, v.opt = name, opt
	return &Source{video: v, n: 1}
}

func openFormat(in *input, opt Options) (*Source, error) {
	format := "raw"
	if opt.RawW == 0 && opt.RawH == 0 {
		var err error
		if format, err = sniff(in); err != nil {
			return nil, err
		}
	}
	var v *Video
	var err error
	switch format {
	case "npy":
		return openNPY(in, opt.limit())
	case "raw":
		v, err = openRaw(in, opt.RawW, opt.RawH, opt.limit())
	case "gif":
		v, err = openGIF(in, opt.limit())
	case "png", "jpeg":
		v, err = openImage(in, format, opt.limit())
	case "y4m":
		v, err = openY4M(in, opt.limit())
	default:
		v, err = openFFmpeg(in, opt)
	}
	if err != nil {
		return nil, err
	}
	inner := v.close
	v.close = func() error {
		if inner != nil {
			inner()
		}
		return in.close()
	}
	return videoSource(v, in.name, opt), nil
}

package clip

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Video yields the frames of a file one by one, at the file's own size.
type Video struct {
	W, H int
	FPS  float64 // 0 = unknown

	name  string
	next  func() ([]uint8, error)
	close func() error
	limit int64
}

// Next returns the next frame, [H][W][3] RGB, valid until the next call; io.EOF after the last.
func (v *Video) Next() ([]uint8, error) {
	f, err := v.next()
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%s: %w", v.name, err)
	}
	return f, err
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

// ReadAll returns all remaining frames as a clip.
func (v *Video) ReadAll() (*Clip, error) {
	c, _, err := v.fit(Spec{C: 3}, Stretch)
	return c, err
}

// fit reads all frames, each resized as it arrives, so that only the model's pixels are kept, and then samples them.
func (v *Video) fit(s Spec, mode Mode) (*Clip, string, error) {
	f, err := newFitter(v.W, v.H, 3, s, mode)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", v.name, err)
	}
	if int64(f.bytes()) > v.limit {
		return nil, "", fmt.Errorf("%s: a frame of %dx%d passes the limit of %d bytes a clip", v.name, f.r.dstW, f.r.dstH, v.limit)
	}
	all := &Clip{W: f.r.dstW, H: f.r.dstH, C: s.C, FPS: v.FPS}
	buf := make([]uint8, f.bytes())
	for {
		frame, err := v.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, "", err
		}
		if int64(len(all.Pix))+int64(len(buf)) > v.limit {
			return nil, "", fmt.Errorf("%s: more than %d frames %dx%d pass the limit of %d bytes a clip", v.name, all.T, all.W, all.H, v.limit)
		}
		f.frame(buf, frame)
		all.Pix = append(all.Pix, buf...)
		all.T++
	}
	if all.T == 0 {
		return nil, "", fmt.Errorf("%s: no frames in it", v.name)
	}
	t := s.T
	if t == 0 {
		t = all.T
	}
	if need := int64(t) * int64(f.bytes()); need > v.limit {
		return nil, "", fmt.Errorf("%s: %d frames %dx%d take %d bytes, more than the limit of %d", v.name, t, all.W, all.H, need, v.limit)
	}
	note := f.note(all.T, t)
	s.H, s.W = all.H, all.W
	c, _, err := Fit(all, s, mode)
	return c, note, err
}

// input is an open file or pipe.
type input struct {
	name string // for messages
	path string // "" for standard input
	r    *bufio.Reader
	size int64 // -1 = unknown
	f    io.Closer
}

func (in *input) close() error {
	if in.f == nil {
		return nil
	}
	return in.f.Close()
}

func openInput(path string, opt Options) (*input, error) {
	if path == "-" {
		r := opt.Stdin
		if r == nil {
			r = os.Stdin
		}
		return &input{name: "standard input", r: bufio.NewReaderSize(r, 1<<16), size: -1}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in := &input{name: path, path: path, r: bufio.NewReaderSize(f, 1<<16), size: -1, f: f}
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
		in.size = st.Size()
	}
	return in, nil
}

const builtIn = "built in are .npy tensors, GIF, PNG, JPEG, YUV4MPEG2 (.y4m), folders of PNG or JPEG frames, and raw rgb24 with a given size"

var signatures = []struct{ format, ext, magic string }{
	{"npy", ".npy", npyMagic},
	{"gif", ".gif", "GIF87a"},
	{"gif", ".gif", "GIF89a"},
	{"png", ".png", "\x89PNG\r\n\x1a\n"},
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
		return "", fmt.Errorf("the file is empty")
	}
	for _, s := range signatures {
		if strings.HasPrefix(string(head), s.magic) {
			return s.format, nil
		}
	}
	for _, s := range signatures {
		if strings.EqualFold(filepath.Ext(in.path), s.ext) {
			return "", fmt.Errorf("named %s, but it begins with %q, not %q", s.ext, head, s.magic)
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
		return nil, fmt.Errorf("%s: an .npy file holds tensors, not video", path)
	}
	return src.video, nil
}

// open finds the format and reads as much as is needed to know the size of a frame.
func open(path string, opt Options) (*Source, error) {
	if st, err := os.Stat(path); path != "-" && err == nil && st.IsDir() {
		v, err := openFolder(path, opt.limit())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		v.name, v.limit = path, opt.limit()
		return &Source{video: v, n: 1}, nil
	}
	in, err := openInput(path, opt)
	if err != nil {
		return nil, err
	}
	src, err := openFormat(in, opt)
	if err != nil {
		in.close()
		return nil, fmt.Errorf("%s: %w", in.name, err)
	}
	return src, nil
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
		src, err := openNPY(in, opt.limit())
		return src, err
	case "raw":
		v, err = openRaw(in.r, opt.RawW, opt.RawH, opt.limit())
	case "gif":
		v, err = openGIF(in.r, opt.limit())
	case "png", "jpeg":
		v, err = openImage(in.r, format, opt.limit())
	case "y4m":
		v, err = openY4M(in.r, opt.limit())
	default:
		v, err = openFFmpeg(in, opt)
	}
	if err != nil {
		return nil, err
	}
	v.name, v.limit = in.name, opt.limit()
	inner := v.close
	v.close = func() error {
		if inner != nil {
			inner()
		}
		return in.close()
	}
	return &Source{video: v, n: 1}, nil
}

package clip

// Stream yields the frames of a video as they come, each as the part of a model's input
// that is one frame.
type Stream struct {
	spec  Spec
	video *Video
	fit   *fitter
	clip  Clip // of one frame
	out   Tensor
}

// OpenStream opens a file, a folder of frames, or standard input ("-") for a model that takes frames of clips of s. No
// frame is left out or read before it is asked for.
func OpenStream(path string, s Spec, opt Options) (*Stream, error) {
	v, err := OpenVideo(path, opt)
	if err != nil {
		return nil, err
	}
	s.T = 1
	f, err := newFitter(v.W, v.H, 3, s, opt.Mode)
	if err != nil {
		v.Close()
		return nil, errorf("%s: %w", path, err)
	}
	x := &Stream{spec: s, video: v, fit: f}
	x.clip = Clip{T: 1, H: f.r.dstH, W: f.r.dstW, C: f.to, Pix: make([]uint8, f.bytes())}
	return x, nil
}

// Next returns the next frame, valid until the next call; io.EOF after the last.
func (x *Stream) Next() (*Tensor, error) {
	frame, err := x.video.Next()
	if err != nil {
		return nil, err
	}
	x.fit.frame(x.clip.Pix, frame)
	return &x.out, x.spec.Fill(&x.out, &x.clip)
}

// Close releases the file or the ffmpeg process behind x.
func (x *Stream) Close() error { return x.video.Close() }

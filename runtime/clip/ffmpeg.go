package clip

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// openFFmpeg lets the ffmpeg program decode the first video stream at a constant frame rate. Frames come back through a
// pipe as binary PPM, which is rgb24 with the size before each frame: ffmpeg applies the file's own colour matrix, and
// no second program has to be asked for the size.
func openFFmpeg(in *input, opt Options) (*Video, error) {
	name := opt.FFmpeg
	if name == "" {
		name = "ffmpeg"
	}
	head, _ := in.r.Peek(12)
	program, err := exec.LookPath(name)
	if err != nil {
		return nil, errorf("not a built-in format (%s), and %s, which might read it, was not found: %w; %s", looksLike(head), name, err, builtIn)
	}
	unread := "not a built-in format, and ffmpeg cannot read it"
	if in.path == "" && isMP4(head) {
		unread = "an MP4 file that keeps its index at the end cannot be read from a pipe: give the file by its name, or rewrite it with: ffmpeg -i IN.mp4 -c copy -movflags +faststart OUT.mp4; ffmpeg says"
	}
	// Only local files: a playlist must not make ffmpeg open network connections. "file:" keeps odd names from
	// being taken for options or addresses.
	args := []string{"-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"}
	var stdin io.Reader
	if in.path == "" {
		args, stdin = append(args, "-i", "pipe:0"), in.r
	} else {
		path, err := filepath.Abs(in.path)
		if err != nil {
			return nil, err
		}
		args = append(args, "-i", "file:"+path)
	}
	args = append(args, "-map", "0:v:0", "-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "pipe:1")
	cmd := exec.Command(program, args...)
	ownGroup(cmd) // an interrupt is for us: we end ffmpeg, so that its complaint is not mistaken for the cause
	cmd.Stdin = stdin
	cmd.WaitDelay = 2 * time.Second
	var said messages
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	waited, ended := false, make(chan struct{})
	go func() {
		select {
		case <-opt.Done:
			cmd.Process.Kill()
		case <-ended:
		}
	}()
	stop := func() error {
		if !waited {
			waited = true
			close(ended)
			cmd.Process.Kill()
			cmd.Wait()
		}
		return nil
	}
	// end turns the end of the pipe into io.EOF, or into what ffmpeg had to say.
	end := func(err error) error {
		if waited {
			return err
		}
		if err != io.EOF {
			stop()
			return errorf("from ffmpeg: %w: %s", err, said.text())
		}
		waited = true
		close(ended)
		// ErrWaitDelay: ffmpeg was done before its standard input was.
		if err := cmd.Wait(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
			return errorf("%s: %w: %s; %s", unread, err, said.text(), builtIn)
		}
		return io.EOF
	}
	v, err := openPPM(bufio.NewReaderSize(out, 1<<16), opt.limit())
	if err != nil {
		if err = end(err); err == io.EOF {
			err = errorf("ffmpeg found no frames in it: %s; %s", said.text(), builtIn)
		}
		return nil, err
	}
	next := v.next
	v.next = func() ([]uint8, error) {
		f, err := next()
		if err != nil {
			return nil, end(err)
		}
		return f, nil
	}
	v.close = stop
	return v, nil
}

// isMP4 recognises MP4, MOV and their kin by the box they begin with.
func isMP4(head []byte) bool { return len(head) >= 8 && string(head[4:8]) == "ftyp" }

// looksLike says what the first bytes of a file are.
func looksLike(head []byte) string {
	names := []struct{ at, name string }{{"\x1aE\xdf\xa3", "WebM or Matroska video"}, {"RIFF", "AVI, WebP or WAV"}, {"OggS", "Ogg"}, {"BM", "BMP"}}
	if isMP4(head) {
		return fmt.Sprintf("MP4 or MOV video, as it begins with %q", head[:8])
	}
	for _, n := range names {
		if strings.HasPrefix(string(head), n.at) {
			return n.name
		}
	}
	return fmt.Sprintf("it begins with %q", head[:min(8, len(head))])
}

// openPPM reads a sequence of 8-bit binary PPM pictures of one size. io.EOF when there is none.
func openPPM(r *bufio.Reader, limit int64) (*Video, error) {
	header := func() (w, h int, err error) {
		if _, err := r.Peek(1); err != nil {
			return 0, 0, err
		}
		var lines [3]string
		for i := range lines {
			if lines[i], err = y4mLine(r); err != nil {
				return 0, 0, errorf("PPM header: %w", err)
			}
		}
		size := strings.Fields(lines[1])
		if lines[0] != "P6" || len(size) != 2 || lines[2] != "255" {
			return 0, 0, errorf("PPM header %.60q is not an 8-bit P6 header", lines)
		}
		w, errW := strconv.Atoi(size[0])
		h, errH := strconv.Atoi(size[1])
		if errW != nil || errH != nil {
			return 0, 0, errorf("PPM header %.60q is not an 8-bit P6 header", lines)
		}
		_, err = checkFrame(w, h, 3, limit)
		return w, h, err
	}
	w, h, err := header()
	if err != nil {
		return nil, err
	}
	v := &Video{W: w, H: h, need: 3 * int64(w) * int64(h)}
	var rgb []uint8
	v.next = func() (_ []uint8, err error) {
		if rgb == nil {
			if rgb, err = readN(r, 3*int64(w)*int64(h)); err != nil {
				return nil, errorf("PPM of %dx%d: %w", w, h, err)
			}
			return rgb, nil
		}
		fw, fh, err := header()
		if err != nil {
			return nil, err
		}
		if fw != w || fh != h {
			return nil, errorf("a frame is %dx%d, the first was %dx%d", fw, fh, w, h)
		}
		if _, err := io.ReadFull(r, rgb); err != nil {
			return nil, errorf("PPM of %dx%d: %w", w, h, noEOF(err))
		}
		return rgb, nil
	}
	return v, nil
}

// messages keeps the first 2000 bytes of the messages of a program.
type messages struct{ b []byte }

func (m *messages) Write(p []byte) (int, error) {
	m.b = append(m.b, p[:min(len(p), 2000-len(m.b))]...)
	return len(p), nil
}

func (m *messages) text() string {
	return strings.Join(strings.Fields(string(m.b)), " ")
}

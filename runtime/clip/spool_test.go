package clip

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestTimeline(t *testing.T) {
	for n := 1; n < 40; n++ {
		equal := slices.Repeat([]int64{7}, n)
		for frames := 1; frames < 50; frames++ {
			want := make([]int, frames)
			for i := range want {
				want[i] = (2*i + 1) * n / (2 * frames)
			}
			if got := Sample(n, frames); !slices.Equal(got, want) {
				t.Fatalf("%d of %d: %v, want %v", frames, n, got, want)
			}
			// Unequal delays of the same frames: each stands for as many equal ones as it is long.
			equal[n/2] = 7 * 3
			long := timed(equal)
			for i, k := range long.Sample(frames) {
				at := (2*i + 1) * (n + 2) / (2 * frames) // among n+2 equal ones
				if want := max(min(at, n/2), at-2); n > 1 && k != want {
					t.Fatalf("%d of %d frames, %d three times as long: frame %d is %d, want %d", frames, n, n/2, i, k, want)
				}
			}
		}
	}
	big := timed([]int64{1 << 50, 1 << 40, 1 << 50})
	if got := big.Sample(1 << 20); got[1<<20-1] != 2 || got[0] != 0 || got[1<<19] != 1 && got[1<<19] != 2 {
		t.Error(got[0], got[1<<19], got[1<<20-1])
	}
}

// A video is sampled while it is read: from a file, which tells its length, and from a pipe, which does not, the frames
// are those of sampling after reading all.
func TestSamplingWhileReading(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []int{1, 2, 15, 16, 17, 100, 1820, 1821, 4000} { // 1820 frames are 16 MB
		c := &Clip{T: n, H: 48, W: 64, C: 3, Pix: make([]uint8, n*48*64*3)}
		for f := range n {
			frame := c.Frame(f)
			for i := range frame {
				frame[i] = uint8(f + i*(f>>8))
			}
		}
		var y4m bytes.Buffer
		fmt.Fprintf(&y4m, "YUV4MPEG2 W64 H48 Cmono XCOLORRANGE=FULL\n")
		for f := range n {
			fmt.Fprintf(&y4m, "FRAME X%d\n", f)
			y4m.Write(c.Frame(f)[:64*48])
		}
		for _, frames := range []int{1, 16, 33} {
			s := Spec{C: 3, T: frames, H: 48, W: 64, DType: "u8"}
			for name, in := range map[string]struct {
				data []byte
				opt  Options
			}{"a.rgb": {c.Pix, Options{RawW: 64, RawH: 48}}, "a.y4m": {y4m.Bytes(), Options{}}} {
				path := write(t, dir, name, in.data)
				file, err := openAll(path, s, in.opt)
				if err != nil {
					t.Fatal(err)
				}
				in.opt.Stdin = bytes.NewReader(in.data)
				piped, err := openAll("-", s, in.opt)
				if err != nil {
					t.Fatal(err)
				}
				if name == "a.rgb" {
					all, note, err := Fit(c, s, "")
					if err != nil {
						t.Fatal(err)
					}
					equalPix(t, file[0].Clip.Pix, all.Pix)
					if file[0].Note != note {
						t.Errorf("note %q, want %q", file[0].Note, note)
					}
				}
				equalPix(t, piped[0].Clip.Pix, file[0].Clip.Pix)
				if piped[0].Note != file[0].Note {
					t.Errorf("note %q of a pipe, %q of the file", piped[0].Note, file[0].Note)
				}
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "clip-*.frames")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// No temporary file can be made: short videos need none, long ones say so.
func TestNoTemporaryFile(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	if _, err := os.CreateTemp("", ""); err == nil {
		t.Skip("the folder of temporary files cannot be chosen here")
	}
	opt := Options{RawW: 64, RawH: 48, Stdin: bytes.NewReader(make([]byte, 1820*9216))}
	if _, err := openAll("-", Spec{C: 3, T: 4, H: 48, W: 64}, opt); err != nil {
		t.Error(err)
	}
	opt.Stdin = bytes.NewReader(make([]byte, 1821*9216))
	_, err := openAll("-", Spec{C: 3, T: 4, H: 48, W: 64}, opt)
	wantError(t, err, "standard input", "frame 1820", "temporary file")
}

func TestDone(t *testing.T) {
	done := make(chan struct{})
	src, err := Open("-", Spec{C: 3, T: 2}, Options{RawW: 6, RawH: 4, Stdin: endless{}, Done: done})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	close(done)
	if _, err := src.Next(); err != ErrStopped {
		t.Error(err)
	}
}

// ffmpeg makes the videos and reads them; what it gives through the pipe is sampled like a file.
func TestFFmpeg(t *testing.T) {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg on the PATH")
	}
	dir := t.TempDir()
	ffmpeg := func(args ...string) {
		t.Helper()
		cmd := exec.Command(program, append([]string{"-nostdin", "-v", "error", "-y"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ffmpeg %v: %v: %s", args, err, out)
		}
	}
	source := []string{"-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=4"}
	mp4, fast, y4m := filepath.Join(dir, "a.mp4"), filepath.Join(dir, "fast.mp4"), filepath.Join(dir, "a.y4m")
	ffmpeg(append(source, "-pix_fmt", "yuv420p", mp4)...)
	ffmpeg("-i", mp4, "-c", "copy", "-movflags", "+faststart", fast)
	ffmpeg("-i", mp4, "-pix_fmt", "rgb24", "-f", "rawvideo", filepath.Join(dir, "a.rgb"))
	ffmpeg("-i", mp4, y4m)
	s := Spec{C: 3, T: 16, H: 24, W: 32, DType: "u8"}
	want, err := openAll(filepath.Join(dir, "a.rgb"), s, Options{RawW: 64, RawH: 48})
	if err != nil {
		t.Fatal(err)
	}
	got, err := openAll(mp4, s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	equalPix(t, got[0].Tensor.U8, want[0].Tensor.U8)
	if got[0].Note != want[0].Note {
		t.Errorf("note %q, want %q", got[0].Note, want[0].Note)
	}
	data, _ := os.ReadFile(fast)
	got, err = openAll("-", s, Options{Stdin: bytes.NewReader(data)})
	if err != nil {
		t.Fatal(err)
	}
	equalPix(t, got[0].Tensor.U8, want[0].Tensor.U8)

	// With its index at the end an MP4 cannot be read from a pipe, unless it is very small.
	noise := filepath.Join(dir, "noise.mp4")
	ffmpeg("-f", "lavfi", "-i", "nullsrc=size=320x240:rate=5:duration=1,geq=random(1)*255:128:128", "-pix_fmt", "yuv420p", noise)
	data, _ = os.ReadFile(noise)
	_, err = openAll("-", s, Options{Stdin: bytes.NewReader(data)})
	wantError(t, err, "standard input", "MP4", "index at the end", "give the file by its name", "+faststart")

	// Reading is stopped while ffmpeg waits for the rest.
	done := make(chan struct{})
	r, w := io.Pipe()
	defer w.Close()
	go func() {
		w.Write(data[:70000])
		close(done)
	}()
	if _, err = openAll("-", s, Options{Stdin: r, Done: done}); err != ErrStopped {
		t.Error(err)
	}
}

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/clip"
)

var update = flag.Bool("update", false, "rewrite the expected outputs in the scripts of testdata")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"billrun": main})
}

// TestScripts runs the scripts of testdata. Beside the commands of testscript
// they have "exits CODE PROGRAM ARGS...", which wants that exit code, and
// "damage FILE OFFSET", which flips a bit; the folder they start in holds the
// models and clips that prepare writes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			// For scripts that empty the PATH.
			env.Setenv("BILLRUN", filepath.Join(filepath.SplitList(env.Getenv("PATH"))[0], "billrun"))
			return prepare(t, env.WorkDir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"damage": damage,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	code := 0
	var e *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &e) {
		code = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
	stderr := ts.ReadFile("stderr")
	if strings.Contains(stderr, "goroutine ") {
		ts.Fatalf("a Go stack on standard error")
	}
	if code == 1 || code == 2 || code == 3 {
		if strings.Count(stderr, "billrun: ") != 1 || !strings.HasSuffix(stderr, "\n") {
			ts.Fatalf("want one line of error on standard error, got %q", stderr)
		}
	}
}

func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: damage FILE OFFSET")
	}
	b := []byte(ts.ReadFile(args[0]))
	i, err := strconv.Atoi(args[1])
	ts.Check(err)
	b[i] ^= 4
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o666))
}

// prepare writes models and clips.
func prepare(tb testing.TB, dir string) error {
	model := clipModel(tb, 1)
	files := map[string][]byte{
		"model.billb":     model,
		"scaled.billb":    clipModel(tb, 1.5),
		"nudged.billb":    clipModel(tb, 1+1e-6),
		"float.billb":     floatModel(tb),
		"pick.billb":      pickModel(tb),
		"half.billb":      halfModel(tb),
		"model.onnx":      []byte("to be compiled"),
		"truncated.billb": model[:len(model)/2],
		"short.billb":     model[:5],
		"text.billb":      []byte("not a model at all, just text\n"),
		"unknown.avi":     []byte("RIFF????AVI LIST: no video at all"),
		"empty.gif":       nil,
		"cut.gif":         animation(tb)[:60],
		"beheaded.gif":    animation(tb)[:20],
		"red.gif":         animation(tb),
		"frames.rgb":      pixels(frames),
		"odd.rgb":         pixels(frames)[:50],
		"none.y4m":        []byte("YUV4MPEG2 W4 H4 F25:1 C444\n"),
	}
	n := 3 * frames * height * width
	ramp := make([]uint8, 2*n)
	for i := range ramp {
		ramp[i] = uint8(i * 37)
	}
	wild := make([]float32, n)
	wild[7] = 0.5
	for name, a := range map[string]*clip.NPY{
		"clip.npy":  tensor(tb, ramp[:n], 3, frames, height, width),
		"one.npy":   tensor(tb, ramp[:n], 1, 3, frames, height, width),
		"batch.npy": tensor(tb, ramp, 2, 3, frames, height, width),
		"wrong.npy": tensor(tb, ramp[:48], 3, 1, 4, 4),
		"wild.npy":  tensor(tb, wild, 3, frames, height, width),
		"row.npy":   tensor(tb, []float32{1, -2, 0.1, 3}, 1, 4),
		"rows.npy":  tensor(tb, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 3, 4),
		"wide.npy":  tensor(tb, []float64{1, -2, 0.1, 3}, 1, 4),
		"zero.npy":  tensor(tb, []uint8{}, 0, 3, frames, height, width),
		"x.npy":     tensor(tb, []float32{0.5, 1, 1.5, 2, 2.5, -3e-9}, 3, 2),
		"sel.npy":   tensor(tb, []int64{2, 0}, 2),
		"sel32.npy": tensor(tb, []int32{2, 0}, 2),
		"far.npy":   tensor(tb, []int64{2, 3}, 2),
		"x32.npy":   tensor(tb, []float32{0.5, 1}, 1, 2),
		"f.npy":     tensor(tb, wild, 1, 3, frames, height, width),
	} {
		var b bytes.Buffer
		if err := clip.WriteNPY(&b, a); err != nil {
			return err
		}
		files[name] = b.Bytes()
	}
	for i := range frames {
		var b bytes.Buffer
		if err := png.Encode(&b, picture(i)); err != nil {
			return err
		}
		files["frames/"+strconv.Itoa(i)+".png"] = b.Bytes()
	}
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			return err
		}
	}
	return os.Mkdir(filepath.Join(dir, "nothing"), 0o777)
}

func tensor[E uint8 | float32 | float64 | int64 | int32](tb testing.TB, v []E, shape ...int) *clip.NPY {
	tb.Helper()
	a, err := clip.NewNPY(shape, v)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// picture is a red frame with a green column.
func picture(i int) *image.Paletted {
	p := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.RGBA{250, 10, 20, 255}, color.RGBA{10, 240, 30, 255}})
	for y := range height {
		p.SetColorIndex(i%width, y, 1)
	}
	return p
}

// animation is a GIF of one frame more than the models take.
func animation(tb testing.TB) []byte {
	tb.Helper()
	g := &gif.GIF{}
	for i := range frames + 1 {
		g.Image, g.Delay = append(g.Image, picture(i)), append(g.Delay, 4)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// pixels is frames as raw rgb24.
func pixels(n int) []byte {
	var b []byte
	for i := range n {
		p := picture(i)
		for y := range height {
			for x := range width {
				r, g, bl, _ := p.At(x, y).RGBA()
				b = append(b, uint8(r>>8), uint8(g>>8), uint8(bl>>8))
			}
		}
	}
	return b
}

// workspace is a folder as the scripts have it.
func workspace(t *testing.T) string {
	dir := t.TempDir()
	if err := prepare(t, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestInterrupted(t *testing.T) {
	dir := workspace(t)
	interrupt := make(chan os.Signal, 1)
	r, w := io.Pipe() // never written to: the command waits for its input
	defer w.Close()
	time.AfterFunc(10*time.Millisecond, func() { interrupt <- os.Interrupt })
	var errs bytes.Buffer
	if code := program().Run(interrupt, []string{filepath.Join(dir, "model.billb"), "-", "--size", "4x4"}, r, io.Discard, &errs); code != 1 {
		t.Errorf("exit code %d, want %d", code, 1)
	}
	if got := errs.String(); got != "billrun: interrupted\n" {
		t.Errorf("standard error %q", got)
	}
}

// A pipe gives the outputs of every run, in the order of the inputs, while it is open.
func TestPipe(t *testing.T) {
	dir := workspace(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	run := func(stdin []byte, args ...string) (code int, out []byte, errs string) {
		var stdout, stderr bytes.Buffer
		code = program().Run(nil, args, bytes.NewReader(stdin), &stdout, &stderr)
		return code, stdout.Bytes(), stderr.String()
	}
	n := 3 * frames * height * width
	two := make([]byte, 2*n)
	for i := range two {
		two[i] = uint8(i * 37) // batch.npy
	}
	code, out, errs := run(two, path("model.billb"), "--pipe")
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	each := 4*classes + 4*hidden
	if len(out) != 2*each {
		t.Fatalf("%d bytes, want %d", len(out), 2*each)
	}
	for i, want := range [][]float32{{-7.9375, 11.8125, -0.75, 0.4375}, {-8.4375, 11.875, -0.125, 0.9375}} {
		if got := out[i*each:][:4*classes]; !bytes.Equal(got, runtime.Bytes(want)) {
			t.Errorf("run %d: logits %x, want %x", i, got, runtime.Bytes(want))
		}
	}
	sel := runtime.Bytes([]int64{2, 0, 1, 1})
	if code, out, errs = run(sel, path("pick.billb"), "--pipe", "--input", "x=@"+path("x.npy")); code != 0 || !bytes.Equal(out, runtime.Bytes([]float32{2.5, -3e-9, 0.5, 1, 1.5, 2, 1.5, 2})) {
		t.Errorf("a tensor of two: exit code %d, %x, %s", code, out, errs)
	}
	for _, c := range []struct {
		stdin []byte
		args  []string
		code  int
		errs  string
	}{
		{nil, []string{path("model.billb"), "--pipe"}, 0, ""},
		{two[:n+5], []string{path("model.billb"), "--pipe"}, 1, fmt.Sprintf("standard input ends after 5 of the %d bytes of run 1 (counted from 0)", n)},
		{runtime.Bytes([]int64{7, 0}), []string{path("pick.billb"), "--pipe", "--input", "x=@" + path("x.npy")}, 1, "pick.billb"},
		{two, []string{path("model.billb"), "--pipe", path("clip.npy")}, 2, "--pipe reads bytes from standard input"},
		{two, []string{path("model.billb"), "--pipe", "--json"}, 2, "--pipe reads bytes from standard input"},
		{two, []string{path("pick.billb"), "--pipe", "--input", "x=@" + path("x.npy"), "--input", "sel=@" + path("sel.npy")}, 2, "has no bytes to read"},
	} {
		if code, _, errs := run(c.stdin, c.args...); code != c.code || !strings.Contains(errs, c.errs) {
			t.Errorf("%v: exit code %d, %q, want %d and %q", c.args[1:], code, errs, c.code, c.errs)
		}
	}
}

func TestTimeout(t *testing.T) {
	dir := workspace(t)
	var errs bytes.Buffer
	if code := program().Run(nil, []string{"bench", filepath.Join(dir, "model.billb"), "--time", "1h", "--timeout", "20ms"}, nil, io.Discard, &errs); code != 124 {
		t.Errorf("exit code %d, want %d", code, 124)
	}
	if got := errs.String(); got != "billrun: timed out after 20ms\n" {
		t.Errorf("standard error %q", got)
	}
}

type brokenPipe struct{ panics bool }

func (b brokenPipe) Write([]byte) (int, error) {
	if b.panics {
		panic("a fault for the test")
	}
	return 0, errors.New("no space left on device")
}

func TestOutputFails(t *testing.T) {
	dir := workspace(t)
	for _, args := range [][]string{{"version"}, {filepath.Join(dir, "model.billb"), filepath.Join(dir, "clip.npy"), filepath.Join(dir, "red.gif")}} {
		var errs bytes.Buffer
		if code := program().Run(nil, args, nil, brokenPipe{}, &errs); code != 1 {
			t.Errorf("%v: exit code %d, want %d", args, code, 1)
		}
		if got := errs.String(); !strings.HasSuffix(got, "billrun: writing the output: no space left on device\n") || strings.Count(got, "billrun:") != 1 {
			t.Errorf("%v: standard error %q", args, got)
		}
	}
}

func TestBug(t *testing.T) {
	var errs bytes.Buffer
	if code := program().Run(nil, []string{"version"}, nil, brokenPipe{panics: true}, &errs); code != 70 {
		t.Errorf("exit code %d, want %d", code, 70)
	}
	if got := errs.String(); !strings.HasPrefix(got, "BUG: a fault for the test\n") || !strings.Contains(got, "Please report it") {
		t.Errorf("standard error %q", got)
	}
}

// A model file with any byte changed, or cut anywhere, is refused in one line.
func TestDamagedModel(t *testing.T) {
	good := clipModel(t, 1)
	path := filepath.Join(t.TempDir(), "damaged.billb")
	try := func(what string, i int, file []byte) {
		if err := os.WriteFile(path, file, 0o666); err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		code := program().Run(nil, []string{"info", path}, nil, io.Discard, &errs)
		if got := errs.String(); code != 1 || strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "billrun: "+path+": ") {
			t.Errorf("%s %d: exit code %d, standard error %q", what, i, code, got)
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		try("changed byte", i, bad)
		try("cut at", i, good[:i])
	}
}

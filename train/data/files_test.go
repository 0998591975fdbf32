package data

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/billnet/billnet/runtime/clip"
)

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// jpegFrames writes n frames whose left half is of brightness left, the right half 200, and which grow redder.
func jpegFrames(t testing.TB, dir string, n, w, h int, left uint8) {
	t.Helper()
	for k := range n {
		m := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				c := color.RGBA{uint8(40 + 160*k/n), left, left, 255}
				if x >= w/2 {
					c.G, c.B = 200, 200
				}
				m.Set(x, y, c)
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, fmt.Sprintf("%05d.jpg", k+1)), b.Bytes())
	}
}

var smallSize = Size{T: 4, H: 12, W: 16}

// newJester writes a tiny data set in Jester's layout: 3 classes, train 1-6, validation 7-9, with faults.
func newJester(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	clips := filepath.Join(dir, jesterFolder)
	for id := 1; id <= 9; id++ {
		jpegFrames(t, filepath.Join(clips, fmt.Sprint(id)), 5+id, 30+id, 20, 20)
	}
	write(t, filepath.Join(clips, "6", "00005.jpg"), []byte("\xff\xd8\xff no picture")) // a broken image, one of those shown
	if err := os.MkdirAll(filepath.Join(clips, "10"), 0o755); err != nil {              // no frames
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "jester-v1-labels.csv"), []byte("Swiping Left\nSwiping Right\nStop Sign\nDrumming Fingers\n"))
	write(t, filepath.Join(dir, "jester-v1-train.csv"), []byte(strings.Join([]string{
		"1;Swiping Left", "2;Swiping Right", "3;Stop Sign", "4;Swiping Left\r", "", "5;Swiping Right", "6;Stop Sign", "10;Stop Sign",
		"11;Stop Sign",   // no such folder
		"1;Stop Sign",    // again
		"2 Swiping Left", // no semicolon
		"3;Thumb Sideways",
		"../3;Stop Sign",
	}, "\n")))
	write(t, filepath.Join(dir, "jester-v1-validation.csv"), []byte("7;Swiping Left\n8;Swiping Right\n9;Stop Sign\n"))
	write(t, filepath.Join(dir, "jester-v1-test.csv"), []byte("100\n101\n"))
	return dir
}

func TestJester(t *testing.T) {
	dir := newJester(t)
	for _, spec := range []string{"jester:" + dir, "jester:" + filepath.Join(dir, jesterFolder)} {
		src, err := Open(spec, Options{Size: smallSize})
		if err != nil {
			t.Fatal(err)
		}
		if got := []int{src.Len(Train), src.Len(Val), src.Len(Test)}; !slices.Equal(got, []int{7, 3, 0}) {
			t.Fatalf("%s: lengths %v, want 7, 3, 0\n%s", spec, got, src.Stats())
		}
		if st := src.Stats(); st.Skipped != 6 || !strings.Contains(st.String(), "jester-v1-train.csv:9: clip 11: there is no folder") {
			t.Errorf("skipped %d, want 5 lines and a class without clips:\n%s", st.Skipped, st)
		}
		if EvalSplit(src) != Val {
			t.Errorf("measured on %s, want val", EvalSplit(src))
		}
	}

	src, err := Open("jester:"+dir, Options{Size: smallSize})
	if err != nil {
		t.Fatal(err)
	}
	want := []int{0, 1, 2, 0, 1}
	dst := make([]uint8, smallSize.Bytes())
	for i, label := range want {
		if got, err := src.Clip(Train, i, 0, dst); err != nil || got != label {
			t.Errorf("clip %d: label %d, %v; want %d", i, got, err, label)
		}
		// As the reader of runtime/clip gives it, which is what billrun sees.
		in, err := clip.Open(filepath.Join(dir, jesterFolder, fmt.Sprint(i+1)), clip.Spec{C: 3, T: 4, H: 12, W: 16, DType: "u8"}, clip.Options{})
		if err != nil {
			t.Fatal(err)
		}
		item, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(item.Tensor.U8, dst) {
			t.Errorf("clip %d differs from the same folder read by package clip", i)
		}
		in.Close()
	}
	for _, i := range []int{5, 6, 5} {
		_, err := src.Clip(Train, i, 0, dst)
		var bad *BadClip
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), bad.Path) {
			t.Errorf("clip %d: error %v, want a bad clip", i, err)
		}
	}
	if st := src.Stats(); st.Skipped != 8 {
		t.Errorf("skipped %d, want 6 and the two bad clips once each:\n%s", st.Skipped, st)
	}
}

// Variants: a pure function; mirrored clips swap their label and their sides; others keep both.
func TestJesterVariants(t *testing.T) {
	src, err := Open("jester:"+newJester(t), Options{Size: smallSize})
	if err != nil {
		t.Fatal(err)
	}
	different, mirrored := map[string]bool{}, 0
	for _, i := range []int{0, 1, 2} {
		for variant := range uint64(40) {
			a, label := clipOf(t, src, Train, i, variant)
			b, again := clipOf(t, src, Train, i, variant)
			if !bytes.Equal(a, b) || label != again {
				t.Fatalf("clip %d, variant %d differs when read again", i, variant)
			}
			different[string(a)] = true
			n := len(a) / 3
			isMirrored := a[n] > a[n+smallSize.W-1] // green: the bright side is at the left
			want := i
			if isMirrored && i < 2 {
				want = 1 - i
			}
			if label != want {
				t.Fatalf("clip %d, variant %d: label %d, want %d: mirrored %v", i, variant, label, want, isMirrored)
			}
			if isMirrored {
				mirrored++
			}
		}
	}
	if len(different) < 100 || mirrored < 30 || mirrored > 90 {
		t.Errorf("of 120 variants %d are different and %d mirrored", len(different), mirrored)
	}

	plain, err := Open(src.Name()+"{augment=false}", Options{Size: smallSize})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := clipOf(t, plain, Train, 0, 0)
	b, _ := clipOf(t, plain, Train, 0, 3)
	if !bytes.Equal(a, b) {
		t.Error("with augment=false a variant differs from the clip")
	}
}

func TestJesterErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		damage     func(dir string) string
	}{
		{"no folder", "jester:DIR", func(string) string { return "" }},
		{"missing", "nowhere", func(dir string) string { return filepath.Join(dir, "nowhere") }},
		{"no labels", "jester-v1-labels.csv", func(dir string) string {
			os.Remove(filepath.Join(dir, "jester-v1-labels.csv"))
			return dir
		}},
		{"one label", "1 labels", func(dir string) string {
			os.WriteFile(filepath.Join(dir, "jester-v1-labels.csv"), []byte("Stop Sign\n"), 0o644)
			return dir
		}},
		{"no train list", "jester-v1-train.csv", func(dir string) string {
			os.Remove(filepath.Join(dir, "jester-v1-train.csv"))
			return dir
		}},
		{"no clips", "no clip that is in the lists", func(dir string) string {
			os.Rename(filepath.Join(dir, jesterFolder), filepath.Join(dir, "old"))
			os.Mkdir(filepath.Join(dir, jesterFolder), 0o755)
			return dir
		}},
	} {
		dir := c.damage(newJester(t))
		if _, err := Open("jester:"+dir, Options{Size: smallSize}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestMirrorTable(t *testing.T) {
	if len(jesterMirror) != 27 {
		t.Errorf("%d labels, Jester has 27", len(jesterMirror))
	}
	changed := 0
	for label, m := range jesterMirror {
		if jesterMirror[m] != label {
			t.Errorf("%q becomes %q, which becomes %q", label, m, jesterMirror[m])
		}
		if swapSides(label) != m {
			t.Errorf("%q becomes %q, but its words say %q", label, m, swapSides(label))
		}
		if m != label {
			changed++
		}
	}
	if changed != 6 {
		t.Errorf("%d labels change, want 6: swipes, slides, turns", changed)
	}
	for _, name := range gestureNames {
		if _, ok := jesterMirror[name]; !ok {
			t.Errorf("gesture %q is not one of Jester's", name)
		}
	}
	for in, want := range map[string]string{
		"swipe_left": "swipe_right", "LEFT2": "RIGHT2", "rot_ccw": "rot_cw", "leftover": "leftover", "Ünlü right": "Ünlü left", "": "",
	} {
		if got := swapSides(in); got != want {
			t.Errorf("%q mirrored is %q, want %q", in, got, want)
		}
	}
	if got := mirrorLabels([]string{"left", "right", "wave", "go left"}, swapSides); !slices.Equal(got, []int{1, 0, 2, notMirrored}) {
		t.Errorf("mirrored labels %v", got)
	}
}

// newFolder writes classes "left" and "wave" with clips of every kind under a folder.
func newFolder(t testing.TB, dir string, perClass int) {
	t.Helper()
	g := newGestures(t, smallSize, GestureOptions{})
	for c, class := range []string{"left", "wave"} {
		for k := range perClass {
			pix, _ := clipOf(t, g, Train, 2*k+c, 0)
			var b bytes.Buffer
			name := filepath.Join(dir, class, fmt.Sprint("clip", k))
			var err error
			switch k % 3 {
			case 0:
				name += ".gif"
				err = WriteGIF(&b, smallSize, pix, 12)
			case 1:
				name += ".npy"
				var a *clip.NPY
				if a, err = clip.NewNPY([]int{3, smallSize.T, smallSize.H, smallSize.W}, pix); err == nil {
					err = clip.WriteNPY(&b, a)
				}
			case 2:
				jpegFrames(t, name, 6, 32, 24, 90)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			write(t, name, b.Bytes())
		}
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	newFolder(t, dir, 11)
	write(t, filepath.Join(dir, "README.txt"), []byte("about"))
	write(t, filepath.Join(dir, "left", "notes.txt"), []byte("about"))
	write(t, filepath.Join(dir, "left", "broken.npy"), []byte("\x93NUMPY no"))
	write(t, filepath.Join(dir, "left", ".hidden"), nil)
	pair := make([]uint8, 2*smallSize.Bytes())
	a, err := clip.NewNPY([]int{2, 3, smallSize.T, smallSize.H, smallSize.W}, pair)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := clip.WriteNPY(&b, a); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "wave", "two.npy"), b.Bytes())

	src, err := Open(dir, Options{Size: smallSize})
	if err != nil {
		t.Fatal(err)
	}
	if got := []int{src.Len(Train), src.Len(Val), src.Len(Test)}; !slices.Equal(got, []int{20, 4, 0}) {
		t.Errorf("lengths %v, want 20, 4, 0 of 11 + 13 clips", got)
	}
	if !slices.Equal(src.Classes(), []string{"left", "wave"}) || src.Stats().Skipped != 3 {
		t.Errorf("classes %v\n%s", src.Classes(), src.Stats())
	}
	count := map[string]int{}
	for _, s := range []Split{Train, Val} {
		for i := range src.Len(s) {
			pix, label := clipOf(t, src, s, i, 0)
			count[fmt.Sprint(s, label)]++
			if _, again := clipOf(t, src, s, i, 5); again != label {
				t.Errorf("%s clip %d: the label of a variant is %d, of the clip %d", s, i, again, label)
			}
			_ = pix
		}
	}
	if count["train 0"] != 9 || count["val 0"] != 2 || count["train 1"] != 11 || count["val 1"] != 2 {
		t.Errorf("clips per split and class: %v", count)
	}

	// The same clips are kept when the folder lies elsewhere.
	other := filepath.Join(t.TempDir(), "x")
	if err := os.CopyFS(other, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	moved, err := Open("folder:"+other, Options{Size: smallSize})
	if err != nil {
		t.Fatal(err)
	}
	for i := range src.Len(Val) {
		x, _ := clipOf(t, src, Val, i, 0)
		y, _ := clipOf(t, moved, Val, i, 0)
		if !bytes.Equal(x, y) {
			t.Errorf("validation clip %d is another one in a copy of the folder", i)
		}
	}
}

// An .npy clip of the size asked for arrives unchanged; "left" has no mirror image among the classes, "wave" is its own.
func TestFolderExact(t *testing.T) {
	dir := t.TempDir()
	newFolder(t, filepath.Join(dir, "train"), 5)
	newFolder(t, filepath.Join(dir, "val"), 2)
	src, err := Open(dir+"{mirror=true}", Options{Size: smallSize})
	if err != nil {
		t.Fatal(err)
	}
	if got := []int{src.Len(Train), src.Len(Val)}; !slices.Equal(got, []int{10, 4}) {
		t.Fatalf("lengths %v, want 10 and 4", got)
	}
	g := newGestures(t, smallSize, GestureOptions{})
	want, _ := clipOf(t, g, Train, 3, 0) // k = 1, c = 1
	got, label := clipOf(t, src, Train, 6, 0)
	if label != 1 || !bytes.Equal(got, want) {
		t.Errorf("train clip 6 is not wave/clip1.npy as it was written (label %d)", label)
	}
	if want := "folder:" + dir + "{mirror=true}"; src.Name() != want {
		t.Errorf("the name is %s, want %s", src.Name(), want)
	}
	mirror := src.(*files).mirror
	if !slices.Equal(mirror, []int{notMirrored, 1}) {
		t.Errorf("mirrored labels %v", mirror)
	}
}

func TestFolderErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		build      func(dir string)
	}{
		{"empty", "0 sub-folders", func(string) {}},
		{"one class", "1 sub-folders", func(dir string) { os.RemoveAll(filepath.Join(dir, "wave")) }},
		{"empty class", `class "jump" has no clips`, func(dir string) { os.Mkdir(filepath.Join(dir, "jump"), 0o755) }},
		{"class without clips", `class "jump" has no clips`, func(dir string) { write(t, filepath.Join(dir, "jump", "a.doc"), nil) }},
		{"unknown class in val", "is not among the 2 classes", func(dir string) {
			newFolder(t, filepath.Join(dir, "train"), 2)
			write(t, filepath.Join(dir, "val", "jump", "a.gif"), nil)
		}},
		{"two vals", "both val", func(dir string) {
			newFolder(t, filepath.Join(dir, "val"), 1)
			newFolder(t, filepath.Join(dir, "valid"), 1)
		}},
	} {
		dir := t.TempDir()
		if c.name != "empty" {
			newFolder(t, dir, 2)
		}
		c.build(dir)
		if _, err := Open(dir, Options{Size: smallSize}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "nothing"), Options{}); err == nil || !strings.Contains(err.Error(), "gestures, jester:DIR") {
		t.Errorf("a missing folder: error %v", err)
	}
}

func TestSpec(t *testing.T) {
	for spec, want := range map[string]string{
		"gestures":                            "gestures{classes=12, seed=0, val=1000, test=2000}",
		" gestures{} ":                        "gestures{classes=12, seed=0, val=1000, test=2000}",
		"gestures{classes=15,seed=7,train=3}": "gestures{classes=15, seed=7, val=1000, test=2000, train=3}",
		"gestures{frame=last}":                "gestures{classes=12, seed=0, val=1000, test=2000, frame=last}",
	} {
		src, err := Open(spec, Options{})
		if err != nil {
			t.Errorf("%q: %v", spec, err)
			continue
		}
		if src.Name() != want || src.Size() != DefaultSize() {
			t.Errorf("%q opens %s of %s, want %s", spec, src.Name(), src.Size(), want)
		}
		again, err := Open(src.Name(), Options{})
		if err != nil || again.Name() != want {
			t.Errorf("%q does not open itself: %v", src.Name(), err)
		}
	}
	for spec, want := range map[string]string{
		"":                         "names no data set",
		"{classes=3}":              "names no data set",
		"gestures{classes=12":      "--data:1:20: found the end of the text; expected NAME{option=value, ...}",
		"gestures{classes}":        `--data:1:10: found "classes"; expected NAME{option=value, ...}`,
		"gestures{classes=1}":      "at least 2",
		"gestures{classes=16}":     "there are 15",
		"gestures{size=3}":         "unknown option size; there are classes",
		"gestures{seed=[1,2]}":     "--data:1:15: option seed takes one value, found 1,2",
		"gestures{seed=-1}":        "seed=-1",
		"gestures{seed=1, seed=2}": "given twice",
		"gestures{frame=second}":   "first, middle, last",
		"folder:.{mirror=yes}":     "neither true nor false",
		"folder:.{mode=zoom}":      "stretch, crop, letterbox",
		"jester:.{mirror=true}":    "labels",
	} {
		if _, err := Open(spec, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", spec, err, want)
		}
	}
	if _, err := Open("gestures", Options{Size: Size{-1, 2, 3}}); err == nil {
		t.Error("a size of -1 frames: no error")
	}
}

func TestStillFrame(t *testing.T) {
	whole := newGestures(t, DefaultSize(), GestureOptions{})
	want, label := clipOf(t, whole, Test, 3, 0)
	n := DefaultSize().H * DefaultSize().W
	for which, at := range map[string]int{"first": 0, "middle": 8, "last": 15} {
		src, err := StillFrame(whole, which)
		if err != nil {
			t.Fatal(err)
		}
		got, l := clipOf(t, src, Test, 3, 0)
		if l != label {
			t.Errorf("%s frame: label %d, want %d", which, l, label)
		}
		for k := range 3 * DefaultSize().T {
			c := k / DefaultSize().T
			if !bytes.Equal(got[k*n:][:n], want[(c*DefaultSize().T+at)*n:][:n]) {
				t.Fatalf("%s frame: plane %d is another", which, k)
			}
		}
	}
}

func BenchmarkJester(b *testing.B) {
	dir := b.TempDir()
	jpegFrames(b, filepath.Join(dir, jesterFolder, "1"), 37, 176, 100, 20)
	write(b, filepath.Join(dir, "jester-v1-labels.csv"), []byte("a\nb\n"))
	write(b, filepath.Join(dir, "jester-v1-train.csv"), []byte("1;a\n"))
	write(b, filepath.Join(dir, "jester-v1-validation.csv"), nil)
	src, err := Open("jester:"+dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]uint8, src.Size().Bytes())
	for i := range b.N {
		if _, err := src.Clip(Train, 0, uint64(i), dst); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "clips/s")
}

// Names that are not UTF-8 are found before anything is trained.
func TestNamesThatAreNotUTF8(t *testing.T) {
	dir := t.TempDir()
	for _, class := range []string{"a", "caf\xe9"} {
		if err := os.MkdirAll(filepath.Join(dir, class, "clip.npy"), 0o777); err != nil {
			t.Skipf("such a folder cannot be made here: %v", err)
		}
	}
	if _, err := OpenFolder(dir, Options{}); err == nil || !strings.Contains(err.Error(), `"caf\xe9" is not UTF-8`) {
		t.Errorf("folder: %v", err)
	}
	os.Mkdir(filepath.Join(dir, jesterFolder), 0o777)
	labels := filepath.Join(dir, "jester-v1-labels.csv")
	write(t, labels, []byte("\ufeffUp\r\nB\xe9\r\n"))
	if _, err := OpenJester(dir, Options{}); err == nil || !strings.Contains(err.Error(), `jester-v1-labels.csv:2: label "B\xe9" is not UTF-8`) {
		t.Errorf("jester: %v", err)
	}
}

// Delays of a GIF decide which of its frames are shown.
func TestDelays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.gif")
	g := &gif.GIF{}
	for i, delay := range []int{10, 10, 10, 70} {
		m := image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{color.Gray{uint8(60 * i)}})
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, delay)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
	f := &files{opt: Options{Size: Size{T: 4, H: 8, W: 8}}}
	shown, err := f.read(file{path: path}, &view{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint8{60, 180, 180, 180} {
		if shown[i][0] != want {
			t.Errorf("frame %d is %d, want %d", i, shown[i][0], want)
		}
	}
	late := &view{on: true, start: one / 2, length: one / 2, h: one, w: one}
	if got := late.frames(clip.Even(8), 2); got[0] != 4 || got[1] != 6 {
		t.Errorf("the second half of 8 frames: %v, want 4 and 6", got)
	}
}

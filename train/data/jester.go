package data

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/billnet/billnet/runtime/clip"
)

// jesterFolder is the folder of clips in the published layout.
const jesterFolder = "20bn-jester-v1"

// OpenJester opens the Jester data set in its own layout:
//
//	DIR/20bn-jester-v1/<id>/00001.jpg, 00002.jpg, ..
//	DIR/jester-v1-labels.csv        one label a line; their order is the order of the classes
//	DIR/jester-v1-train.csv         id;label
//	DIR/jester-v1-validation.csv    id;label
//	DIR/jester-v1-test.csv          id, or id;label; without labels there is no test split. The file may be missing.
//
// The lists may also lie inside 20bn-jester-v1, and DIR may be that folder itself. A line that is not of this form, has
// an unknown label, repeats an id or names a clip that is not there is skipped and counted in Stats.
func OpenJester(dir string, opt Options) (Source, error) {
	if err := checkOptions(&opt); err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, fmt.Errorf("jester: no folder given: write jester:DIR")
	}
	opt.Mirror = false // by its own table, always
	clips := filepath.Join(dir, jesterFolder)
	if !isDir(clips) {
		clips = dir
	}
	entries, err := os.ReadDir(clips)
	if err != nil {
		return nil, fmt.Errorf("jester: %w", err)
	}
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		there[e.Name()] = true
	}
	list := func(name string) string {
		places := []string{filepath.Dir(clips), clips}
		if clips == dir { // "." has no parent by name
			places[0] = filepath.Join(dir, "..")
		}
		for _, place := range places {
			if path := filepath.Join(place, name); isFile(path) {
				return path
			}
		}
		return filepath.Join(places[0], name)
	}

	f := &files{name: "jester:" + dir + opt.text(), opt: opt}
	labels := list("jester-v1-labels.csv")
	var foreign error
	err = eachLine(labels, func(n int, line string) {
		if !utf8.ValidString(line) && foreign == nil {
			foreign = fmt.Errorf("%s:%d: label %q is not UTF-8: convert the file, for example with: iconv -f latin1 -t utf-8", labels, n, line)
		}
		if slices.Contains(f.classes, line) {
			f.add(fmt.Sprint(labels, n), fmt.Sprintf("%s:%d: label %q is there twice", labels, n, line))
			return
		}
		f.classes = append(f.classes, line)
	})
	if err = cmp.Or(err, foreign); err != nil {
		return nil, fmt.Errorf("jester: the list of labels: %w", err)
	}
	if len(f.classes) < 2 {
		return nil, fmt.Errorf("jester: %s: %d labels: expected one a line, 27 in all", labels, len(f.classes))
	}
	f.mirror = mirrorLabels(f.classes, func(c string) string { return jesterMirror[c] })

	seen := map[string]Split{}
	for s, name := range []string{"jester-v1-train.csv", "jester-v1-validation.csv", "jester-v1-test.csv"} {
		path := list(name)
		if Split(s) == Test && !isFile(path) {
			continue
		}
		err := eachLine(path, func(n int, line string) {
			id, label, labelled := strings.Cut(line, ";")
			id, label = strings.TrimSpace(id), strings.TrimSpace(label)
			if Split(s) == Test && (!labelled || label == "") {
				return
			}
			class := slices.Index(f.classes, label)
			at, twice := seen[id]
			problem := ""
			switch {
			case !labelled || id == "" || strings.ContainsAny(id, `/\`) || id == "." || id == "..":
				problem = fmt.Sprintf("%q is not of the form id;label", line)
			case class < 0:
				problem = fmt.Sprintf("label %q of clip %s is not among the %d of %s", label, id, len(f.classes), labels)
			case twice:
				problem = fmt.Sprintf("clip %s is already in the %s split", id, at)
			case !there[id]:
				problem = fmt.Sprintf("clip %s: there is no folder %s", id, filepath.Join(clips, id))
			default:
				seen[id] = Split(s)
				f.split[s] = append(f.split[s], file{label: class, path: filepath.Join(clips, id), jester: true})
				return
			}
			f.add(fmt.Sprint(path, n), fmt.Sprintf("%s:%d: %s", path, n, problem))
		})
		if err != nil {
			return nil, fmt.Errorf("jester: the list of the %s split: %w", Split(s), err)
		}
	}
	if len(f.split[Train]) == 0 && len(f.split[Val]) == 0 {
		return nil, fmt.Errorf("jester: %s has no clip that is in the lists (%s)", clips, f.Stats())
	}
	for label, class := range f.classes {
		if len(f.split[Train]) > 0 && !slices.ContainsFunc(f.split[Train], func(it file) bool { return it.label == label }) {
			f.add("class "+class, fmt.Sprintf("class %q has no clip in the train split", class))
		}
	}
	return f, nil
}

// eachLine calls do for each line of a text that is not blank, counted from 1.
func eachLine(path string, do func(n int, line string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	n := 0
	for lines.Scan() {
		n++
		if line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff")); line != "" {
			do(n, line)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", path, n+1, err)
	}
	return nil
}

// jesterFrame is the path of frame k, counted from 0.
func jesterFrame(dir string, k int) string {
	return filepath.Join(dir, fmt.Sprintf("%05d.jpg", k+1))
}

// readJester reads those frames of a folder that the view shows.
func (f *files) readJester(dir string, v *view) ([][]uint8, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".jpg") {
			n++
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: no frames: expected 00001.jpg and on", dir)
	}
	shown := make([][]uint8, f.opt.Size.T)
	index := v.frames(clip.Even(n), len(shown))
	var w, h int
	for i, k := range index {
		if i > 0 && k == index[i-1] {
			shown[i] = shown[i-1]
			continue
		}
		path := jesterFrame(dir, k)
		c, err := readPicture(path)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			w, h = c.W, c.H
		}
		if c.W != w || c.H != h {
			return nil, fmt.Errorf("%s is %dx%d, the frames before it %dx%d", path, c.W, c.H, w, h)
		}
		if shown[i], err = v.picture(c, f.opt); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return shown, nil
}

// readPicture reads a file of one picture.
func readPicture(path string) (*clip.Clip, error) {
	video, err := clip.OpenVideo(path, clip.Options{})
	if err != nil {
		return nil, err
	}
	defer video.Close()
	frame, err := video.Next()
	if err == io.EOF {
		return nil, fmt.Errorf("%s: no picture in it", path)
	}
	if err != nil {
		return nil, err
	}
	return &clip.Clip{T: 1, H: video.H, W: video.W, C: 3, Pix: frame}, nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// checkOptions fills in defaults and reports what cannot be.
func checkOptions(opt *Options) error {
	if opt.Size == (Size{}) {
		opt.Size = DefaultSize()
	}
	switch opt.Mode {
	case "", clip.Stretch, clip.Crop, clip.Letterbox:
	default:
		return fmt.Errorf("mode=%s is none of stretch, crop, letterbox", opt.Mode)
	}
	return opt.Size.check()
}

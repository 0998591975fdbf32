package data

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/billnet/billnet/runtime/clip"
)

// splitFolders are the names of sub-folders that hold a split.
var splitFolders = map[string]Split{"train": Train, "training": Train, "val": Val, "valid": Val, "validation": Val, "test": Test}

// valShare: one clip in so many is kept for validation when there is no folder for it.
const valShare = 5

// OpenFolder opens a folder with one sub-folder a class, named after it, in alphabetical order. A clip is whatever
// runtime/clip reads: a GIF, a .y4m or other video file, a folder of PNG or JPEG frames, or an .npy file with one clip
// [3][T][H][W] or several. Hidden files are passed over, other files skipped and counted.
//
//	DIR/<class>/<clip>            one clip in five is kept for validation
//	DIR/train/<class>/<clip>      the splits as they are: val and test beside train, if they exist
//
// Which clips are kept depends on their class's and their own names only, and each class keeps its share.
func OpenFolder(dir string, opt Options) (Source, error) {
	if err := checkOptions(&opt); err != nil {
		return nil, err
	}
	entries, err := visible(dir)
	if err != nil {
		return nil, fmt.Errorf("data: %w (a data set is gestures, jester:DIR or a folder with one sub-folder of clips a class)", err)
	}
	f := &files{name: "folder:" + dir + opt.text(), opt: opt}
	parts := map[Split]string{}
	for _, name := range entries {
		s, ok := splitFolders[strings.ToLower(name)]
		if !ok || !isDir(filepath.Join(dir, name)) {
			continue
		}
		if there, twice := parts[s]; twice {
			return nil, fmt.Errorf("data: %s has both %s and %s for the %s split", dir, there, name, s)
		}
		parts[s] = name
	}
	if parts[Train] == "" {
		parts = map[Split]string{Train: ""}
	}
	for _, s := range []Split{Train, Val, Test} {
		if part, ok := parts[s]; ok {
			if err := f.list(filepath.Join(dir, part), s); err != nil {
				return nil, err
			}
		}
	}
	if _, ok := parts[Val]; !ok {
		f.holdOut()
	}
	if opt.Mirror {
		f.mirror = mirrorLabels(f.classes, swapSides)
	}
	return f, nil
}

// list finds the clips of a split. The train split also names the classes.
func (f *files) list(dir string, s Split) error {
	entries, err := visible(dir)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	for _, class := range entries {
		folder := filepath.Join(dir, class)
		if !isDir(folder) {
			f.add(folder, folder+": a file where folders of classes are expected")
			continue
		}
		if !utf8.ValidString(class) {
			return fmt.Errorf("data: %s: the name of the folder %q is not UTF-8, but names the class: rename it", dir, class)
		}
		label := slices.Index(f.classes, class)
		if label < 0 && s != Train {
			return fmt.Errorf("data: %s: class %q is not among the %d classes of the train split: %s", dir, class, len(f.classes), strings.Join(f.classes, ", "))
		}
		if label < 0 {
			label = len(f.classes)
			f.classes = append(f.classes, class)
		}
		before := len(f.split[s])
		names, err := visible(folder)
		if err != nil {
			return fmt.Errorf("data: %w", err)
		}
		for _, name := range names {
			f.addClips(s, label, filepath.Join(folder, name))
		}
		if len(f.split[s]) == before {
			return fmt.Errorf("data: class %q has no clips: %s: put some there or remove the folder (%s)", class, folder, f.Stats())
		}
	}
	if s == Train && len(f.classes) < 2 {
		return fmt.Errorf("data: %s has %d sub-folders with clips: expected one a class, at least 2", dir, len(f.classes))
	}
	return nil
}

// clipFiles are the names' ends of files that may hold a clip; those after npy and y4m need the ffmpeg program.
var clipFiles = []string{".gif", ".npy", ".y4m", ".mp4", ".webm", ".avi", ".mkv", ".mov", ".mpg", ".mpeg", ".m4v"}

// addClips lists a clip, or the clips of an .npy file.
func (f *files) addClips(s Split, label int, path string) {
	n := 1
	switch {
	case isDir(path):
	case !slices.Contains(clipFiles, strings.ToLower(filepath.Ext(path))):
		f.add(path, path+": not a clip: expected a folder of frames or "+strings.Join(clipFiles, " "))
		return
	case isNPY(path):
		src, err := clip.Open(path, npySpec, clip.Options{})
		if err != nil {
			f.add(path, err.Error())
			return
		}
		n = src.Len()
		src.Close()
	}
	for item := range n {
		f.split[s] = append(f.split[s], file{label: label, path: path, item: item})
	}
}

// holdOut moves one clip in five of each class, those whose names have the smallest hashes, from train to val.
func (f *files) holdOut() {
	type hashed struct {
		file
		hash uint64
	}
	classes := make([][]hashed, len(f.classes))
	for _, it := range f.split[Train] {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s/%s/%d", f.classes[it.label], filepath.Base(it.path), it.item)
		classes[it.label] = append(classes[it.label], hashed{it, mix(h.Sum64())})
	}
	f.split[Train] = nil
	for _, clips := range classes {
		order := slices.Clone(clips)
		slices.SortFunc(order, func(a, b hashed) int {
			return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.path, b.path), cmp.Compare(a.item, b.item))
		})
		kept := map[file]bool{}
		for _, it := range order[:len(order)/valShare] {
			kept[it.file] = true
		}
		for _, it := range clips {
			s := Train
			if kept[it.file] {
				s = Val
			}
			f.split[s] = append(f.split[s], it.file)
		}
	}
}

// visible returns the names in a folder, sorted, without hidden ones.
func visible(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

package data

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/billnet/billnet/internal/spec"
	"github.com/billnet/billnet/runtime/clip"
)

// Options say what Open makes of a data set.
type Options struct {
	// Size of the clips; the zero value is DefaultSize.
	Size Size
	// How a picture of another shape becomes one of Size. "" = clip.Stretch.
	Mode clip.Mode
	// Files only: variants of a clip are all the clip as it is.
	NoAugment bool
	// Folders only: variants may be mirrored. The label changes to the class whose name has left and right, or
	// clockwise and counterclockwise, exchanged; a class that names a direction without such a partner is not mirrored.
	// Jester is always mirrored, by its own table.
	Mirror bool
}

// Open opens the data set that a text names:
//
//	gestures      the generator, with options classes, seed, train, val, test (see GestureOptions)
//	jester:DIR    the Jester data set
//	folder:DIR    one sub-folder of clips a class; DIR alone is the same, unless it reads as one of the above
//
// Options follow in braces, as in
//
//	gestures{classes=15, seed=7}
//	jester:/data/jester{augment=false}
//	clips{mirror=true, mode=crop}
//
// With frame=first, middle or last each clip shows this one frame all the time: what a network can learn from it is what
// a single picture gives away.
func Open(text string, opt Options) (Source, error) {
	if opt.Size == (Size{}) {
		opt.Size = DefaultSize()
	}
	if err := opt.Size.check(); err != nil {
		return nil, err
	}
	name, args, err := parseSpec(text)
	if err != nil {
		return nil, err
	}
	var src Source
	kind, dir, _ := strings.Cut(name, ":")
	switch {
	case name == "gestures":
		src, err = openGestures(args, opt)
	case kind == "jester":
		if err = args.files(&opt, false); err == nil {
			src, err = OpenJester(dir, opt)
		}
	case kind == "folder":
		name = dir
		fallthrough
	default:
		if err = args.files(&opt, true); err == nil {
			src, err = OpenFolder(name, opt)
		}
	}
	if err != nil {
		return nil, err
	}
	still, ok := args.take("frame")
	if err := args.done(); err != nil {
		return nil, err
	}
	if !ok {
		return src, nil
	}
	return StillFrame(src, still)
}

// arguments are the options of a data set not yet used.
type arguments struct {
	text   string
	values map[string]string
	known  []string // names asked for
}

// parseSpec cuts "name{key=value, key=value}".
func parseSpec(text string) (string, *arguments, error) {
	it, err := spec.ParseOne("--data", "NAME{option=value, ...}", text)
	if err != nil {
		return "", nil, err
	}
	if it.Name == "" {
		return "", nil, fmt.Errorf("data %q names no data set: give gestures, jester:DIR or a folder", text)
	}
	a := &arguments{text: text, values: map[string]string{}}
	for _, o := range it.Options {
		word, ok := o.Value.Word()
		if !ok {
			return "", nil, spec.Errorf(o.Value.Pos, "option %s takes one value, found %s", o.Name, o.Value)
		}
		a.values[o.Name] = word
	}
	return it.Name, a, nil
}

func (a *arguments) take(key string) (string, bool) {
	a.known = append(a.known, key)
	v, ok := a.values[key]
	delete(a.values, key)
	return v, ok
}

// number reads a whole number, at least low.
func (a *arguments) number(key string, low int, to *int) error {
	v, ok := a.take(key)
	if !ok {
		return nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low {
		return fmt.Errorf("data %q: %s=%s is not a whole number of at least %d", a.text, key, v, low)
	}
	*to = n
	return nil
}

func (a *arguments) bool(key string, to *bool) error {
	v, ok := a.take(key)
	if !ok {
		return nil
	}
	if v != "true" && v != "false" {
		return fmt.Errorf("data %q: %s=%s is neither true nor false", a.text, key, v)
	}
	*to = v == "true"
	return nil
}

// done reports an option that nobody took.
func (a *arguments) done() error {
	for key := range a.values {
		return fmt.Errorf("data %q: unknown option %s; there are %s", a.text, key, strings.Join(a.known, ", "))
	}
	return nil
}

// files reads the options of data sets made of files.
func (a *arguments) files(opt *Options, folder bool) error {
	if folder {
		if err := a.bool("mirror", &opt.Mirror); err != nil {
			return err
		}
	}
	augment := !opt.NoAugment
	if err := a.bool("augment", &augment); err != nil {
		return err
	}
	opt.NoAugment = !augment
	if v, ok := a.take("mode"); ok {
		opt.Mode = clip.Mode(v)
	}
	return nil
}

func openGestures(a *arguments, opt Options) (Source, error) {
	var o GestureOptions
	for _, f := range []struct {
		key string
		low int
		to  *int
	}{{"classes", 2, &o.Classes}, {"train", 1, &o.Train}, {"val", 1, &o.Val}, {"test", 1, &o.Test}} {
		if err := a.number(f.key, f.low, f.to); err != nil {
			return nil, err
		}
	}
	if v, ok := a.take("seed"); ok {
		seed, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("data %q: seed=%s is not a whole number below 2^64", a.text, v)
		}
		o.Seed = seed
	}
	return NewGestures(opt.Size, o)
}

// text writes the options of a data set made of files as files reads them.
func (opt Options) text() string {
	var list []string
	if opt.Mirror {
		list = append(list, "mirror=true")
	}
	if opt.NoAugment {
		list = append(list, "augment=false")
	}
	if opt.Mode != "" {
		list = append(list, "mode="+string(opt.Mode))
	}
	if list == nil {
		return ""
	}
	return "{" + strings.Join(list, ", ") + "}"
}

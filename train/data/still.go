package data

import (
	"fmt"
	"strings"
)

// StillFrame returns a source whose clips show one frame of src's clips, "first", "middle" or "last", all the time.
func StillFrame(src Source, which string) (Source, error) {
	at, ok := map[string]int{"first": 0, "middle": src.Size().T / 2, "last": src.Size().T - 1}[which]
	if !ok {
		return nil, fmt.Errorf("frame=%s is none of first, middle, last", which)
	}
	return &still{src, which, at}, nil
}

type still struct {
	Source
	which string
	at    int
}

func (s *still) Name() string {
	name := s.Source.Name()
	if inner, ok := strings.CutSuffix(name, "}"); ok {
		return inner + ", frame=" + s.which + "}"
	}
	return name + "{frame=" + s.which + "}"
}

func (s *still) Clip(split Split, i int, variant uint64, dst []uint8) (int, error) {
	label, err := s.Source.Clip(split, i, variant, dst)
	if err != nil {
		return 0, err
	}
	size := s.Size()
	n := size.H * size.W
	for k := range 3 {
		plane := dst[k*size.T*n:][:size.T*n]
		for t := range size.T {
			if t != s.at {
				copy(plane[t*n:][:n], plane[s.at*n:][:n])
			}
		}
	}
	return label, nil
}

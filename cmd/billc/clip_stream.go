package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/billnet/billnet/train/data"
)

// clipStream is the first line of a stream of clips. Fields may be added.
type clipStream struct {
	Data    string   `json:"data"`
	Split   string   `json:"split"`
	Classes []string `json:"classes"`
	Shape   []int    `json:"shape"` // of a clip
	Clips   int      `json:"clips"` // of the split, -1: without end
}

// stream writes clips to standard output for programs that read them as they come.
func (c *clipsCmd) stream(ctx context.Context, s *streams, src data.Source, split data.Split) error {
	opt := data.LoaderOptions{Split: split, Batch: 1, Once: c.Order == "", Start: c.Skip}
	var err error
	if c.Order != "" {
		if opt.Seed, err = strconv.ParseUint(c.Order, 10, 64); err != nil {
			return withCode(exitUsage, "--order %s, expected a seed: a whole number", c.Order)
		}
	}
	if c.Part != "" {
		part, parts, _ := strings.Cut(c.Part, "/")
		var bad [2]error
		opt.Part, bad[0] = strconv.Atoi(part)
		opt.Parts, bad[1] = strconv.Atoi(parts)
		if errors.Join(bad[:]...) != nil || opt.Parts < 1 || opt.Part < 0 || opt.Part >= opt.Parts {
			return withCode(exitUsage, "--part %s, expected K/M with K from 0 to M-1", c.Part)
		}
	}
	if c.Skip < 0 || c.Variant != 0 {
		return withCode(exitUsage, "a stream takes --skip of 0 or more, and --order in place of --variant")
	}
	if opt.Once && src.Len(split) == data.Endless {
		return withCode(exitUsage, "the %s split of %s is endless: give --order, or bound it (gestures{train=20000})", split, src.Name())
	}
	loader, err := data.NewLoader(src, opt)
	if err != nil {
		return err
	}
	defer loader.Close()
	size := src.Size()
	head, err := json.Marshal(clipStream{src.Name(), split.String(), src.Classes(), []int{3, size.T, size.H, size.W}, max(src.Len(split), -1)})
	if err != nil {
		return err
	}
	if err := s.out.Raw(append(head, '\n')); err != nil {
		return err
	}
	record := make([]byte, 8, 8+size.Bytes())
	for written := 0; c.Clips == 0 || written < c.Clips; written++ {
		b, err := loader.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		binary.LittleEndian.PutUint64(record, uint64(b.Labels[0]))
		if err := s.out.Raw(append(record, b.Clips...)); err != nil {
			return err
		}
	}
	if src.Stats().Skipped > 0 {
		noteData(s, src)
	}
	return nil
}

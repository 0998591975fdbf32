package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/billnet/billnet/internal/infile"
	"github.com/billnet/billnet/train/recipe"
)

// maxLog bounds a log: some bytes for every 20 steps of a run.
const maxLog = 64 << 20

type curvesCmd struct {
	Runs []string `arg:"" help:"Folders of runs (those of billc train --run-dir or of the Python package), or their log.csv." placeholder:"RUN"`
	Out  string   `short:"o" required:"" help:"Picture, .png or .svg." placeholder:"FILE"`
}

func (c *curvesCmd) Help() string {
	return `One run is drawn with a colour a stage, as training does it; several are drawn over one another, a colour a run. Example:

  billc curves go.bill.run python.onnx.run -o curves.svg`
}

func (c *curvesCmd) Run(s *streams) error {
	paths := slices.Clone(c.Runs)
	for i, run := range c.Runs {
		if info, err := os.Stat(run); err == nil && info.IsDir() {
			paths[i] = filepath.Join(run, "log.csv")
		}
	}
	format, err := pictureFormat("-o", c.Out, append([]string{""}, paths...)...) // there is no model
	if err != nil {
		return err
	}
	runs := make([]recipe.NamedLog, len(paths))
	for i, path := range paths {
		b, err := infile.Read(path, maxLog)
		if err != nil {
			return err
		}
		log, err := recipe.ReadLog(bytes.NewReader(b))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		runs[i] = recipe.NamedLog{Name: filepath.ToSlash(c.Runs[i]), Log: log}
	}
	write := func(w io.Writer) error { return recipe.WriteComparison(w, format, runs) }
	if len(runs) == 1 {
		write = func(w io.Writer) error { return recipe.WriteCurves(w, format, runs[0].Log) }
	}
	if err := s.writeFrom(c.Out, write); err != nil {
		return err
	}
	s.wrote(c.Out, "")
	return nil
}

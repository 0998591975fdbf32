package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/billnet/billnet/codegen/c"
	"github.com/billnet/billnet/passes/report"
)

// writeC writes C99 for microcontrollers.
func writeC(_ context.Context, cmd *compileCmd, s *streams, dir string, built *compiled) error {
	files, sizes, err := c.Generate(built.module, c.Options{
		Name:        cmd.Name,
		Layout:      cmd.project,
		MaxMemory:   built.maxMemory,
		Command:     cmd.commandLine(dir),
		Certificate: report.EncodeCertificates(built.certs),
	})
	if err != nil {
		return fmt.Errorf("%s: %w", cmd.Model, err)
	}
	if err := replacePackage(dir, files); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "wrote %s: %d files; memory %d bytes, stack %d, flash about %d (%d of them data)\n", dir, len(files), sizes.Memory, sizes.Stack, sizes.Flash, sizes.Data)
	return nil
}

// commandLine is how the command was called, for the header of what it writes.
func (cmd *compileCmd) commandLine(dir string) string {
	line := fmt.Sprintf("billc compile %s --emit=c -o %s", filepath.Base(cmd.Model), filepath.Base(dir))
	if cmd.Name != "" {
		line += " --name " + cmd.Name
	}
	if cmd.Stream {
		line += " --stream"
	}
	if cmd.MaxMemory != "" {
		line += " --max-memory=" + cmd.MaxMemory
	}
	if layout := strings.Trim(cmd.Layout+","+cmd.project, ","); layout != "" {
		line += " --layout=" + layout
	}
	if len(cmd.Passes) > 0 {
		line += fmt.Sprintf(" --passes='%s'", strings.Join(cmd.Passes, ","))
	}
	return line
}

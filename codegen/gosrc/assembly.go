package gosrc

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// asm is assembly that is being written.
type asm struct{ bytes.Buffer }

// newAssembly begins a file for amd64.
func newAssembly() *asm {
	a := &asm{}
	a.WriteString(header)
	a.line("\n//go:build amd64 && !purego\n\n#include \"textflag.h\"\n")
	return a
}

// op writes an instruction.
func (a *asm) op(format string, args ...any) { fmt.Fprintf(a, "\t"+format+"\n", args...) }

// line writes anything else.
func (a *asm) line(format string, args ...any) { fmt.Fprintf(a, format+"\n", args...) }

// symbol finds the names of this package in a line of assembly: with <> those
// of the file alone.
var symbol = regexp.MustCompile(`·([A-Za-z0-9_]+)|\b([A-Za-z0-9_]+)<>`)

// readAssembly cuts a file of assembly into its functions, with the comments
// before them, and its data.
func (f *sourceFile) readAssembly() {
	var u *unit
	comment := -1 // where the comment before a symbol begins
	at := 0
	for line := range bytes.Lines(f.src) {
		text := string(line)
		word, _, _ := strings.Cut(text, " ")
		switch {
		case strings.HasPrefix(text, "//go:build"):
			f.constraint = strings.TrimSpace(text)
			comment = -1
		case strings.HasPrefix(text, "//"):
			if comment < 0 {
				comment = at
			}
		case word == "TEXT" || word == "DATA" || word == "GLOBL":
			m := symbol.FindStringSubmatch(text)
			if name := m[1] + m[2]; u == nil || u.names[0] != name {
				start := at
				if comment >= 0 {
					start = comment
				}
				u = &unit{file: f, start: start, names: []string{name}, imports: map[string]bool{}, selectors: map[string]bool{}}
				f.units = append(f.units, u)
			}
			comment = -1
		default: // an instruction, an include or an empty line
			comment = -1
		}
		at += len(line)
		if u != nil && comment < 0 && strings.TrimSpace(text) != "" {
			u.end = at
			for _, m := range symbol.FindAllStringSubmatchIndex(text, -1) {
				if m[2] >= 0 { // ·name
					u.mentions = append(u.mentions, mention{at - len(line) + m[2], at - len(line) + m[3], f.pkg, text[m[2]:m[3]]})
				} else {
					u.mentions = append(u.mentions, mention{at - len(line) + m[4], at - len(line) + m[5], f.pkg, text[m[4]:m[5]]})
				}
			}
		}
	}
}

// assembly is the file with the kept units.
func (f *sourceFile) assembly(units []*unit) []byte {
	var b bytes.Buffer
	b.WriteString(header)
	if f.constraint != "" {
		b.WriteString("\n" + f.constraint + "\n")
	}
	b.WriteString("\n#include \"textflag.h\"\n")
	for _, u := range units {
		b.WriteByte('\n')
		b.Write(u.text())
	}
	return b.Bytes()
}

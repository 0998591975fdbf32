package main

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/billnet/billnet/internal/infile"
)

// maxLabels bounds a file of class names.
const maxLabels = 64 << 20

// readLabels reads a file with one class name a line: UTF-8, or UTF-16 behind a
// byte order mark. Blank lines do not count.
func readLabels(path string) ([]string, error) {
	file, err := infile.Read(path, maxLabels)
	if err != nil {
		return nil, err
	}
	text := strings.TrimPrefix(string(file), "\ufeff")
	if len(file) >= 2 && len(file)%2 == 0 {
		switch {
		case file[0] == 0xff && file[1] == 0xfe:
			text = fromUTF16(file[2:], binary.LittleEndian)
		case file[0] == 0xfe && file[1] == 0xff:
			text = fromUTF16(file[2:], binary.BigEndian)
		}
	}
	n := 0
	for l := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		n++
		l = strings.TrimRight(l, "\n")
		if !utf8.ValidString(l) {
			return nil, fmt.Errorf("%s:%d: label %q is not UTF-8, perhaps it is Latin-1: convert the file, for example with: iconv -f latin1 -t utf-8", path, n, l)
		}
		if i := strings.IndexFunc(l, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }); i >= 0 {
			return nil, fmt.Errorf("%s:%d: label %q has a control character: expected text, one name a line", path, n, l)
		}
	}
	labels := lines(text)
	if len(labels) == 0 {
		return nil, fmt.Errorf("%s: no labels in it: expected one a line", path)
	}
	return labels, nil
}

func fromUTF16(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReadLabels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "labels.txt")
	for _, c := range []struct {
		file string
		want []string
		err  string
	}{
		{"a\nb\n", []string{"a", "b"}, ""},
		{"a\r\n\r\n  b c  ", []string{"a", "b c"}, ""},
		{"\ufeffa\nb", []string{"a", "b"}, ""},
		{"caf\u00e9\n\u624b\n", []string{"caf\u00e9", "\u624b"}, ""},
		{"\xff\xfea\x00\n\x00\xe9\x00", []string{"a", "\u00e9"}, ""},
		{"\xfe\xff\x00a\x00\r\x00\n\x62\x4b", []string{"a", "\u624b"}, ""},
		{"a\ncaf\xe9\n", nil, `labels.txt:2: label "caf\xe9" is not UTF-8, perhaps it is Latin-1`},
		{"a\x00\n\x00", nil, "labels.txt:1: label \"a\\x00\" has a control character"},
		{"\x1b[31mred\n", nil, "control character"},
		{"\xff\xfea", nil, "not UTF-8"},
		{"", nil, "no labels"},
		{"\ufeff\n \n", nil, "no labels"},
	} {
		if err := os.WriteFile(path, []byte(c.file), 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := readLabels(path)
		if !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %q, %v; want %q, %q", c.file, got, err, c.want, c.err)
		}
	}
}

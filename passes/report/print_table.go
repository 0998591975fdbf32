package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/billnet/billnet/internal/plain"
)

// printTable writes rows with columns as wide as their widest cell. Where the
// lines would be longer than the given width, 0 for any, the last column is
// broken into lines of its own, and long names in the first are cut.
func printTable(w io.Writer, width int, rows [][]string) {
	last := len(rows[0]) - 1
	wide := make([]int, last) // of every column but the last
	cells := make([][]string, len(rows))
	for i, r := range rows {
		cells[i] = make([]string, len(r))
		for k, c := range r {
			cells[i][k] = plain.Text(c)
			if k < last {
				wide[k] = max(wide[k], utf8.RuneCountInString(cells[i][k]))
			}
		}
	}
	indent := 0
	for _, n := range wide {
		indent += n + 2
	}
	room := 0
	if width > 0 {
		if over := indent + leastLast - width; over > 0 {
			cut := min(over, max(0, wide[0]-leastFirst))
			wide[0] -= cut
			indent -= cut
		}
		if room = width - indent; room < leastLast { // below the row, under its first column
			room, indent = max(width-4, leastLast), 4
		}
	}
	for _, r := range cells {
		var b strings.Builder
		for k, c := range r[:last] {
			c = shortened(c, wide[k])
			fmt.Fprintf(&b, "%s%*s  ", c, wide[k]-utf8.RuneCountInString(c), "")
		}
		lines := broken(r[last], room)
		if indent == 4 && r[last] != "" {
			lines = append([]string{""}, lines...)
		}
		for i, line := range lines {
			if i > 0 {
				fmt.Fprintf(&b, "\n%*s", indent, "")
			}
			b.WriteString(line)
		}
		for line := range strings.SplitSeq(b.String(), "\n") {
			fmt.Fprintln(w, strings.TrimRight(line, " "))
		}
	}
}

// The least room for the first column and for the last.
const (
	leastFirst = 12
	leastLast  = 24
)

// shortened is a text of at most n letters, with its end: the names of layers
// begin alike.
func shortened(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return "…" + string(r[len(r)-n+1:])
}

// broken is a text in lines of at most n letters, 0 for any, as far as its words
// allow it.
func broken(s string, n int) []string {
	if n <= 0 || utf8.RuneCountInString(s) <= n {
		return []string{s}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > n:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

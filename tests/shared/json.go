package shared

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// JSONFields are the fields that docs/json.md lists for the commands of a program,
// sorted, by the title of their section.
func JSONFields(t testing.TB, program string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Root(), "docs", "json.md"))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string][]string{}
	name := regexp.MustCompile("`([a-z_0-9]+)`")
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		if !strings.HasPrefix(title, program+" ") {
			continue
		}
		for line := range strings.Lines(body) {
			if cells := strings.Split(line, "|"); len(cells) > 2 {
				for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
					fields[title] = append(fields[title], m[1])
				}
			}
		}
		slices.Sort(fields[title])
	}
	return fields
}

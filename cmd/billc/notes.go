package main

import (
	"fmt"
	"regexp"
)

// stepName is a name in quotes that ends in a number, as those of a layer that is
// written out step by step do.
var stepName = regexp.MustCompile(`"([^"]*\.)(\d+)"`)

// bySteps joins notes that say the same of several steps into the first of them.
func bySteps(notes []string) []string {
	type group struct {
		at    int
		last  string
		count int
	}
	groups := map[string]*group{}
	var out []string
	for _, n := range notes {
		m := stepName.FindStringSubmatchIndex(n)
		if m == nil {
			out = append(out, n)
			continue
		}
		key := n[:m[4]] + n[m[5]:]
		if g := groups[key]; g != nil {
			g.last, g.count = n[m[2]:m[5]], g.count+1
			continue
		}
		groups[key] = &group{at: len(out), count: 1}
		out = append(out, n)
	}
	for _, g := range groups {
		if g.count > 1 {
			m := stepName.FindStringSubmatchIndex(out[g.at])
			out[g.at] = fmt.Sprintf("%s to %q, %d in all%s", out[g.at][:m[1]], g.last, g.count, out[g.at][m[1]:])
		}
	}
	return out
}

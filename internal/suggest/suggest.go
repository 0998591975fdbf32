// Package suggest finds the word that was most likely meant.
package suggest

import "fmt"

// Nearest returns `; did you mean "x"?` for the candidate that is spelled most
// like name, the first of several, or nothing when none is close.
func Nearest(name string, candidates []string) string {
	best, least := "", len(name)/3+2
	for _, c := range candidates {
		if d := Distance(name, c, least); d < least {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// Distance is the number of letters to insert, delete or replace to turn a into
// b; at least most when their lengths differ by so much already.
func Distance(a, b string, most int) int {
	if d := len(a) - len(b); max(d, -d) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

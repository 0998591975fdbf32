// Package docs_test runs the commands of the documents as a reader would paste them.
package docs_test

import (
	"fmt"
	"strings"
)

// block is a block of commands in a document.
type block struct {
	line  int // of its first command
	lines []string
}

// shells are the languages of fenced blocks that hold commands. An indented block
// always does.
var shells = map[string]bool{"sh": true, "bash": true, "console": true}

// others are the languages of blocks that do not.
var others = map[string]bool{"go": true, "bill": true, "text": true, "json": true, "c": true, "html": true, "js": true, "verilog": true, "python": true}

// blocks returns the blocks of commands of a Markdown text.
func blocks(text string) ([]block, error) {
	var all []block
	fence, indented, before := "", false, ""
	for i, line := range strings.Split(text, "\n") {
		language, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		inside := line
		switch {
		case isFence && fence != "":
			fence = ""
		case isFence:
			if !shells[language] && !others[language] {
				return nil, fmt.Errorf("line %d: the block's language is %q, expected sh for commands, or another's name", i+1, language)
			}
			fence = language
			if shells[language] {
				all = append(all, block{line: i + 2})
			}
		case shells[fence]:
			all[len(all)-1].lines = append(all[len(all)-1].lines, inside)
		case fence != "":
		default:
			rest, ok := strings.CutPrefix(line, "    ")
			begins := ok && (indented || strings.TrimSpace(before) == "")
			if begins && !indented {
				all = append(all, block{line: i + 1})
			}
			if begins {
				all[len(all)-1].lines = append(all[len(all)-1].lines, rest)
			}
			indented = begins
		}
		before = line
	}
	return all, nil
}

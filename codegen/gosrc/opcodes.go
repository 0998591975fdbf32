package gosrc

import (
	"regexp"
	"strconv"

	"github.com/billnet/billnet/runtime/billb"
)

// opcodeTable is how the sources name opcodes.
type opcodeTable struct {
	names map[billb.Opcode]string
}

var (
	opcodeConst = regexp.MustCompile(`^(Op\w+)\s+Opcode\s*=\s*(\d+)`)
	opcodeField = regexp.MustCompile(`Code:\s*(Op\w+),|executes\(billb\.(Op\w+),`)
)

// opcodes reads the table from the constants of package billb.
func (l *library) opcodes() opcodeTable {
	t := opcodeTable{map[billb.Opcode]string{}}
	for _, f := range l.packages[billbSource].files {
		for _, u := range f.units {
			if m := opcodeConst.FindSubmatch(f.src[u.start:u.end]); m != nil {
				n, _ := strconv.Atoi(string(m[2]))
				t.names[billb.Opcode(n)] = string(m[1])
			}
		}
	}
	return t
}

// keep says which registrations an image needs. A blank variable registers the
// operation of its literal, or what executes an opcode; a function init what
// executes those that the variables hold that it mentions.
func (t opcodeTable) keep(img *billb.Image) func(u *unit) bool {
	used := map[string]bool{}
	for _, in := range img.Code {
		used[t.names[in.Op]] = true
	}
	return func(u *unit) bool {
		if u.names[0] == "_" {
			m := opcodeField.FindSubmatch(u.file.src[u.start:u.end])
			return m != nil && (used[string(m[1])] || used[string(m[2])])
		}
		for _, m := range u.mentions {
			for _, table := range m.pkg.decls[m.name] {
				for _, op := range table.mentions {
					if used[op.name] && op.name != m.name {
						return true
					}
				}
			}
		}
		return false
	}
}

package gosrc

import (
	"regexp"
	"strconv"

	"github.com/billnet/billnet/runtime"
)

// opcodeTable is how the runtime's source names its opcodes.
type opcodeTable struct {
	names map[runtime.Opcode]string
}

var (
	opcodeConst = regexp.MustCompile(`^(Op\w+)\s+Opcode\s*=\s*(\d+)`)
	opcodeField = regexp.MustCompile(`code:\s*(Op\w+),`)
)

// opcodes reads the table from the constants of package runtime.
func (l *library) opcodes() opcodeTable {
	t := opcodeTable{map[runtime.Opcode]string{}}
	for _, f := range l.packages[1].files {
		for _, u := range f.units {
			if m := opcodeConst.FindSubmatch(f.src[u.start:u.end]); m != nil {
				n, _ := strconv.Atoi(string(m[2]))
				t.names[runtime.Opcode(n)] = string(m[1])
			}
		}
	}
	return t
}

// keep says which registrations an image needs. A blank variable registers the
// opcode of its literal; a function init those that the variables hold that it
// mentions.
func (t opcodeTable) keep(img *runtime.Image) func(u *unit) bool {
	used := map[string]bool{}
	for _, in := range img.Code {
		used[t.names[in.Op]] = true
	}
	return func(u *unit) bool {
		if u.names[0] == "_" {
			m := opcodeField.FindSubmatch(u.file.src[u.start:u.end])
			return m != nil && used[string(m[1])]
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

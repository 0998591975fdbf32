package gosrc

import "fmt"

// specialize chooses the instructions that get code of their own and returns the
// files of assembly. All others, and all of them on machines without AVX-512, are
// executed by the runtime's kernels.
func (m *model) specialize() map[string][]byte {
	files := map[string][]byte{}
	for i := range m.img.Code {
		if p := newPooled(m.img, i); p != nil {
			m.Pooled = append(m.Pooled, p)
			files[fmt.Sprintf("pool%d_amd64.s", i)] = p.assembly()
		}
		if s := newSplit(m.img, i); s != nil {
			m.Split = append(m.Split, s)
			files[fmt.Sprintf("split%d_amd64.s", i)] = s.assembly()
		}
	}
	m.Unrolled = unroll(m.img)
	for _, u := range m.Unrolled {
		files[fmt.Sprintf("unrolled%d_amd64.s", u.Index)] = u.assembly()
	}
	return files
}

// Special reports whether there is such an instruction.
func (m *model) Special() bool { return len(m.Unrolled)+len(m.Pooled)+len(m.Split) > 0 }

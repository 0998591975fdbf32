//go:build linux || darwin || freebsd || netbsd || openbsd

package runtime

import (
	"syscall"
	"testing"
)

// guarded allocates memory between pages that may not be touched.
type guarded struct {
	atEnd bool // the memory ends where a guard page begins; else it begins where one ends
	maps  [][]byte
	kept  [][]byte // for reuse: whole pages between guard pages
}

func (g *guarded) alloc(t testing.TB, n int) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	size := roundUp(n, align)
	inner := roundUp(max(size, 1), page)
	all, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	g.maps = append(g.maps, all)
	for _, p := range [][]byte{all[:page], all[page+inner:]} {
		if err := syscall.Mprotect(p, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	at := page
	if g.atEnd {
		at = page + inner - size
	}
	return all[at : at+n : at+n]
}

// reuse is memory number k of n bytes; what was number k before is given up.
func (g *guarded) reuse(t testing.TB, k, n int) []byte {
	t.Helper()
	for len(g.kept) <= k {
		g.kept = append(g.kept, nil)
	}
	page := syscall.Getpagesize()
	size := roundUp(n, align)
	if len(g.kept[k]) < size {
		whole := guarded{}
		g.kept[k] = whole.alloc(t, roundUp(max(size, 1<<16), page))
		g.maps = append(g.maps, whole.maps...)
	}
	at := 0
	if g.atEnd {
		at = len(g.kept[k]) - size
	}
	return g.kept[k][at : at+n : at+n]
}

func (g *guarded) free() {
	g.kept = nil
	for _, m := range g.maps {
		syscall.Munmap(m)
	}
	g.maps = nil
}

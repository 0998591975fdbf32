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

func (g *guarded) free() {
	for _, m := range g.maps {
		syscall.Munmap(m)
	}
	g.maps = nil
}

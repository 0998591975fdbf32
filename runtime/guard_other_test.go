//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd

package runtime

import "testing"

type guarded struct{ atEnd bool }

func (g *guarded) alloc(t testing.TB, n int) []byte { return alignedBytes(n) }
func (g *guarded) free()                            {}

func (g *guarded) reuse(t testing.TB, k, n int) []byte { return alignedBytes(n) }

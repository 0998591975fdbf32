//go:build purego || !amd64

package runtime

import (
	"unsafe"

	"github.com/billnet/billnet/runtime/kernels"
)

// There is no assembly for this machine.
const (
	simdISA  = kernels.ISA(255)
	simdRows = 1
	simdCols = 1

	simdPanels = 1
)

func simdTile(sums, a unsafe.Pointer, lda int, panel unsafe.Pointer, rows, k int) {}

func simdWide(sums, a, panels unsafe.Pointer, k int) {}

func simdAddScaled(dst, src, w unsafe.Pointer, n int) {}

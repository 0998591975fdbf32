//go:build purego || !amd64

package runtime

import "github.com/billnet/billnet/runtime/kernels"

// blocking32 has no faster inner loop here.
func blocking32(*kernels.Set) *blocking[float32] { return nil }

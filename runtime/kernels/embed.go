package kernels

import "embed"

// Sources is the source of this package. Generated Go packages and executables
// are built from copies of it.
//
//go:embed *.go *.s
var Sources embed.FS

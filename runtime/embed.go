package runtime

import "embed"

//go:embed *.go *.s
var sources embed.FS

// Sources is the source of this package. Generated Go packages and executables
// are built from copies of it.
func Sources() embed.FS { return sources }

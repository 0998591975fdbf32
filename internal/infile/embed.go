package infile

import "embed"

//go:embed *.go
var sources embed.FS

// Sources is the source of this package. Generated executables are built from a
// copy of it.
func Sources() embed.FS { return sources }

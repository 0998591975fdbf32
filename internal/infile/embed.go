package infile

import "embed"

// Sources is the source of this package. Generated executables are built from a
// copy of it.
//
//go:embed *.go
var Sources embed.FS

// Package cmd holds the source of the programs that others are made from: an
// executable that the compiler builds from a model reads clips and prints
// results with the declarations of billrun.
package cmd

import "embed"

// Sources holds the folder billrun.
//
//go:embed billrun/*.go
var Sources embed.FS

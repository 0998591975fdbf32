package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/billnet/billnet/tests/golden/script"
)

// TestMain makes billc a command of the scripts: the test binary itself.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"billc": main})
}

// TestScripts runs testdata/*.txtar; -update rewrites what they compare with.
func TestScripts(t *testing.T) {
	testscript.Run(t, script.Params("testdata", ""))
}

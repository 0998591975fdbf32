package lossy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/billnet/billnet/ir"
)

// QuantizedNet is a random float network, convolutional or recurrent, after the
// passes that quantize it.
func QuantizedNet(t testing.TB, seed uint64) *ir.Module {
	t.Helper()
	m, pass := randomQuantNet(t, seed), fmt.Sprintf("quantize{bits=%d}", 2+seed%7)
	if seed%2 == 1 {
		c := randomRecurrentNet(rand.New(rand.NewPCG(seed, 2)))
		m, pass = c.build(t, seed), c.pass()
	}
	runOnClips(t, m, "fold-constants, "+pass, randomClips(m, 3))
	return m
}

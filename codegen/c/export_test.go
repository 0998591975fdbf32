package c

import (
	"fmt"
	"strings"

	"github.com/billnet/billnet/ir"
)

// Expected is what testdata/boards/clips.c prints of a clip when it is compiled for the self-test: the elements of the
// first output and the checksums of all layers.
func Expected(m *ir.Module, opt Options, clip *ir.Tensor) (string, error) {
	g, err := prepare(m, opt)
	if err != nil {
		return "", err
	}
	sums, out, err := g.evaluate(m.Main(), []*ir.Tensor{clip})
	if err != nil {
		return "", err
	}
	var words []string
	for i := range out.Len() {
		words = append(words, fmt.Sprintf("%x", word(out, i)))
	}
	for _, s := range sums {
		words = append(words, fmt.Sprintf("%x", s))
	}
	return strings.Join(words, " "), nil
}

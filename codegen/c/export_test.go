package c

import (
	"fmt"
	"strings"

	"github.com/billnet/billnet/ir"
)

// Expected is what testdata/boards/clips.c prints of a clip, or of frames one after the other, when it is compiled for the self-test: the elements of the
// first output and the checksums of all layers.
func Expected(m *ir.Module, opt Options, runs ...*ir.Tensor) (string, error) {
	g, err := prepare(m, opt)
	if err != nil {
		return "", err
	}
	var in [][]*ir.Tensor
	for _, x := range runs {
		in = append(in, []*ir.Tensor{x})
	}
	sums, out, err := g.evaluate(m, in)
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

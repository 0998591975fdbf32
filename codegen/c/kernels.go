package c

import "embed"

//go:embed kernels/*.c
var kernelFiles embed.FS

// kernelOrder is the kernels in an order in which each comes after those it needs.
var kernelOrder = []string{"map", "window", "rows_needed", "bits_at", "put", "popcount", "popcount_two", "distance", "bit_conv", "bit_point", "int_conv", "bit_pool", "round_even", "to_int", "ternary_words", "larger", "smaller", "unit_line"}

// needs are the kernels that a kernel uses.
var needs = map[string][]string{
	"rows_needed":   {"map", "window"},
	"put":           {"map"},
	"bits_at":       {"map"},
	"distance":      {"popcount"},
	"bit_conv":      {"map", "window", "bits_at", "put", "popcount_two", "distance"},
	"bit_point":     {"map", "window"},
	"int_conv":      {"map", "window", "put"},
	"bit_pool":      {"map", "window", "bits_at"},
	"ternary_words": {"popcount"},
}

// kernel is the text of a kernel.
func kernel(name string) string {
	b, err := kernelFiles.ReadFile("kernels/" + name + ".c")
	if err != nil {
		panic("c: no kernel " + name)
	}
	return string(b)
}

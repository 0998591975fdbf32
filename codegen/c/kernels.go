package c

import (
	"embed"
	"strings"
	"text/template"
)

// kernelFiles are templates, of the generator's choices.
//
//go:embed kernels/*.c
var kernelFiles embed.FS

// kernelOrder is the kernels in an order in which each comes after those it needs.
var kernelOrder = []string{"map", "window", "rows_needed", "bits_at", "put", "popcount", "popcount_two", "distance", "bit_conv", "bit_point", "int_conv", "bit_pool", "round_even", "quantized", "to_int", "floor_of", "sqrt_of", "power_of_two", "exp_near", "exp_of", "exp_less_one", "tanh_of", "sigmoid", "log_ratio", "log_of", "dot_float", "ternary_words", "larger", "smaller", "unit_line", "softplus", "on_grid"}

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
	"quantized":     {"round_even"},
	"exp_of":        {"exp_near", "power_of_two"},
	"exp_less_one":  {"exp_near", "power_of_two"},
	"tanh_of":       {"exp_less_one"},
	"sigmoid":       {"exp_of"},
	"log_of":        {"log_ratio"},
	"on_grid":       {"round_even", "floor_of"},
	"softplus":      {"exp_of", "log_ratio", "larger"},
}

// kernel is the text of a kernel.
func (g *generator) kernel(name string) string {
	t, err := template.ParseFS(kernelFiles, "kernels/"+name+".c")
	if err != nil {
		panic("c: BUG: kernel " + name + ": " + err.Error())
	}
	var b strings.Builder
	if err := t.Execute(&b, struct{ Causal bool }{g.causal}); err != nil {
		panic("c: BUG: kernel " + name + ": " + err.Error())
	}
	return b.String()
}

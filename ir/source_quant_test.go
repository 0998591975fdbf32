package ir_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestBipolarQuant(t *testing.T) {
	wantBody(t, "%1 = const [-1, -0, 0, 3, nan, -1e-45] : f32[6]\n%2 = const [0.5] : f32[]\n%3 = bipolar_quant %1, %2 : f32[6]\nreturn %3 \"y\"", 0, "-0.5, 0.5, 0.5, 0.5, -0.5, -0.5")
	wantBody(t, "%1 = const [-1, 1, -1, 1] : f32[2,2]\n%2 = const [1, 2] : f32[2,1]\n%3 = bipolar_quant %1, %2 : f32[2,2]\nreturn %3 \"y\"", 0, "-1, 1, -2, 2")
}

// quantBody applies op to numbers and one-element parameters; NaN leaves one out.
func quantBody(op, numbers, attrs string, params ...float64) string {
	n := len(strings.Split(numbers, ","))
	b, args := fmt.Sprintf("%%x = const [%s] : f32[%d]\n", numbers, n), "%x"
	for i, p := range params {
		if math.IsNaN(p) {
			args += ", _"
			continue
		}
		b += fmt.Sprintf("%%p%d = const [%v] : f32[]\n", i, p)
		args += fmt.Sprintf(", %%p%d", i)
	}
	if attrs != "" {
		attrs = " {" + attrs + "}"
	}
	return b + fmt.Sprintf("%%y = %s %s%s : f32[%d]\nreturn %%y \"y\"", op, args, attrs, n)
}

func TestQuantRanges(t *testing.T) {
	const x = "-100, -4, -3.6, 0, 3.4, 3.6, 100"
	for _, c := range []struct {
		attrs string
		bits  float64
		want  string
	}{
		{"", 3, "-4, -4, -4, 0, 3, 3, 3"},
		{"narrow=true", 3, "-3, -3, -3, 0, 3, 3, 3"},
		{"signed=false", 2, "0, 0, 0, 0, 3, 3, 3"},
		{"signed=false, narrow=true", 2, "0, 0, 0, 0, 2, 2, 2"},
		{"", 2, "-2, -2, -2, 0, 1, 1, 1"},
		{"narrow=true", 2, "-1, -1, -1, 0, 1, 1, 1"}, // ternary
		{"", 1, "-1, -1, -1, 1, 1, 1, 1"},            // bipolar
		{"signed=false", 1, "0, 0, 0, 0, 1, 1, 1"},
	} {
		wantBody(t, quantBody("quant", x, c.attrs, 1, 0, c.bits), 0, c.want)
	}
	// A scale and a zero point: (round(clamp(x/0.5 + 2, -8, 7)) - 2)*0.5.
	wantBody(t, quantBody("quant", "-9, -0.5, 0.25, 0.75, 9, nan", "", 0.5, 2, 4), 0, "-5, -0.5, 0, 1, 2.5, nan")
	// A channel's own scale and bits.
	wantBody(t, "%1 = const [0.3, 9, 0.3, 9] : f32[2,2]\n%2 = const [0.5, 2] : f32[2,1]\n%3 = const [0] : f32[]\n%4 = const [2, 4] : i32[2,1]\n%5 = quant %1, %2, %3, %4 : f32[2,2]\nreturn %5 \"y\"", 0, "0.5, 0.5, 0, 8")
	failsBody(t, quantBody("quant", "1", "rounding=\"SIDEWAYS\"", 1, 0, 8), "unknown rounding \"SIDEWAYS\"")
	failsBody(t, "%1 = const [1] : f32[1]\n%2 = const [1, 1] : f32[2]\n%3 = quant %1, %2, %1, %1 : f32[1]\nreturn %3 \"y\"", "scale is f32[2]")
}

func TestQuantRounding(t *testing.T) {
	const x = "-2.5, -1.75, -1.5, -0.5, -0.25, 0.25, 0.5, 1.5, 1.75, 2.5"
	for mode, want := range map[string]string{
		"ROUND":         "-2, -2, -2, 0, 0, 0, 0, 2, 2, 2",
		"HALF_EVEN":     "-2, -2, -2, 0, 0, 0, 0, 2, 2, 2",
		"CEIL":          "-2, -1, -1, 0, 0, 1, 1, 2, 2, 3",
		"FLOOR":         "-3, -2, -2, -1, -1, 0, 0, 1, 1, 2",
		"UP":            "-3, -2, -2, -1, -1, 1, 1, 2, 2, 3",
		"DOWN":          "-2, -1, -1, 0, 0, 0, 0, 1, 1, 2",
		"ROUND_TO_ZERO": "-2, -1, -1, 0, 0, 0, 0, 1, 1, 2",
		"HALF_UP":       "-3, -2, -2, -1, 0, 0, 1, 2, 2, 3",
		"HALF_DOWN":     "-2, -2, -1, 0, 0, 0, 0, 1, 2, 2",
	} {
		wantBody(t, quantBody("quant", x, fmt.Sprintf("rounding=%q", mode), 1, 0, 8), 0, want)
	}
}

func TestTruncQuant(t *testing.T) {
	left := math.NaN() // out
	// First version: from 8 to 6 bits is a division by 4, on the same scale.
	wantBody(t, quantBody("trunc_quant", "-5, -4, 3, 6, 7", "", 1, 0, 8, left, 6), 0, "-2, -1, 0, 1, 1")
	wantBody(t, quantBody("trunc_quant", "-5, -4, 3, 6, 7", "rounding=\"ROUND\"", 1, 0, 8, left, 6), 0, "-1, -1, 1, 2, 2")
	wantBody(t, quantBody("trunc_quant", "1.5, 3.5", "", 0.5, 1, 8, left, 7), 0, "0.5, 1.5")
	// Second version: the output has its own scale and is clamped to its bits.
	wantBody(t, quantBody("trunc_quant", "-5, -4, 3, 6, 100", "", 1, 0, 8, 4, 3), 0, "-8, -4, 0, 4, 12")
	wantBody(t, quantBody("trunc_quant", "-5, 6, 100", "signed=false", 1, 0, 8, 4, 3), 0, "0, 4, 28")
	failsBody(t, quantBody("trunc_quant", "1", "", 1, 0, 8), "operands")
}

func TestQuantizeLinear(t *testing.T) {
	wantBody(t, "%1 = const [0, 1, 3, 5, 1000, -1000, nan] : f32[7]\n%2 = const [2] : f32[]\n%3 = const [-3] : i8[]\n%4 = quantize_linear %1, %2 : u8[7]\n%5 = quantize_linear %1, %2, %3 : i8[7]\nreturn %4 \"a\", %5 \"b\"", 0,
		"0, 0, 2, 2, 255, 0, 0", "-3, -3, -1, -1, 127, -128, -3")
	const x = "%1 = const [1, 2, 3, 4, 5, 6] : f32[2,3]\n"
	wantBody(t, x+"%2 = const [1, 2, 4] : f32[3]\n%3 = const [0, 10, 20] : u8[3]\n%4 = quantize_linear %1, %2, %3 : u8[2,3]\n%5 = dequantize_linear %4, %2, %3 : f32[2,3]\nreturn %4 \"a\", %5 \"b\"", 0,
		"1, 11, 21, 4, 12, 22", "1, 2, 4, 4, 4, 8")
	wantBody(t, x+"%2 = const [1, 2] : f32[2]\n%4 = quantize_linear %1, %2 {axis=-2, to=\"i16\"} : i16[2,3]\nreturn %4 \"y\"", 0, "1, 2, 3, 2, 2, 3")
	// Blocks of two along the columns: scales 1 1 10, then 2 2 20.
	wantBody(t, "%1 = const [2, 4, 6, 8, 10, 12] : u8[2,3]\n%2 = const [1, 10, 2, 20] : f32[2,2]\n%3 = dequantize_linear %1, %2 {block_size=2} : f32[2,3]\nreturn %3 \"y\"", 0, "2, 4, 60, 16, 20, 240")
	failsBody(t, x+"%2 = const [1, 2] : f32[2]\n%3 = quantize_linear %1, %2 : u8[2,3]\nreturn %3 \"y\"", "expected one, or 3 for axis 1")
	failsBody(t, x+"%2 = const [1] : f32[]\n%3 = const [1] : u8[1]\n%4 = quantize_linear %1, %2, %3 : u8[2,3]\nreturn %4 \"y\"", "expected scale's shape")
	failsBody(t, x+"%2 = const [1] : f32[]\n%3 = quantize_linear %1, %2 {to=\"f32\"} : f32[2,3]\nreturn %3 \"y\"", "expected an integer type")
	wantBody(t, "%1 = const [0, 0] : f32[2]\n%2, %3, %4 = dynamic_quantize_linear %1 : u8[2], f32[], u8[]\nreturn %2 \"a\", %3 \"b\", %4 \"c\"", 0, "0, 0", "1", "0")
	wantBody(t, "%1 = const [-1, 4.1] : f32[2]\n%2, %3, %4 = dynamic_quantize_linear %1 : u8[2], f32[], u8[]\nreturn %2 \"a\", %3 \"b\", %4 \"c\"", 1e-7, "0, 255", "0.02", "50")
}

func TestIntegerProducts(t *testing.T) {
	// Padding is the zero point: it adds nothing.
	wantBody(t, "%1 = const [5, 7, 9] : u8[1,1,3]\n%2 = const [3, 4, 1, 2] : i8[2,1,2]\n%3 = const [6] : u8[]\n%4 = const [1, 2] : i8[2]\n%5 = conv_integer %1, %2, %3, %4 {pad=[1,0]} : i32[1,2,3]\nreturn %5 \"y\"", 0,
		"-3, 1, 11, 0, 1, -1")
	wantBody(t, "%1 = const [5, 7, 9, 11] : u8[2,2]\n%2 = const [1, 2, 3, 4] : u8[2,2]\n%3 = const [5, 10] : u8[2]\n%4 = const [0, 2] : u8[2]\n%5 = matmul_integer %1, %2, %3, %4 : i32[2,2]\nreturn %5 \"y\"", 0,
		"6, 4, 2, 2") // rows (0,2) and (-1,1), columns (1,3) and (0,2)
	failsBody(t, "%1 = const [1] : i64[1,1]\n%2 = matmul_integer %1, %1 : i32[1,1]\nreturn %2 \"y\"", "at most 32 bits")
	// 0.5*0.5/0.25 is 1: the sums, each plus 1 and then the zero point 3, saturated.
	const conv = "%1 = const [2, 3, 100] : u8[1,1,3]\n%2 = const [0.5] : f32[]\n%3 = const [1] : u8[]\n%4 = const [1, -2] : i8[1,1,2]\n%5 = const [0] : i8[]\n%6 = const [0.25] : f32[]\n%7 = const [3] : u8[]\n%8 = const [1] : i32[1]\n"
	wantBody(t, conv+"%9 = qlinear_conv %1, %2, %3, %4, %2, %5, %6, %7, %8 {pad=[1,0]} : u8[1,1,3]\nreturn %9 \"y\"", 0, "2, 1, 0")
	wantBody(t, conv+"%9 = const [1] : f32[1]\n%10 = qlinear_conv %1, %2, %3, %4, %9, %5, %6, %7 {stride=[2], pad=[0,1]} : u8[1,1,2]\nreturn %10 \"y\"", 0, "0, 201")
	// Halves go to even: sums 1 and 3 at scale 1/2.
	wantBody(t, "%1 = const [1, 3] : i8[2,1]\n%2 = const [1] : f32[]\n%3 = const [0] : i8[]\n%4 = const [1] : i8[1,1]\n%5 = const [2] : f32[]\n%6 = qlinear_matmul %1, %2, %3, %4, %2, %3, %5, %3 : i8[2,1]\nreturn %6 \"y\"", 0, "0, 2")
	failsBody(t, conv+"%9 = const [1, 1] : f32[2]\n%10 = qlinear_conv %1, %9, %3, %4, %2, %5, %6, %7 : u8[1,1,2]\nreturn %10 \"y\"", "x_scale is f32[2], expected one float")
}

// quantLSTMBody is a cell with one input and one hidden unit, all weights 1 and
// biases 0, and one quantizer for everything: the given scale with 8 bits.
func quantLSTMBody(x, shape, c0, scale, attrs, results string) string {
	args := "%x, %h, %c"
	for range 8 {
		args += ", %w"
	}
	for range 4 {
		args += ", %z"
	}
	for range 11 {
		args += ", %s, %z, %b"
	}
	return "%x = const [" + x + "] : f32[" + shape + "]\n%h = const [0] : f32[1,1]\n%c = const [" + c0 + "] : f32[1,1]\n%w = const [1] : f32[1,1]\n%z = const [0] : f32[]\n%s = const [" + scale + "] : f32[]\n%b = const [8] : f32[]\n" +
		"%1, %2, %3 = quant_lstm_cell " + args + attrs + " : " + results + "\nreturn %1 \"y\", %2 \"y_h\", %3 \"y_c\""
}

func TestQuantLSTMCell(t *testing.T) {
	const one = "f32[1,1,1], f32[1,1], f32[1,1]"
	// On a grid of 1/64: sigmoid(1) = 0.731 is 47/64, tanh(1) = 0.762 is 49/64,
	// 47/64*49/64 = 0.5623 is 36/64, tanh(36/64) = 0.510 is 33/64, and
	// 47/64*33/64 = 0.379 is 24/64.
	wantBody(t, quantLSTMBody("1", "1,1,1", "0", "0.015625", "", one), 0, "0.375", "0.375", "0.5625")
	// The forget gate keeps 47/64 of c = 1: C = 83/64, its tanh 0.861 is 55/64, H
	// is 40/64. With cifg it keeps 1 - 47/64 = 17/64: C = 53/64, tanh 0.679 is
	// 43/64, H is 32/64.
	wantBody(t, quantLSTMBody("1", "1,1,1", "1", "0.015625", "", one), 0, "0.625", "0.625", "1.296875")
	wantBody(t, quantLSTMBody("1", "1,1,1", "1", "0.015625", " {cifg=true}", one), 0, "0.5", "0.5", "0.828125")
	// Two steps: the state of the step that comes last.
	forward, err := evalBody(quantLSTMBody("1, -1", "2,1,1", "0", "0.015625", "", "f32[2,1,1], f32[1,1], f32[1,1]"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ x, shape, attrs, results string }{
		{"-1, 1", "2,1,1", " {reverse_input=true}", "f32[2,1,1], f32[1,1], f32[1,1]"},
		{"-1, 1", "1,2,1", " {batch_first=true, reverse_input=true}", "f32[1,2,1], f32[1,1], f32[1,1]"},
	} {
		back, err := evalBody(quantLSTMBody(c.x, c.shape, "0", "0.015625", c.attrs, c.results))
		if err != nil {
			t.Fatal(err)
		}
		if f, b := forward[0].Floats(), back[0].Floats(); f[0] != b[1] || f[1] != b[0] || f[1] != back[1].Float32(0) || forward[2].Float32(0) != back[2].Float32(0) {
			t.Errorf("%s: y %v, y_h %v, y_c %v; forward %v, %v, %v", c.attrs, b, back[1].Floats(), back[2].Floats(), f, forward[1].Floats(), forward[2].Floats())
		}
	}
	failsBody(t, quantLSTMBody("1", "1,1,1", "0", "1", " {signed=[1]}", one), "1 of signed")
	failsBody(t, quantLSTMBody("1", "1,1", "0", "1", "", one), "expected floats with 3 axes")
}

package ir_test

import (
	"math"
	"testing"

	"github.com/billnet/billnet/ir"
)

func TestArithmetic(t *testing.T) {
	binary(t, "sub", "f32", "f32", "1, inf, 3", "2, inf, nan", "-1, nan, nan")
	binary(t, "sub", "u8", "u8", "0, 255", "1, 255", "255, 0")
	binary(t, "mul", "i8", "i8", "64, -128, -1", "2, -1, 3", "-128, -128, -3")
	binary(t, "mul", "f16", "f16", "300, 0.1", "300, 3", "inf, 0.2998046875")
	binary(t, "add", "bf16", "bf16", "256, 1", "1, 0.00390625", "256, 1") // halves go to even
	binary(t, "div", "i32", "i32", "7, -7, 7, -7, -2147483648", "2, 2, -2, -2, -1", "3, -3, -3, 3, -2147483648")
	binary(t, "div", "f32", "f32", "1, -1, 0", "0, 0, 0", "inf, -inf, nan")
	failsBody(t, "%1 = const [1, 2] : i32[2]\n%2 = const [1, 0] : i32[2]\n%3 = div %1, %2 : i32[2]\nreturn %3 \"y\"", "element 1 of b is 0")
	binary(t, "pow", "f32", "f32", "2, -8, 0, 4", "10, 3, 0, -0.5", "1024, -512, 1, 0.5")
	binary(t, "pow", "i32", "i32", "3, -1, 1, 2, 7, -2, -1", "4, -3, -2, -1, 0, 31, -4", "81, -1, 1, 0, 1, -2147483648, 1")
	failsBody(t, "%1 = const [0] : i32[1]\n%2 = const [-1] : i32[1]\n%3 = pow %1, %2 : i32[1]\nreturn %3 \"y\"", "element 0 is 0 to the power -1")
	wantBody(t, "%1 = const [2, 3] : i32[2]\n%2 = const [0.5] : f32[]\n%3 = pow %1, %2 : i32[2]\nreturn %3 \"y\"", 0, "1, 1")
	failsBody(t, "%1 = const [1] : f32[1]\n%2 = const [1] : i32[1]\n%3 = sub %1, %2 : f32[1]\nreturn %3 \"y\"", "expected equal element types")
	failsBody(t, "%1 = const [1, 2] : f32[2]\n%2 = const [1, 2, 3] : f32[3]\n%3 = mul %1, %2 : f32[3]\nreturn %3 \"y\"", "do not broadcast")
}

func TestComparisons(t *testing.T) {
	const a, b = "1, 2, 3, nan, 0, inf", "2, 2, 2, nan, -0, nan"
	for op, want := range map[string]string{
		"greater": "0, 0, 1, 0, 0, 0", "greater_or_equal": "0, 1, 1, 0, 1, 0",
		"less": "1, 0, 0, 0, 0, 0", "less_or_equal": "1, 1, 0, 0, 1, 0", "equal": "0, 1, 0, 0, 1, 0",
	} {
		binary(t, op, "f32", "bool", a, b, want)
		binary(t, op, "f64", "bool", a, b, want)
	}
	binary(t, "greater", "i64", "bool", "9007199254740993, -1", "9007199254740992, 0", "1, 0") // not through floats
	binary(t, "equal", "sbit", "bool", "1, -1", "1, 1", "1, 0")
	binary(t, "equal", "bool", "bool", "1, 0", "1, 1", "1, 0")
}

func TestBooleans(t *testing.T) {
	binary(t, "and", "bool", "bool", "0, 0, 1, 1", "0, 1, 0, 1", "0, 0, 0, 1")
	binary(t, "or", "bool", "bool", "0, 0, 1, 1", "0, 1, 0, 1", "0, 1, 1, 1")
	binary(t, "xor", "bool", "bool", "0, 0, 1, 1", "0, 1, 0, 1", "0, 1, 1, 0")
	unary(t, "not", "", "bool", "bool", "0, 1", 0, "1, 0")
	failsBody(t, "%1 = const [1] : i8[1]\n%2 = not %1 : i8[1]\nreturn %2 \"y\"", "not defined for that element type")
}

func TestUnary(t *testing.T) {
	unary(t, "sign", "", "f32", "f32", "-0.5, -0, 0, 1e-45, -inf, nan", 0, "-1, 0, 0, 1, -1, nan")
	unary(t, "sign", "", "i8", "i8", "-128, 0, 5", 0, "-1, 0, 1")
	unary(t, "abs", "", "f32", "f32", "-1.5, inf, -inf, nan", 0, "1.5, inf, inf, nan")
	unary(t, "abs", "", "i8", "i8", "-128, -3", 0, "-128, 3")
	unary(t, "neg", "", "i16", "i16", "-32768, 3", 0, "-32768, -3")
	unary(t, "relu", "", "f32", "f32", "-1, 0, 2, inf, -inf, nan", 0, "0, 0, 2, inf, 0, nan")
	unary(t, "round", "", "f32", "f32", "0.5, 1.5, 2.5, -0.5, -1.5, 8388609, nan", 0, "0, 2, 2, 0, -2, 8388609, nan")
	unary(t, "ceil", "", "f64", "f64", "-1.5, 1.00000001", 0, "-1, 2")
	unary(t, "floor", "", "f16", "f16", "-1.5, 1.5", 0, "-2, 1")
	unary(t, "sqrt", "", "f32", "f32", "4, 2, -1", 1e-7, "2, 1.41421356, nan")
	unary(t, "exp", "", "f32", "f32", "0, 1, -inf, 100", 1e-7, "1, 2.718281828, 0, inf")
	unary(t, "log", "", "f32", "f32", "1, 0, -1, 10", 1e-7, "0, -inf, nan, 2.302585093")
	unary(t, "sigmoid", "", "f32", "f32", "0, 1, -1, 200, -200, nan", 1e-7, "0.5, 0.7310585786, 0.2689414214, 1, 0, nan")
	unary(t, "tanh", "", "f32", "f32", "0, 0.5, -100", 1e-7, "0, 0.4621171573, -1")
	unary(t, "reciprocal", "", "f32", "f32", "4, -inf, 0", 0, "0.25, 0, inf")
	unary(t, "leaky_relu", "{alpha=0.25}", "f32", "f32", "-4, 4", 0, "-1, 4")
	unary(t, "elu", "{alpha=2}", "f32", "f32", "-1, 3", 1e-7, "-1.264241118, 3")
	unary(t, "hard_sigmoid", "{alpha=0.5, beta=0.25}", "f32", "f32", "-1, 0, 1, 2", 0, "0, 0.25, 0.75, 1")
	unary(t, "hard_swish", "", "f32", "f32", "-3, -1, 1, 3, 4", 1e-7, "0, -0.3333333333, 0.6666666667, 3, 4")
	wantBody(t, "%1 = const [-2, 2, -3, 3] : f32[2,2]\n%2 = const [0.5, 10] : f32[2]\n%3 = prelu %1, %2 : f32[2,2]\nreturn %3 \"y\"", 0, "-1, 2, -1.5, 3")
	failsBody(t, "%1 = const [1, 2] : f32[2]\n%2 = const splat 1 : f32[3,2]\n%3 = prelu %1, %2 : f32[3,2]\nreturn %3 \"y\"", "broadcasts to x")
	failsBody(t, "%1 = const [1] : u8[1]\n%2 = neg %1 : u8[1]\nreturn %2 \"y\"", "not defined")
}

func TestVariadic(t *testing.T) {
	const three = "%1 = const [1, nan, -5] : f32[3]\n%2 = const [2, 2, 2] : f32[3]\n%3 = const [0, 7] : f32[2,1]\n"
	wantBody(t, three+"%4 = max %1, %2, %3 : f32[2,3]\nreturn %4 \"y\"", 0, "2, nan, 2, 7, nan, 7")
	wantBody(t, three+"%4 = min %1, %2, %3 : f32[2,3]\nreturn %4 \"y\"", 0, "0, nan, -5, 1, nan, -5")
	wantBody(t, three+"%4 = sum %1, %2, %3 : f32[2,3]\nreturn %4 \"y\"", 0, "3, nan, -3, 10, nan, 4")
	wantBody(t, three+"%4 = mean %1, %2, %3 : f32[2,3]\nreturn %4 \"y\"", 1e-7, "1, nan, -1, 3.3333333, nan, 1.3333333")
	wantBody(t, "%1 = const [3] : u8[1]\n%2 = max %1 : u8[1]\nreturn %2 \"y\"", 0, "3")
	failsBody(t, "%1 = max : f32[]\nreturn %1 \"y\"", "at least 1")
}

func TestClip(t *testing.T) {
	const x = "%1 = const [-3, -1, 0, 1, 3, nan] : f32[6]\n%2 = const [-1] : f32[]\n%3 = const [2] : f32[1]\n%4 = const [nan] : f32[]\n"
	wantBody(t, x+"%5 = clip %1, %2, %3 : f32[6]\nreturn %5 \"y\"", 0, "-1, -1, 0, 1, 2, nan")
	wantBody(t, x+"%5 = clip %1, _, %3 : f32[6]\nreturn %5 \"y\"", 0, "-3, -1, 0, 1, 2, nan")
	wantBody(t, x+"%5 = clip %1, %2 : f32[6]\nreturn %5 \"y\"", 0, "-1, -1, 0, 1, 3, nan")
	wantBody(t, x+"%5 = clip %1, %3, %2 : f32[6]\nreturn %5 \"y\"", 0, "-1, -1, -1, -1, -1, nan")
	wantBody(t, x+"%5 = clip %1, %4, %4 : f32[6]\nreturn %5 \"y\"", 0, "-3, -1, 0, 1, 3, nan")
	wantBody(t, x+"%5 = clip %1 : f32[6]\nreturn %5 \"y\"", 0, "-3, -1, 0, 1, 3, nan")
	failsBody(t, x+"%5 = clip %1, %1 : f32[6]\nreturn %5 \"y\"", "min is f32[6], expected one f32")
}

func TestWhere(t *testing.T) {
	wantBody(t, "%1 = const [1, 0] : bool[2,1]\n%2 = const [5, 6] : u8[2]\n%3 = const [9] : u8[]\n%4 = where %1, %2, %3 : u8[2,2]\nreturn %4 \"y\"", 0, "5, 6, 9, 9")
	failsBody(t, "%1 = const [1] : u8[1]\n%2 = where %1, %1, %1 : u8[1]\nreturn %2 \"y\"", "expected bool")
}

func TestCast(t *testing.T) {
	unary(t, "cast", `{to="i8"}`, "f32", "i8", "-1.9, 1.9, 300, -300, nan, inf", 0, "-1, 1, 127, -128, 0, 127")
	unary(t, "cast", `{to="u8"}`, "i32", "u8", "-1, 256, 255", 0, "255, 0, 255")
	unary(t, "cast", `{to="bool"}`, "f32", "bool", "0, -0, 0.1, nan", 0, "0, 0, 1, 1")
	unary(t, "cast", `{to="bool"}`, "i64", "bool", "0, 256, -1", 0, "0, 1, 1")
	unary(t, "cast", `{to="f32"}`, "sbit", "f32", "1, -1", 0, "1, -1")
	unary(t, "cast", `{to="f32"}`, "bool", "f32", "1, 0", 0, "1, 0")
	unary(t, "cast", `{to="f16"}`, "f32", "f16", "65519, 65520, 1e-8, 2049", 0, "65504, inf, 0, 2048")
	failsBody(t, "%1 = const [1] : f32[1]\n%2 = cast %1 {to=\"sbit\"} : sbit[1]\nreturn %2 \"y\"", "float, integer or bool")
	failsBody(t, "%1 = const [1] : f32[1]\n%2 = cast %1 {to=\"int\"} : i32[1]\nreturn %2 \"y\"", "\"int\"")
}

// A float64 just above the middle of two float16 or bfloat16 neighbours rounds
// up; through a plain float32 it would land on the middle and go to even.
func TestCastRoundsOnce(t *testing.T) {
	for _, c := range []struct {
		to   string
		step float64 // of the type at 1
	}{{"f16", 0x1p-10}, {"bf16", 0x1p-7}} {
		for _, v := range []struct{ x, want float64 }{
			{1 + c.step/2, 1}, {1 + c.step/2 + 0x1p-40, 1 + c.step}, {1 + c.step/2 - 0x1p-40, 1}, {-1 - c.step/2 - 0x1p-40, -1 - c.step},
			{1 + 3*c.step/2, 1 + 2*c.step}, {1 + 3*c.step/2 - 0x1p-40, 1 + c.step}, {math.Inf(1), math.Inf(1)}, {1e300, math.Inf(1)}, {1e-300, 0},
		} {
			in := ir.NewTensor(ir.T(ir.F64))
			in.Doubles()[0] = v.x
			n, err := ir.NewNode(ir.Cast, []*ir.Value{{Type: in.Type}}, map[string]any{"to": c.to}, ir.Loc{})
			if err != nil {
				t.Fatal(err)
			}
			out, err := ir.EvalNode(n, []*ir.Tensor{in})
			if err != nil {
				t.Fatal(err)
			}
			if got := out[0].Float(0); got != v.want {
				t.Errorf("%v as %s is %v, expected %v", v.x, c.to, got, v.want)
			}
		}
	}
}

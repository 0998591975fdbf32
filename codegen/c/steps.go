package c

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/runtime/billb"
)

// Layers of bytes with lists of steps, and quantization. Every operation of floats
// is rounded, as the runtime does.

// convSteps is a convolution of bytes.
func convSteps(g *generator, l *layer) {
	v := l.in.Params.(*billb.ConvSteps)
	l.equation = "z[o,p] = the sum of w[o,i,k] * (x[i,p*stride+k*dilation-pad] - zero) over i and k; then a list of steps"
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	w := &g.img.Consts[l.in.Constant("w")]
	axes := max(len(w.Shape), len(x.shape), len(y.shape)) - 2
	kernel, result := spatial(w.Shape, axes), spatial(y.shape, axes)
	x.shape = spatial(x.shape, axes)
	win := billb.Window{Stride: v.Stride[3-axes:], PadBefore: v.PadBefore[3-axes:], PadAfter: v.PadAfter[3-axes:], Dilation: v.Dilation[3-axes:]}
	weights := g.denseWeights(l, w)
	element := "((int32_t)x[%s] - " + fmt.Sprint(g.zeroPoint(l)) + ")"
	g.conv(l, x, result, kernel, v.Groups, win, "int32_t", element, weights)
	l.line("int i_y = (b * %d + o) * %d + at;", result[1], billb.Product(result[2:]))
	g.steps(l, &v.Steps, y, 2, "sum", "o", result[1], billb.Product(result[2:]))
	l.end(2 + axes)
}

// spatial is a shape [N,C,...] with a number of axes behind the channels: of fewer, the last ones.
func spatial(shape []int, axes int) []int {
	out := append([]int{}, shape[:2]...)
	for range axes + 2 - len(shape) {
		out = append(out, 1)
	}
	return append(out, shape[2:]...)
}

// zeroPoint is what bytes count from.
func (g *generator) zeroPoint(l *layer) int64 {
	if z := g.integers(l, "zero"); len(z) > 0 {
		return z[0]
	}
	return 0
}

// linearSteps is a linear layer of bytes.
func linearSteps(g *generator, l *layer) {
	l.equation = "z[o] = the sum of w[o,k] * (x[k] - zero) over k; then a list of steps"
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	w := &g.img.Consts[l.in.Constant("w")]
	n, k := w.Shape[0], w.Shape[1]
	weights := g.denseWeights(l, w)
	l.line("for (int i = 0; i < %d; i++) {", x.n()/k)
	l.line("for (int o = 0; o < %d; o++) {", n)
	l.line("int32_t sum = 0;")
	l.line("for (int k = 0; k < %d; k++) {", k)
	l.line("sum += ((int32_t)x[i * %d + k] - %d) * %s[o * %d + k];", k, g.zeroPoint(l), weights, k)
	l.end(1)
	l.line("int i_y = i * %d + o;", n)
	g.steps(l, l.in.Params.(*billb.Steps), y, 2, "sum", "o", n, 1)
	l.end(2)
}

// mapSteps is the steps of the elements of a tensor.
func mapSteps(g *generator, l *layer) {
	l.equation = "y = a list of steps of every element of x"
	x, y := g.input(l, 0, "x"), g.output(l, "y")
	axis := min(1, len(x.shape)-1)
	channels, inner := 1, 1
	if axis >= 0 {
		channels, inner = x.shape[axis], billb.Product(x.shape[axis+1:])
	}
	l.line("for (int i_y = 0; i_y < %d; i_y++) {", y.n())
	l.line("int o = i_y / %d %% %d;", inner, channels)
	l.line("(void)o;")
	from := "x[i_y]"
	if x.elem == billb.U8 || x.elem == billb.I8 {
		from = "(int32_t)x[i_y]"
	}
	g.steps(l, l.in.Params.(*billb.Steps), y, 0, from, "o", channels, inner)
	l.end(1)
}

// steps writes a list of steps of the element from, whose channel is c, and stores
// it at i_y. Its constants begin at the given one.
func (g *generator) steps(l *layer, list *billb.Steps, y tensor, konst int, from, c string, channels, inner int) {
	input, values0 := 1, list.Values
	value := func() float64 {
		v := values0[0]
		values0 = values0[1:]
		return v
	}
	// next is the next constant, per channel.
	next := func() string {
		id := l.in.Const[konst]
		konst++
		if id < 0 {
			return ""
		}
		k := g.constant(id)
		if billb.Product(k.shape) == 1 {
			return k.name + "[0]"
		}
		return k.name + "[" + c + "]"
	}
	grid := func() (scale string, zero string) {
		scale = next()
		z, _ := values(&g.img.Consts[l.in.Const[konst]])
		konst++
		return scale, fmt.Sprint(z[0])
	}
	// operand is the next input, at the element or at its channel.
	operand := func() string {
		x := g.inputOf(l, input)
		input++
		if x.n() == y.n() {
			return x.name + "[i_y]"
		}
		return fmt.Sprintf("%s[i_y / %d]", x.name, inner)
	}
	l.line("float v = 0;")
	l.line("int32_t q = 0;")
	bytes := false
	if len(list.Steps) == 0 || list.Steps[0] == billb.StepDequantize || list.Steps[0] == billb.StepToFloat || list.Steps[0] == billb.StepAffine {
		l.line("q = %s;", from)
	} else {
		l.line("v = %s;", from)
	}
	bytes = len(list.Steps) == 0
	for _, s := range list.Steps {
		bytes = s == billb.StepQuantize
		switch s {
		case billb.StepToFloat:
			l.line("v = (float)q;")
		case billb.StepAffine:
			l.line("{")
			l.line("double d = q;")
			if n := next(); n != "" {
				l.line("d = d * %s;", n)
			}
			if n := next(); n != "" {
				l.line("d = d / %s;", n)
			}
			if n := next(); n != "" {
				l.line("d = d + %s;", n)
			} else {
				l.line("d = d + 0.0;")
			}
			l.line("v = (float)d;")
			l.end(1)
		case billb.StepDequantize:
			scale, zero := grid()
			l.line("v = (float)(q - %s) * %s;", zero, scale)
		case billb.StepQuantize:
			g.use("quantized")
			scale, zero := grid()
			lo, hi := value(), value()
			l.line("q = quantized(v / %s, %s, %d, %d);", scale, zero, int64(lo), int64(hi))
		case billb.StepPlus:
			l.line("v = v + %s;", next())
		case billb.StepMinus:
			l.line("v = v - %s;", next())
		case billb.StepTimes:
			l.line("v = v * %s;", next())
		case billb.StepOver:
			l.line("v = v / %s;", next())
		case billb.StepPRelu:
			l.line("v = v < 0 ? v * %s : v;", next())
		case billb.StepBatchNorm:
			scale, bias, mean := next(), next(), next()
			_, variance := values(&g.img.Consts[l.in.Const[konst]])
			konst++
			deviation := make([]float64, channels)
			eps := float32(value())
			for i := range deviation {
				deviation[i] = math.Sqrt(float64(float32(variance[i%len(variance)]) + eps))
			}
			l.line("v = v - %s;", mean)
			l.line("v = v / %s[%s];", g.data.floats(l.in.Name+": square roots of the variances", deviation), c)
			l.line("v = v * %s;", scale)
			l.line("v = v + %s;", bias)
		case billb.StepRelu:
			l.line("v = v <= 0 ? 0 : v;")
		case billb.StepClip:
			lo, hi := value(), value()
			low, high := float(billb.F32, lo), float(billb.F32, hi)
			l.line("v = v < %s ? %s : v;", low, low)
			l.line("v = v > %s ? %s : v;", high, high)
		case billb.StepLeakyRelu:
			l.line("v = v < 0 ? v * %s : v;", float(billb.F32, value()))
		case billb.StepSigmoid, billb.StepTanh, billb.StepExp:
			f := map[billb.StepOp]string{billb.StepSigmoid: "sigmoid", billb.StepTanh: "tanh_of", billb.StepExp: "exp_of"}[s]
			g.use(f)
			l.line("v = (float)%s(v);", f)
		case billb.StepHardSigmoid:
			g.use("unit_line")
			alpha, beta := value(), value()
			l.line("v = (float)unit_line(v, %s, %s);", float(billb.F64, alpha), float(billb.F64, beta))
		case billb.StepHardSwish:
			g.use("unit_line")
			l.line("v = (float)((double)v * unit_line(v, %s, 0.5));", float(billb.F64, 1.0/6))
		case billb.StepAddInput:
			l.line("v = v + %s;", operand())
		case billb.StepMulInput:
			l.line("v = v * %s;", operand())
		case billb.StepAddDequantized, billb.StepMulDequantized:
			scale, zero := grid()
			op := map[bool]string{true: "+", false: "*"}[s == billb.StepAddDequantized]
			l.line("{")
			l.line("float u = (float)((int32_t)%s - %s) * %s;", operand(), zero, scale)
			l.line("v = v %s u;", op)
			l.end(1)
		default:
			refuse("step %s", s)
		}
	}
	if bytes {
		l.line("y[i_y] = (%s)q;", cType(y.elem))
		l.line("(void)v;")
	} else {
		l.line("y[i_y] = v;")
		l.line("(void)q;")
	}
}

// inputOf declares operand k under a name of its own.
func (g *generator) inputOf(l *layer, k int) tensor { return g.input(l, k, fmt.Sprintf("x%d", k)) }

// grid is operands scale and zero of a quantizer, which broadcast to y.
func (g *generator) gridLayer(l *layer, f func(y tensor, x, scale, zero string) string) {
	operands := 2
	if len(l.in.In) > 2 && l.in.In[2] != -1 {
		operands = 3
	}
	elementwise(g, l, operands, func(y tensor, x []string) string {
		zero := "0"
		if operands == 3 {
			zero = x[2]
		}
		return f(y, x[0], x[1], zero)
	})
}

func quantizeLinear(g *generator, l *layer) {
	l.equation = "y = round(x / scale) + zero, limited to y's type"
	if x, s := g.elemOf(l, 0), g.elemOf(l, 1); x == billb.F64 || s != billb.F32 {
		refuse("%s and a scale of %s, only f32", x, s)
	}
	g.quantized(l, "(float)%s / %s")
}

func requantize(g *generator, l *layer) {
	l.equation = "y = round(s * factor) + zero, limited to y's type"
	g.quantized(l, "(float)%s * %s")
}

func (g *generator) quantized(l *layer, value string) {
	g.use("quantized")
	g.gridLayer(l, func(y tensor, x, scale, zero string) string {
		lo, hi := y.elem.Range()
		if y.elem.Width() > 2 {
			refuse("results of %s", y.elem)
		}
		return fmt.Sprintf("(%s)quantized(%s, %s, %d, %d)", cType(y.elem), fmt.Sprintf(value, x, scale), zero, lo, hi)
	})
}

func dequantizeLinear(g *generator, l *layer) {
	l.equation = "y = (x - zero) * scale"
	if x, s := g.elemOf(l, 0), g.elemOf(l, 1); x.Width() > 2 || s != billb.F32 {
		refuse("%s and a scale of %s, only narrow integers and f32", x, s)
	}
	g.gridLayer(l, func(_ tensor, x, scale, zero string) string {
		return fmt.Sprintf("(float)(%s - %s) * %s", x, zero, scale)
	})
}

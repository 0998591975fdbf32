package onnx

import (
	"cmp"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
)

// OperatorInfo describes one operator that can be imported.
type OperatorInfo struct {
	Name     string
	Domain   string   // "" for ONNX's own
	MinOpset int64    // first version of the domain's operator set it is read from
	MaxOpset int64    // last version whose changes are followed
	IR       []string // operations it becomes, apart from reshapes and casts that fit operands; none: a constant or no code at all
	Notes    string   // what is special, "" if nothing is
}

// oldestOpset is the oldest version of the default operator set that the import
// is made for. Models of earlier ones are read as far as their forms agree.
const oldestOpset = 6

// newestQonnx is the newest version of QONNX's operators.
const newestQonnx = 2

// since gives operators their first version, where it is later than oldestOpset.
var since = map[string]int64{
	"AffineGrid": 20, "CastLike": 15, "Celu": 12, "ConcatFromSequence": 11, "ConstantOfShape": 9, "ConvInteger": 10, "CumSum": 11,
	"DequantizeLinear": 10, "DynamicQuantizeLinear": 11, "Einsum": 12, "Expand": 8, "EyeLike": 9, "GatherElements": 11, "GatherND": 11, "Gelu": 20,
	"GreaterOrEqual": 12, "GridSample": 16, "GroupNormalization": 18, "HardSwish": 14, "LayerNormalization": 17, "LessOrEqual": 12, "MatMulInteger": 10,
	"MeanVarianceNormalization": 9, "Mish": 18, "NonZero": 9, "OneHot": 9, "QLinearConv": 10, "QLinearMatMul": 10, "QuantizeLinear": 10,
	"RMSNormalization": 23, "Range": 11, "Resize": 10, "ReverseSequence": 10, "Round": 11, "Scatter": 9, "ScatterElements": 11, "ScatterND": 11,
	"SequenceAt": 11, "SequenceConstruct": 11, "SequenceEmpty": 11, "SequenceErase": 11, "SequenceInsert": 11, "SequenceLength": 11, "Shrink": 9,
	"Sign": 9, "SplitToSequence": 11, "Swish": 24, "ThresholdedRelu": 10, "Trilu": 14, "Upsample": 7, "Where": 9,
}

// becomes lists the operations of operators that do not become the one that
// bears their name.
var becomes = map[string][]string{
	"AffineGrid":                {"matmul", "transpose"},
	"ArgMin":                    {"arg_max", "neg", "sub"},
	"BatchNormalization":        {"batch_norm", "reduce_mean", "sub", "mul", "add"},
	"CastLike":                  {"cast"},
	"Celu":                      {"add", "div", "elu", "max", "min", "mul"},
	"Constant":                  {},
	"ConstantOfShape":           {"expand"},
	"ConvTranspose":             {"conv", "pad", "slice", "transpose"},
	"CumSum":                    {"add", "pad"},
	"DequantizeLinear":          {"dequantize_linear", "transpose"},
	"Dropout":                   {"expand"},
	"Einsum":                    {"equal", "matmul", "mul", "reduce_sum", "transpose", "where"},
	"EyeLike":                   {},
	"Flatten":                   {"reshape"},
	"Gelu":                      {"add", "mul", "tanh"},
	"GlobalLpPool":              {"abs", "mul", "pow", "reduce_sum", "sqrt"},
	"GridSample":                {"abs", "add", "clip", "div", "equal", "floor", "gather_nd", "mul", "not", "or", "round", "slice", "sub", "transpose", "where"},
	"GroupNormalization":        {"add", "div", "mul", "reciprocal", "reduce_mean", "sqrt", "sub"},
	"Hardmax":                   {"arg_max", "equal"},
	"Identity":                  {},
	"If":                        {"where"},
	"InstanceNormalization":     {"add", "div", "mul", "reciprocal", "reduce_mean", "sqrt", "sub"},
	"IntQuant":                  {"quant"},
	"LRN":                       {"add", "div", "mul", "pad", "pow", "slice"},
	"LayerNormalization":        {"add", "div", "mul", "reciprocal", "reduce_mean", "sqrt", "sub"},
	"LpNormalization":           {"abs", "div", "equal", "mul", "reduce_sum", "sqrt", "where"},
	"LpPool":                    {"abs", "average_pool", "mul", "pow"},
	"MaxPool":                   {"max_pool", "add", "and", "expand", "greater", "greater_or_equal", "less", "or", "pad", "slice", "where"},
	"MeanVarianceNormalization": {"add", "div", "mul", "reduce_mean", "sqrt", "sub"},
	"Mish":                      {"abs", "add", "exp", "log", "mul", "neg", "relu", "tanh"},
	"NonZero":                   {},
	"OneHot":                    {"add", "equal", "less", "slice", "unsqueeze", "where"},
	"QuantizeLinear":            {"quantize_linear", "clip", "transpose"},
	"RMSNormalization":          {"add", "div", "mul", "reduce_mean", "sqrt"},
	"Range":                     {},
	"ReduceL1":                  {"abs", "reduce_sum"},
	"ReduceL2":                  {"mul", "reduce_sum", "sqrt"},
	"ReduceLogSum":              {"log", "reduce_sum"},
	"ReduceLogSumExp":           {"abs", "add", "exp", "less", "log", "reduce_max", "reduce_sum", "sub", "where"},
	"ReduceSumSquare":           {"mul", "reduce_sum"},
	"Resize":                    {"resize", "add", "gather", "matmul", "mul", "transpose", "where"},
	"ReverseSequence":           {"expand", "gather_elements", "less", "sub", "where"},
	"Scatter":                   {"add", "concat", "gather", "less", "mul", "slice", "where"},
	"ScatterElements":           {"add", "concat", "gather", "less", "mul", "slice", "where"},
	"ScatterND":                 {"add", "concat", "gather", "less", "mul", "slice", "where"},
	"Selu":                      {"elu", "mul"},
	"Shape":                     {},
	"Shrink":                    {"add", "greater", "less", "sub", "where"},
	"Size":                      {},
	"Softplus":                  {"abs", "add", "exp", "log", "neg", "relu"},
	"Softsign":                  {"abs", "add", "div"},
	"SpaceToDepth":              {"transpose"},
	"Swish":                     {"mul", "sigmoid"},
	"ThresholdedRelu":           {"greater", "where"},
	"Trilu":                     {"where"},
	"Upsample":                  {"resize", "add", "gather", "matmul", "mul", "transpose", "where"},
}

// operatorNotes say what is special about operators.
var operatorNotes = map[string]string{
	"BatchNormalization": "with training_mode the statistics are those of the batch; spatial=0 is refused",
	"BipolarQuant":       "0 becomes +1",
	"Cast":               "to 4-bit, 2-bit and 8-bit float types is refused",
	"Constant":           "tensors and numbers; no text",
	"ConstantOfShape":    "the shape must be known at compile time",
	"ConvTranspose":      "as a convolution of what is spread out",
	"CumSum":             "the axis must be known at compile time",
	"DequantizeLinear":   "per tensor, per axis, or in blocks that divide the axis",
	"Dropout":            "no code; in training mode only with ratio 0",
	"Einsum":             "any equation, as matrix products",
	"Expand":             "the shape must be known at compile time",
	"Identity":           "no code",
	"If":                 "both branches where the condition depends on data",
	"LSTM":               "directions, initial states, lengths, peepholes, clip, activations, layout",
	"MaxPool":            "indices too",
	"NonZero":            "of constants: how many there are decides the shape",
	"OneHot":             "the depth must be known at compile time",
	"Pad":                "sizes must be known at compile time; modes constant, reflect, edge, wrap",
	"Quant":              "rounding modes of QONNX",
	"QuantizeLinear":     "per tensor, per axis, or in blocks that divide the axis; to integers of 2 to 16 bits",
	"Range":              "computed at compile time",
	"Reshape":            "the shape must be known at compile time",
	"Resize":             "nearest neighbours of all axes; linear and cubic by weighted gathers, antialiasing too; sizes must be known at compile time",
	"Scatter":            "indices must be known at compile time",
	"ScatterElements":    "indices must be known at compile time",
	"ScatterND":          "coordinates must be known at compile time",
	"Shape":              "computed at compile time",
	"Size":               "computed at compile time",
	"Slice":              "bounds must be known at compile time",
	"Split":              "sizes must be known at compile time",
	"Tile":               "repeats must be known at compile time",
}

// Operators lists all operators that can be imported, by domain and name.
// QONNX's are listed once, under their usual domain.
func Operators() []OperatorInfo {
	named := make(map[string][]string)
	for _, op := range ir.Ops() {
		if op.Onnx != "" {
			named[op.Onnx] = append(named[op.Onnx], op.Name)
		}
	}
	var list []OperatorInfo
	for op := range handlers {
		info := OperatorInfo{Name: op.name, Domain: op.domain, MinOpset: max(oldestOpset, since[op.name]), MaxOpset: newestOpset, IR: named[op.name], Notes: operatorNotes[op.name]}
		switch op.domain {
		case "":
		case qonnxDomain:
			info.MinOpset, info.MaxOpset = 1, newestQonnx
			info.Notes = strings.TrimPrefix(info.Notes+"; also as onnx.brevitas and finn.custom_op.general", "; ")
		case microsoftDomain:
			info.MinOpset, info.MaxOpset, info.IR, info.Notes = 1, 1, nil, "written out in ONNX's operators"
		default:
			continue
		}
		if ops, ok := becomes[op.name]; ok {
			info.IR = ops
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b OperatorInfo) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Name, b.Name))
	})
	return list
}

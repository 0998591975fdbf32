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
	"CastLike": 15, "ConstantOfShape": 9, "ConvInteger": 10, "DequantizeLinear": 10, "DynamicQuantizeLinear": 11, "Expand": 8, "GatherElements": 11,
	"GatherND": 11, "GreaterOrEqual": 12, "HardSwish": 14, "LessOrEqual": 12, "MatMulInteger": 10, "QLinearConv": 10, "QLinearMatMul": 10,
	"QuantizeLinear": 10, "Range": 11, "Resize": 10, "Round": 11, "Sign": 9, "Where": 9,
}

// becomes lists the operations of operators that do not become the one that
// bears their name.
var becomes = map[string][]string{
	"BatchNormalization": {"batch_norm", "reduce_mean", "sub", "mul", "add"},
	"CastLike":           {"cast"},
	"Constant":           {},
	"ConstantOfShape":    {"expand"},
	"Dropout":            {"expand"},
	"Flatten":            {"reshape"},
	"Identity":           {},
	"IntQuant":           {"quant"},
	"QuantizeLinear":     {"quantize_linear", "clip", "transpose"},
	"DequantizeLinear":   {"dequantize_linear", "transpose"},
	"Range":              {},
	"ReduceL1":           {"abs", "reduce_sum"},
	"ReduceL2":           {"mul", "reduce_sum", "sqrt"},
	"ReduceSumSquare":    {"mul", "reduce_sum"},
	"Shape":              {},
	"Size":               {},
}

// operatorNotes say what is special about operators.
var operatorNotes = map[string]string{
	"BatchNormalization": "with training_mode the statistics are those of the batch; spatial=0 is refused",
	"BipolarQuant":       "0 becomes +1",
	"Cast":               "to 4-bit, 2-bit and 8-bit float types is refused",
	"Constant":           "tensors and numbers; no text",
	"ConstantOfShape":    "the shape must be known at compile time",
	"Dropout":            "no code; in training mode only with ratio 0",
	"Expand":             "the shape must be known at compile time",
	"Identity":           "no code",
	"LSTM":               "directions, initial states, lengths, peepholes, clip, activations, layout",
	"MaxPool":            "the indices are refused when they are used",
	"Pad":                "sizes must be known at compile time; modes constant, reflect, edge, wrap",
	"Quant":              "rounding modes of QONNX",
	"Range":              "computed at compile time",
	"Reshape":            "the shape must be known at compile time",
	"Resize":             "nearest neighbours, of all axes",
	"Shape":              "computed at compile time",
	"Size":               "computed at compile time",
	"Slice":              "bounds must be known at compile time",
	"Split":              "sizes must be known at compile time",
	"Tile":               "repeats must be known at compile time",
	"DequantizeLinear":   "per tensor, per axis, or in blocks that divide the axis",
	"QuantizeLinear":     "per tensor, per axis, or in blocks that divide the axis; to integers of 2 to 16 bits",
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

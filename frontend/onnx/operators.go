package onnx

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/billnet/billnet/internal/suggest"
	"github.com/billnet/billnet/ir"
)

// OperatorInfo describes one operator that can be imported.
type OperatorInfo struct {
	Name     string
	Domain   string   // "" for ONNX's own
	MinOpset int64    // first version of the domain's operator set it is read from
	MaxOpset int64    // last version whose changes are followed
	IR       []*ir.Op // operations it becomes, apart from reshapes and casts that fit operands; none: a constant or no code at all
	Notes    string   // what is special, "" if nothing is
}

// oldestOpset is the oldest version of the default operator set that the import
// is made for. Models of earlier ones are read as far as their forms agree.
const oldestOpset = 6

// newestQonnx is the newest version of QONNX's operators.
const newestQonnx = 2

// since gives operators that are written out in others their first version, where
// it is later than oldestOpset.
var since = map[string]int64{
	"AffineGrid": 20, "CastLike": 15, "Celu": 12, "Compress": 9, "ConcatFromSequence": 11, "ConstantOfShape": 9, "CumSum": 11, "Einsum": 12, "EyeLike": 9, "Gelu": 20,
	"GridSample": 16, "GroupNormalization": 18, "LayerNormalization": 17, "MeanVarianceNormalization": 9, "Mish": 18, "NonZero": 9, "OneHot": 9,
	"RMSNormalization": 23, "Range": 11, "ReverseSequence": 10, "Scatter": 9, "ScatterElements": 11, "SequenceAt": 11,
	"SequenceConstruct": 11, "SequenceEmpty": 11, "SequenceErase": 11, "SequenceInsert": 11, "SequenceLength": 11, "Shrink": 9, "SplitToSequence": 11,
	"Swish": 24, "ThresholdedRelu": 10, "Trilu": 14, "Upsample": 7,
}

// becomes lists the operations of operators that do not become the one that
// bears their name.
var becomes = map[string][]*ir.Op{
	"AffineGrid":                {ir.MatMul, ir.Transpose},
	"ArgMin":                    {ir.ArgMax, ir.Neg, ir.Sub},
	"BatchNormalization":        {ir.BatchNorm, ir.ReduceMean, ir.Sub, ir.Mul, ir.Add},
	"CastLike":                  {ir.Cast},
	"Celu":                      {ir.Add, ir.Div, ir.Elu, ir.Max, ir.Min, ir.Mul},
	"Compress":                  {ir.Gather},
	"Constant":                  {},
	"ConstantOfShape":           {ir.Expand},
	"ConvTranspose":             {ir.Conv, ir.Pad, ir.Slice, ir.Transpose},
	"CumSum":                    {ir.CumSum, ir.Pad},
	"DequantizeLinear":          {ir.DequantizeLinear, ir.Transpose},
	"Dropout":                   {ir.Expand},
	"Einsum":                    {ir.Equal, ir.MatMul, ir.Mul, ir.ReduceSum, ir.Transpose, ir.Where},
	"EyeLike":                   {},
	"Flatten":                   {ir.Reshape},
	"Gelu":                      {ir.Add, ir.Erf, ir.Mul, ir.Tanh},
	"GlobalLpPool":              {ir.Abs, ir.Mul, ir.Pow, ir.ReduceSum, ir.Sqrt},
	"GridSample":                {ir.Abs, ir.Add, ir.Clip, ir.Div, ir.Equal, ir.Floor, ir.GatherND, ir.Mul, ir.Not, ir.Or, ir.Round, ir.Slice, ir.Sub, ir.Transpose, ir.Where},
	"GroupNormalization":        {ir.Add, ir.Div, ir.Mul, ir.Reciprocal, ir.ReduceMean, ir.Sqrt, ir.Sub},
	"Hardmax":                   {ir.ArgMax, ir.Equal},
	"Identity":                  {},
	"If":                        {ir.Where},
	"InstanceNormalization":     {ir.Add, ir.Div, ir.Mul, ir.Reciprocal, ir.ReduceMean, ir.Sqrt, ir.Sub},
	"IntQuant":                  {ir.Quant},
	"LRN":                       {ir.Add, ir.Div, ir.Mul, ir.Pad, ir.Pow, ir.Slice},
	"LayerNormalization":        {ir.Add, ir.Div, ir.Mul, ir.Reciprocal, ir.ReduceMean, ir.Sqrt, ir.Sub},
	"LpNormalization":           {ir.Abs, ir.Div, ir.Equal, ir.Mul, ir.ReduceSum, ir.Sqrt, ir.Where},
	"LpPool":                    {ir.Abs, ir.AveragePool, ir.Mul, ir.Pow},
	"MaxPool":                   {ir.MaxPool, ir.Add, ir.And, ir.Expand, ir.Greater, ir.GreaterOrEqual, ir.Less, ir.Or, ir.Pad, ir.Slice, ir.Where},
	"MeanVarianceNormalization": {ir.Add, ir.Div, ir.Mul, ir.ReduceMean, ir.Sqrt, ir.Sub},
	"Mish":                      {ir.Abs, ir.Add, ir.Div, ir.Exp, ir.Log, ir.Mul, ir.Neg, ir.Relu, ir.Sub, ir.Tanh},
	"NonZero":                   {},
	"OneHot":                    {ir.Add, ir.Equal, ir.Less, ir.Slice, ir.Unsqueeze, ir.Where},
	"QuantizeLinear":            {ir.QuantizeLinear, ir.Clip, ir.Transpose},
	"RMSNormalization":          {ir.Add, ir.Div, ir.Mul, ir.ReduceMean, ir.Sqrt},
	"Range":                     {},
	"ReduceL1":                  {ir.Abs, ir.ReduceSum},
	"ReduceL2":                  {ir.Mul, ir.ReduceSum, ir.Sqrt},
	"ReduceLogSum":              {ir.Log, ir.ReduceSum},
	"ReduceLogSumExp":           {ir.Abs, ir.Add, ir.Exp, ir.Less, ir.Log, ir.ReduceMax, ir.ReduceSum, ir.Sub, ir.Where},
	"ReduceSumSquare":           {ir.Mul, ir.ReduceSum},
	"Resize":                    {ir.Resize, ir.Add, ir.Gather, ir.MatMul, ir.Mul, ir.Transpose, ir.Where},
	"ReverseSequence":           {ir.Expand, ir.GatherElements, ir.Less, ir.Sub, ir.Where},
	"Scatter":                   {ir.Add, ir.Concat, ir.Gather, ir.Less, ir.Mul, ir.Scatter, ir.Slice, ir.Where},
	"ScatterElements":           {ir.Add, ir.Concat, ir.Gather, ir.Less, ir.Mul, ir.Scatter, ir.Slice, ir.Where},
	"ScatterND":                 {ir.Add, ir.Concat, ir.Gather, ir.Less, ir.Mul, ir.Scatter, ir.Slice, ir.Where},
	"Selu":                      {ir.Elu, ir.Mul},
	"Shape":                     {},
	"Shrink":                    {ir.Add, ir.Greater, ir.Less, ir.Sub, ir.Where},
	"Size":                      {},
	"Softplus":                  {ir.Abs, ir.Add, ir.Div, ir.Exp, ir.Log, ir.Neg, ir.Relu, ir.Sub},
	"Softsign":                  {ir.Abs, ir.Add, ir.Div},
	"SpaceToDepth":              {ir.Transpose},
	"Swish":                     {ir.Mul, ir.Sigmoid},
	"ThresholdedRelu":           {ir.Greater, ir.Where},
	"Trilu":                     {ir.Where},
	"Upsample":                  {ir.Resize, ir.Add, ir.Gather, ir.MatMul, ir.Mul, ir.Transpose, ir.Where},
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
	"Compress":           "the condition must be known at compile time: it decides the shape",
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
	"Scatter":            "slices and concatenations where the indices are known",
	"ScatterElements":    "slices and concatenations where the indices are known",
	"ScatterND":          "slices and concatenations where the coordinates are known",
	"Shape":              "computed at compile time",
	"Size":               "computed at compile time",
	"Slice":              "bounds must be known at compile time",
	"Split":              "sizes must be known at compile time",
	"Tile":               "repeats must be known at compile time",
}

// refusals say what to do about operators that no network needs to compute its
// result with, by name, and by domain for all of one.
var refusals = map[string]string{
	"NonMaxSuppression": dataSize,
	"Unique":            dataSize,
	"ImageDecoder":      "decode the image before the network",
	"StringNormalizer":  "text is for the program around the network",
	"StringSplit":       "text is for the program around the network",
	"TfIdfVectorizer":   "text is for the program around the network",
	"Bernoulli":         random,
	"Multinomial":       random,
	"RandomNormal":      random,
	"RandomNormalLike":  random,
	"RandomUniform":     random,
	"RandomUniformLike": random,
	"ai.onnx.ml":        "a classical machine-learning operator: export the network up to it",
	"ai.onnx.training":  training,
	trainingPreview:     training,
}

const (
	trainingPreview = "ai.onnx.preview.training"

	dataSize = "the size of its result depends on data; export the network up to it and do this in the program around it"
	random   = "its result is random: every run must give the same outputs"
	custom   = "a custom operator: define it as a function in the model, or export it as ONNX's own operators"
	training = "it belongs to training: export the model in evaluation mode"
)

// refusal is what is said of a node without a counterpart, "" if nothing special.
func refusal(n *Node) string {
	if why, ok := refusals[n.Domain]; ok {
		return why
	}
	_, own := handlers[operator{"", n.Op}]
	switch {
	case n.Domain == "":
		return cmp.Or(refusals[n.Op], misspelled(n.Op))
	case own:
		return fmt.Sprintf("ONNX's own %s has no domain", n.Op)
	}
	return custom
}

// misspelled names the operator of which a name differs by capitals or one letter;
// "" when there is none.
func misspelled(name string) string {
	for _, op := range slices.SortedFunc(maps.Keys(handlers), func(a, b operator) int { return cmp.Compare(a.name, b.name) }) {
		if op.domain == "" && suggest.Distance(strings.ToLower(op.name), strings.ToLower(name), 2) <= min(1, len(name)/4) {
			return fmt.Sprintf("there is no such operator; did you mean %q?", op.name)
		}
	}
	return ""
}

// Operators lists all operators that can be imported, by domain and name.
// QONNX's are listed once, under their usual domain.
func Operators() []OperatorInfo {
	named, first := make(map[string][]*ir.Op), maps.Clone(since)
	for _, op := range ir.Ops() {
		if op.Onnx != "" {
			named[op.Onnx], first[op.Onnx] = append(named[op.Onnx], op), op.Since
		}
	}
	var list []OperatorInfo
	for op := range handlers {
		info := OperatorInfo{Name: op.name, Domain: op.domain, MinOpset: max(oldestOpset, first[op.name]), MaxOpset: newestOpset, IR: named[op.name], Notes: operatorNotes[op.name]}
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

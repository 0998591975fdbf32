package hostile

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/frontend/onnx/onnxpb"
)

// Mutate returns a copy of a model with a few changes, the same for equal numbers.
func Mutate(seed *onnxpb.Model, number uint64) *onnxpb.Model {
	m := proto.Clone(seed).(*onnxpb.Model)
	u := &mutator{Rand: rand.New(rand.NewPCG(number, 0x626e)), m: m}
	for range 1 + u.IntN(5) {
		g := u.graph(m.Graph)
		mutations[u.IntN(len(mutations))](u, g)
	}
	return m
}

type mutator struct {
	*rand.Rand
	m *onnxpb.Model
}

// mutations are the kinds of changes. Those that keep a model plausible are there
// more than once.
var mutations = []func(u *mutator, g *onnxpb.Graph){
	(*mutator).changeDims, (*mutator).changeDims,
	(*mutator).changeInput, (*mutator).changeInput,
	(*mutator).changeElements, (*mutator).changeElements, (*mutator).changeElements,
	(*mutator).changeTensorType,
	(*mutator).changeAttribute, (*mutator).changeAttribute, (*mutator).changeAttribute, (*mutator).changeAttribute,
	(*mutator).addAttribute, (*mutator).addAttribute,
	(*mutator).dropAttribute,
	(*mutator).rewire, (*mutator).rewire,
	(*mutator).leaveOut,
	(*mutator).changeOperator, (*mutator).changeOperator,
	(*mutator).insertOperator, (*mutator).insertOperator,
	(*mutator).dropNode,
	(*mutator).changeOutput,
	(*mutator).changeOpset,
}

// graph returns the model's graph or one inside it.
func (u *mutator) graph(g *onnxpb.Graph) *onnxpb.Graph {
	for u.IntN(2) == 0 {
		var inner []*onnxpb.Graph
		for _, n := range g.Node {
			for _, a := range n.Attribute {
				if a.G != nil {
					inner = append(inner, a.G)
				}
			}
		}
		if len(inner) == 0 {
			break
		}
		g = inner[u.IntN(len(inner))]
	}
	return g
}

func pick[T any](u *mutator, list []T) T { return list[u.IntN(len(list))] }

// sizes are numbers at the edges of something.
var sizes = []int64{
	0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 1000, 4096, 65535, 65536, 1 << 20, 1 << 24, 1 << 28,
	math.MaxInt32 - 1, math.MaxInt32, 1 << 31, 1 << 32, 1 << 40, 1 << 62, math.MaxInt64, -1, -1, -2, -3, -128, math.MinInt32, math.MinInt64,
}

// number is small more often than not.
func (u *mutator) number() int64 {
	if u.IntN(5) < 3 {
		return int64(u.IntN(9) - 2)
	}
	return pick(u, sizes)
}

func (u *mutator) float() float32 {
	return pick(u, []float32{
		0, float32(math.Copysign(0, -1)), 1, -1, 0.5, 2, 255, 1e-45, 1e-38, 1e38, math.MaxFloat32, -math.MaxFloat32,
		float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), float32(u.NormFloat64()), 1 << 24, 1 << 31,
	})
}

// tensor returns a tensor of the graph, nil if there is none.
func (u *mutator) tensor(g *onnxpb.Graph) *onnxpb.Tensor {
	list := slices.Clone(g.Initializer)
	for _, n := range g.Node {
		for _, a := range n.Attribute {
			if a.T != nil {
				list = append(list, a.T)
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	return pick(u, list)
}

// changeDims gives a tensor another shape and, where that is small, as much data.
func (u *mutator) changeDims(g *onnxpb.Graph) {
	t := u.tensor(g)
	if t == nil {
		return
	}
	switch k := u.IntN(4); {
	case k == 0:
		t.Dims = append(t.Dims, u.number())
	case k == 1 && len(t.Dims) > 0:
		t.Dims = t.Dims[:len(t.Dims)-1]
	case len(t.Dims) > 0:
		t.Dims[u.IntN(len(t.Dims))] = u.number()
	}
	if u.IntN(8) > 0 {
		u.refill(t)
	}
}

// maxRefill bounds the elements of a tensor that is given data.
const maxRefill = 1 << 14

// refill gives a tensor as many elements as its shape asks for, those it has over
// and over.
func (u *mutator) refill(t *onnxpb.Tensor) {
	n := int64(1)
	for _, d := range t.Dims {
		if d < 0 || d > maxRefill {
			return
		}
		if n *= d; n > maxRefill {
			return
		}
	}
	repeat := func(have, size int, more func(i int)) {
		for i := have; i < int(n)*size; i++ {
			more(i - have)
		}
	}
	switch size := elementSize(t.DataType); {
	case len(t.RawData) > 0:
		old := t.RawData
		t.RawData = slices.Clone(old[:min(len(old), int(n)*size)])
		repeat(len(t.RawData), size, func(i int) { t.RawData = append(t.RawData, old[i%len(old)]) })
	case len(t.FloatData) > 0:
		old := t.FloatData
		t.FloatData = slices.Clone(old[:min(len(old), int(n))])
		repeat(len(t.FloatData), 1, func(i int) { t.FloatData = append(t.FloatData, old[i%len(old)]) })
	case len(t.Int64Data) > 0:
		old := t.Int64Data
		t.Int64Data = slices.Clone(old[:min(len(old), int(n))])
		repeat(len(t.Int64Data), 1, func(i int) { t.Int64Data = append(t.Int64Data, old[i%len(old)]) })
	case len(t.Int32Data) > 0:
		old := t.Int32Data
		t.Int32Data = slices.Clone(old[:min(len(old), int(n))])
		repeat(len(t.Int32Data), 1, func(i int) { t.Int32Data = append(t.Int32Data, old[i%len(old)]) })
	}
}

func elementSize(dtype int32) int {
	switch dtype {
	case 2, 3, 9:
		return 1
	case 4, 5, 10, 16:
		return 2
	case 7, 11, 13:
		return 8
	}
	return 4
}

// changeElements puts edge values among the elements of a tensor.
func (u *mutator) changeElements(g *onnxpb.Graph) {
	t := u.tensor(g)
	if t == nil {
		return
	}
	for range 1 + u.IntN(3) {
		switch {
		case len(t.FloatData) > 0:
			t.FloatData[u.IntN(len(t.FloatData))] = u.float()
		case len(t.Int64Data) > 0:
			t.Int64Data[u.IntN(len(t.Int64Data))] = u.number()
		case len(t.Int32Data) > 0:
			t.Int32Data[u.IntN(len(t.Int32Data))] = int32(u.number())
		case len(t.RawData) > 0:
			u.changeRaw(t)
		}
	}
}

func (u *mutator) changeRaw(t *onnxpb.Tensor) {
	size := elementSize(t.DataType)
	if len(t.RawData) < size {
		return
	}
	t.RawData = slices.Clone(t.RawData)
	bits := uint64(u.number())
	if t.DataType == floatType {
		bits = uint64(math.Float32bits(u.float()))
	}
	at := u.IntN(len(t.RawData)/size) * size
	for i := range size {
		t.RawData[at+i] = byte(bits >> (8 * i))
	}
}

func (u *mutator) dtype() int32 { return int32(u.IntN(25)) }

func (u *mutator) changeTensorType(g *onnxpb.Graph) {
	if t := u.tensor(g); t != nil {
		t.DataType = u.dtype()
		if u.IntN(2) == 0 {
			t.RawData, t.FloatData, t.Int64Data, t.Int32Data = make([]byte, 16), nil, nil, nil
			u.refill(t)
		}
	}
}

// changeInput changes the type of a graph input.
func (u *mutator) changeInput(g *onnxpb.Graph) {
	if len(g.Input) == 0 {
		return
	}
	t := pick(u, g.Input).GetType().GetTensorType()
	if t == nil {
		return
	}
	if t.Shape == nil {
		t.Shape = &onnxpb.Shape{}
	}
	fixed := func(n int64) *onnxpb.Dimension {
		return &onnxpb.Dimension{Value: &onnxpb.Dimension_DimValue{DimValue: n}}
	}
	switch k, dims := u.IntN(6), t.Shape.Dim; {
	case k == 0:
		t.ElemType = u.dtype()
	case k == 1:
		t.Shape.Dim = append(dims, fixed(u.number()))
	case k == 2 && len(dims) > 0:
		t.Shape.Dim = dims[:len(dims)-1]
	case len(dims) > 0:
		dims[u.IntN(len(dims))] = fixed(u.number())
	}
}

// attribute returns an attribute, nil if the node it looked at has none.
func (u *mutator) attribute(g *onnxpb.Graph) (*onnxpb.Node, int) {
	if len(g.Node) == 0 {
		return nil, 0
	}
	n := pick(u, g.Node)
	if len(n.Attribute) == 0 {
		return nil, 0
	}
	return n, u.IntN(len(n.Attribute))
}

func (u *mutator) changeAttribute(g *onnxpb.Graph) {
	n, i := u.attribute(g)
	if n == nil {
		return
	}
	switch a := n.Attribute[i]; a.Type {
	case 1:
		a.F = u.float()
	case 2:
		a.I = u.number()
	case 3:
		a.S = []byte(pick(u, words))
	case 6:
		if len(a.Floats) > 0 {
			a.Floats[u.IntN(len(a.Floats))] = u.float()
		}
	case 7:
		switch k := u.IntN(4); {
		case k == 0:
			a.Ints = append(a.Ints, u.number())
		case k == 1 && len(a.Ints) > 0:
			a.Ints = a.Ints[:len(a.Ints)-1]
		case len(a.Ints) > 0:
			a.Ints[u.IntN(len(a.Ints))] = u.number()
		}
	case 8:
		a.Strings = append(a.Strings, []byte(pick(u, words)))
	}
}

// words are values of attributes that are texts.
var words = []string{
	"SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "constant", "reflect", "edge", "wrap", "nearest", "linear", "cubic", "bilinear", "half_pixel", "align_corners", "asymmetric",
	"pytorch_half_pixel", "tf_crop_and_resize", "floor", "ceil", "round_prefer_ceil", "forward", "reverse", "bidirectional", "DCR", "CRD", "Relu", "Tanh", "Sigmoid", "add", "mul", "max",
	"ij,jk->ik", "ii->i", "...i,...i->...", "", "x",
}

// attributeNames are the attributes that numbers are given for.
var attributeNames = []string{
	"axis", "axes", "keepdims", "kernel_shape", "strides", "pads", "dilations", "group", "ceil_mode", "count_include_pad", "auto_pad", "output_padding", "output_shape", "alpha", "beta",
	"epsilon", "momentum", "training_mode", "transA", "transB", "to", "perm", "mode", "starts", "ends", "split", "num_outputs", "blocksize", "allowzero", "hidden_size", "direction",
	"activations", "clip", "layout", "linear_before_reset", "input_forget", "scales", "coordinate_transformation_mode", "nearest_mode", "antialias", "exclude_outside", "cubic_coeff_a",
	"batch_dims", "select_last_index", "largest", "sorted", "value", "shape", "start", "end", "noop_with_empty_axes", "exclusive", "reverse", "upper", "num_groups", "equation",
	"num_scan_inputs", "scan_input_axes", "scan_input_directions", "scan_output_axes", "block_size", "output_dtype", "signed", "narrow", "rounding_mode", "size", "bias", "lambd", "p",
	"detect_negative", "fmod", "time_axis", "batch_axis", "reduction", "new_axis", "value_int", "value_ints", "value_float", "value_floats", "spatial", "keep_aspect_ratio_policy",
}

func (u *mutator) addAttribute(g *onnxpb.Graph) {
	if len(g.Node) == 0 {
		return
	}
	n := pick(u, g.Node)
	a := &onnxpb.Attribute{Name: pick(u, attributeNames)}
	switch u.IntN(4) {
	case 0:
		a.Type, a.F = 1, u.float()
	case 1:
		a.Type, a.S = 3, []byte(pick(u, words))
	case 2:
		a.Type, a.I = 2, u.number()
	default:
		a.Type = 7
		for range u.IntN(6) {
			a.Ints = append(a.Ints, u.number())
		}
	}
	n.Attribute = slices.DeleteFunc(n.Attribute, func(b *onnxpb.Attribute) bool { return b.Name == a.Name })
	n.Attribute = append(n.Attribute, a)
}

func (u *mutator) dropAttribute(g *onnxpb.Graph) {
	if n, i := u.attribute(g); n != nil {
		n.Attribute = slices.Delete(n.Attribute, i, i+1)
	}
}

// values are the names that a node can read.
func values(g *onnxpb.Graph) []string {
	var list []string
	for _, v := range g.Input {
		list = append(list, v.Name)
	}
	for _, t := range g.Initializer {
		list = append(list, t.Name)
	}
	for _, n := range g.Node {
		list = append(list, n.Output...)
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

// rewire makes a node read another value.
func (u *mutator) rewire(g *onnxpb.Graph) {
	list := values(g)
	if len(g.Node) == 0 || len(list) == 0 {
		return
	}
	n := pick(u, g.Node)
	if len(n.Input) == 0 || u.IntN(4) == 0 {
		n.Input = append(n.Input, pick(u, list))
		return
	}
	n.Input[u.IntN(len(n.Input))] = pick(u, list)
}

// leaveOut leaves an input of a node out.
func (u *mutator) leaveOut(g *onnxpb.Graph) {
	if len(g.Node) == 0 {
		return
	}
	n := pick(u, g.Node)
	if len(n.Input) == 0 {
		return
	}
	if i := u.IntN(len(n.Input)); u.IntN(2) == 0 {
		n.Input[i] = ""
	} else {
		n.Input = n.Input[:i]
	}
}

// operators are all that the import knows.
var operators = sync.OnceValue(onnx.Operators)

func (u *mutator) changeOperator(g *onnxpb.Graph) {
	if len(g.Node) == 0 {
		return
	}
	n, op := pick(u, g.Node), pick(u, operators())
	n.OpType, n.Domain = op.Name, op.Domain
	u.importDomain(op.Domain)
}

// importDomain makes the model import an operator set.
func (u *mutator) importDomain(domain string) {
	if !slices.ContainsFunc(u.m.OpsetImport, func(s *onnxpb.OperatorSet) bool { return s.Domain == domain }) {
		u.m.OpsetImport = append(u.m.OpsetImport, &onnxpb.OperatorSet{Domain: domain, Version: 1})
	}
}

// insertOperator puts a node between a value and one of its readers.
func (u *mutator) insertOperator(g *onnxpb.Graph) {
	if len(g.Node) == 0 {
		return
	}
	reader := pick(u, g.Node)
	if len(reader.Input) == 0 {
		return
	}
	i, op, list := u.IntN(len(reader.Input)), pick(u, operators()), values(g)
	if reader.Input[i] == "" || len(list) == 0 {
		return
	}
	name := string(rune('A'+u.IntN(26))) + "!" + reader.Input[i]
	n := &onnxpb.Node{OpType: op.Name, Domain: op.Domain, Input: names(reader.Input[i]), Output: names(name)}
	for range u.IntN(3) {
		n.Input = append(n.Input, pick(u, list))
	}
	u.importDomain(op.Domain)
	reader.Input[i] = name
	g.Node = append(g.Node, n)
}

func (u *mutator) dropNode(g *onnxpb.Graph) {
	if len(g.Node) > 0 {
		i := u.IntN(len(g.Node))
		g.Node = slices.Delete(g.Node, i, i+1)
	}
}

// changeOutput makes another value a result.
func (u *mutator) changeOutput(g *onnxpb.Graph) {
	list := values(g)
	if len(list) == 0 || len(g.Output) == 0 {
		return
	}
	pick(u, g.Output).Name = pick(u, list)
}

func (u *mutator) changeOpset(*onnxpb.Graph) {
	if len(u.m.OpsetImport) > 0 {
		pick(u, u.m.OpsetImport).Version = int64(5 + u.IntN(22))
	}
}

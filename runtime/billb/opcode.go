package billb

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Opcode is the number of an operation in a file. Numbers are never reused: a
// new meaning gets a new number.
type Opcode uint16

// The opcodes.
const (
	OpRelayout   Opcode = 1
	OpBConv      Opcode = 2
	OpIConv      Opcode = 3
	OpBitMaxPool Opcode = 4
	OpBitMinPool Opcode = 5
	OpBitOr      Opcode = 6
	OpBitAnd     Opcode = 7
	OpBitXor     Opcode = 8
	OpBitNot     Opcode = 9
	OpMux        Opcode = 10
	OpMuxOr      Opcode = 11
	OpCount      Opcode = 12
	OpThreshold  Opcode = 13
	OpILinear    Opcode = 14
	OpBLSTM      Opcode = 15
	OpRecode     Opcode = 16
	OpBandLoad   Opcode = 17
	OpBandStore  Opcode = 18
	OpBandClip   Opcode = 19
	OpBandShift  Opcode = 20
	OpShift      Opcode = 21

	OpTranspose Opcode = 32
	OpReshape   Opcode = 33
	OpGather    Opcode = 34
	OpSlice     Opcode = 35
	OpConcat    Opcode = 36
	OpCast      Opcode = 37
	OpAffine    Opcode = 38
	OpGemm      Opcode = 39
	OpLSTM      Opcode = 40

	OpAdd              Opcode = 48
	OpSub              Opcode = 49
	OpMul              Opcode = 50
	OpDiv              Opcode = 51
	OpPow              Opcode = 52
	OpMin              Opcode = 53
	OpMax              Opcode = 54
	OpPRelu            Opcode = 55
	OpEqual            Opcode = 56
	OpGreater          Opcode = 57
	OpGreaterOrEqual   Opcode = 58
	OpLess             Opcode = 59
	OpLessOrEqual      Opcode = 60
	OpAnd              Opcode = 61
	OpOr               Opcode = 62
	OpXor              Opcode = 63
	OpNot              Opcode = 64
	OpWhere            Opcode = 65
	OpAbs              Opcode = 66
	OpNeg              Opcode = 67
	OpCeil             Opcode = 68
	OpFloor            Opcode = 69
	OpRoundHalfEven    Opcode = 70
	OpSqrt             Opcode = 71
	OpExp              Opcode = 72
	OpLog              Opcode = 73
	OpSign             Opcode = 74
	OpSigmoid          Opcode = 75
	OpTanh             Opcode = 76
	OpRelu             Opcode = 77
	OpIdentity         Opcode = 78
	OpLeakyRelu        Opcode = 79
	OpHardSigmoid      Opcode = 80
	OpHardSwish        Opcode = 81
	OpElu              Opcode = 82
	OpReciprocal       Opcode = 83
	OpClip             Opcode = 84
	OpSoftmax          Opcode = 85
	OpLogSoftmax       Opcode = 86
	OpStep             Opcode = 87
	OpRound            Opcode = 88
	OpReduceSum        Opcode = 89
	OpReduceMean       Opcode = 90
	OpReduceMax        Opcode = 91
	OpReduceMin        Opcode = 92
	OpReduceProd       Opcode = 93
	OpArgMax           Opcode = 94
	OpConv             Opcode = 95
	OpDenseIConv       Opcode = 96
	OpMaxPool          Opcode = 97
	OpMinPool          Opcode = 98
	OpAveragePool      Opcode = 99
	OpBatchNorm        Opcode = 100
	OpMatMul           Opcode = 101
	OpGRU              Opcode = 102
	OpRNN              Opcode = 103
	OpExpand           Opcode = 104
	OpTile             Opcode = 105
	OpPad              Opcode = 106
	OpGatherElements   Opcode = 107
	OpJoin             Opcode = 108
	OpQuantizeLinear   Opcode = 109
	OpDequantizeLinear Opcode = 110
	OpRequantize       Opcode = 111
	OpBipolarQuant     Opcode = 112
	OpQuant            Opcode = 113
	OpTruncQuant       Opcode = 114
	OpQuantLSTMCell    Opcode = 115
	OpConvSteps        Opcode = 116
	OpLinearSteps      Opcode = 117
	OpMapSteps         Opcode = 118
	OpBConvSteps       Opcode = 119
	OpRows             Opcode = 120
	OpMod              Opcode = 140
	OpFMod             Opcode = 141
	OpScatter          Opcode = 142
	OpTopK             Opcode = 143
	OpErf              Opcode = 144
	OpSin              Opcode = 145
	OpCos              Opcode = 146
	OpTan              Opcode = 147
	OpAsin             Opcode = 148
	OpAcos             Opcode = 149
	OpAtan             Opcode = 150
	OpSinh             Opcode = 151
	OpCosh             Opcode = 152
	OpAsinh            Opcode = 153
	OpAcosh            Opcode = 154
	OpAtanh            Opcode = 155
)

// Op is an operation: a literal that says everything about it but how to compute
// it, below its contract and equation. The lists of operands are names separated by spaces; "x?" may be left out,
// "x..." stands for any number.
type Op struct {
	Code    Opcode
	Name    string
	In      string
	Out     string
	Consts  string // operands that are constants and read when a program is loaded
	InPlace bool   // the first output may lie where an input lies that has as many elements of the same width
	Params  Params // a nil pointer to the struct; nil: it takes none

	// macs counts multiply-accumulates; nil: the operation is not made of them.
	macs func(s shapes) float64
}

var ops = map[Opcode]*Op{}

//go:noinline
func register(o *Op) *Op {
	if ops[o.Code] != nil {
		panic("billb: opcode " + o.Name + " is registered twice")
	}
	ops[o.Code] = o
	return o
}

// Ops lists all operations by number. They must not be changed.
func Ops() []*Op {
	list := slices.Collect(maps.Values(ops))
	slices.SortFunc(list, func(a, b *Op) int { return int(a.Code) - int(b.Code) })
	return list
}

// Op is the operation of an opcode, nil for one that does not exist.
func (c Opcode) Op() *Op { return ops[c] }

// Schema describes the parameters: their names in the order of the file, how many
// numbers each stands for (*3, or *n for a list) and what is expected of them.
func (o *Op) Schema() string { return schema(o.params()) }

// params is the type of the parameters' struct, nil when there are none.
func (o *Op) params() reflect.Type {
	if o.Params == nil {
		return nil
	}
	return reflect.TypeOf(o.Params).Elem()
}

func (c Opcode) String() string {
	if o := ops[c]; o != nil {
		return o.Name
	}
	return fmt.Sprintf("opcode %d", uint16(c))
}

// Lookup returns the opcode of the operation called name.
func Lookup(name string) (Opcode, bool) {
	for _, o := range ops {
		if o.Name == name {
			return o.Code, true
		}
	}
	return 0, false
}

// checkArity checks the ids of operands, -1 for one that is left out, against a
// list of names.
func checkArity(what, names string, ids []int) error {
	list := strings.Fields(names)
	variadic := len(list) > 0 && strings.HasSuffix(list[len(list)-1], "...")
	if len(ids) > len(list) && !variadic {
		return errorf("%d %ss, expected (%s)", len(ids), what, names)
	}
	missing := func(i int) bool { return i >= len(ids) || ids[i] == -1 }
	for i, n := range list {
		if !strings.HasSuffix(n, "?") && !strings.HasSuffix(n, "...") && missing(i) {
			return errorf("%s %s is missing, expected (%s)", what, n, names)
		}
	}
	if variadic {
		for i := len(list) - 1; i < len(ids); i++ {
			if missing(i) {
				return errorf("%s %d is missing, expected (%s)", what, i, names)
			}
		}
	}
	return nil
}

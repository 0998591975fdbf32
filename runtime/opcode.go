package runtime

import (
	"fmt"
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
	OpDenseConv        Opcode = 96
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
)

// opcode is one operation: a literal that says everything about it. The lists
// of operands are names separated by spaces; "x?" may be left out, "x..."
// stands for any number.
type opcode struct {
	code    Opcode
	name    string
	doc     string // contract and equation
	in      string
	out     string
	consts  string
	inPlace bool // the first output may be a same-sized input's memory

	// macs counts multiply-accumulates; nil: the operation is not made of them.
	macs func(s shapes) float64

	// prepare checks the operands' kinds and shapes, the constants and the
	// numbers, and returns the executor. It calls fail for what does not fit.
	prepare func(p *prep) step
}

var opcodes = map[Opcode]*opcode{}

//go:noinline
func register(o *opcode) *opcode {
	if opcodes[o.code] != nil {
		panic("runtime: opcode " + o.name + " is registered twice")
	}
	opcodes[o.code] = o
	return o
}

func (c Opcode) String() string {
	if o := opcodes[c]; o != nil {
		return o.name
	}
	return fmt.Sprintf("opcode %d", uint16(c))
}

// OpcodeInfo describes an opcode.
type OpcodeInfo struct {
	Code            Opcode
	Name, Doc       string
	In, Out, Consts string // operand names; "x?" may be left out, "x..." repeats
	InPlace         bool   // the first output may be the memory of an input of the same size
}

// Opcodes lists all opcodes by number.
func Opcodes() []OpcodeInfo {
	var list []OpcodeInfo
	for _, o := range opcodes {
		list = append(list, OpcodeInfo{o.code, o.name, o.doc, o.in, o.out, o.consts, o.inPlace})
	}
	slices.SortFunc(list, func(a, b OpcodeInfo) int { return int(a.Code) - int(b.Code) })
	return list
}

// LookupOpcode returns the opcode called name.
func LookupOpcode(name string) (Opcode, bool) {
	for _, o := range opcodes {
		if o.name == name {
			return o.code, true
		}
	}
	return 0, false
}

// checkArity checks a list of operands against a list of names.
func checkArity(what, names string, present []bool) error {
	list := strings.Fields(names)
	variadic := len(list) > 0 && strings.HasSuffix(list[len(list)-1], "...")
	if len(present) > len(list) && !variadic {
		return fmt.Errorf("%d %s, expected (%s)", len(present), what, names)
	}
	for i, n := range list {
		optional := strings.HasSuffix(n, "?") || strings.HasSuffix(n, "...")
		if !optional && (i >= len(present) || !present[i]) {
			return fmt.Errorf("%s %s is missing, expected (%s)", what, n, names)
		}
	}
	if variadic {
		for i := len(list) - 1; i < len(present); i++ {
			if !present[i] {
				return fmt.Errorf("%s %d is missing, expected (%s)", what, i, names)
			}
		}
	}
	return nil
}

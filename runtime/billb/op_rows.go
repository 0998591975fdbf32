package billb

import "slices"

// RowOp is an operation of a program on rows: what the instruction of its name does, on f32.
type RowOp int

// rowOps are the instructions that a RowOp may stand for, by its number: those of two operands, functions, reductions.
var rowOps = []Opcode{
	OpAdd, OpSub, OpMul, OpDiv, OpMax, OpMin,
	OpAbs, OpNeg, OpSqrt, OpExp, OpLog, OpSigmoid, OpTanh, OpErf, OpRelu, OpReciprocal,
	OpReduceSum, OpReduceMean, OpReduceMax, OpReduceMin,
}

const rowPairs, rowFunctions = 6, 16 // where the kinds of rowOps end

// RowOpOf is the number that stands for an instruction.
func RowOpOf(op Opcode) (RowOp, bool) {
	i := slices.Index(rowOps, op)
	return RowOp(max(i, 0)), i >= 0
}

// Opcode is the instruction that the number stands for.
func (o RowOp) Opcode() Opcode { return rowOps[o] }

// Pair reports an operation of two operands.
func (o RowOp) Pair() bool { return o < rowPairs }

// Reduces reports an operation that makes one element of a row.
func (o RowOp) Reduces() bool { return o >= rowFunctions }

func (o RowOp) String() string { return enumName(o.names(), int(o)) }

func (RowOp) names() []string {
	list := make([]string, len(rowOps))
	for i, op := range rowOps {
		list[i] = op.String()
	}
	return list
}

// Rows is a program on rows. Its operands are numbered: the inputs of the instruction, its constants, then the results of the
// operations in their order.
type Rows struct {
	N   int     `min:"1"` // elements of a row
	Ops []RowOp // what is computed one after the other
	A   []int   `min:"0"` // the first operand of each
	B   []int   `min:"0"` // the second one, 0 of an operation of one
}

var (
	// A program on the rows of x, which lie one after the other in row-major order; y is the result of its
	// last operation. An input has as many elements as x or one for every row, a constant one for
	// every element of a row or one, which serve all rows. A reduction takes a row, in order, to one element;
	// where an operation has elements of rows beside one for every row, that one serves the whole row.
	_ = register(&Op{
		Code: OpRows,
		Name: "rows",
		In:   "x inputs...", Out: "y", Consts: "constants...", InPlace: true,
		Params: (*Rows)(nil),
	})
)

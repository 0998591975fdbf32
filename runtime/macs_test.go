package runtime

import "testing"

// TestMACs checks the count of every operation that is made of
// multiply-accumulates, on the sample that has it.
func TestMACs(t *testing.T) {
	want := map[Opcode]float64{ // result elements, or steps and sequences, times weights
		OpIConv:     12 * 4 * 5 * 6 * (3 * 27),
		OpBConv:     12 * 4 * 5 * 6 * (6 * 27),
		OpBLSTM:     4 * 20 * (12 + 5),
		OpILinear:   2 * 3 * 5,
		OpConv:      4 * 3 * 4 * 5 * 27,
		OpDenseConv: 2 * 4 * 3 * (3 * 2),
		OpGemm:      3 * 5,
		OpMatMul:    2 * 3 * 5, // of the second sample, a matrix by a vector
		OpLSTM:      3 * 2 * 2 * 16 * (5 + 4),
		OpGRU:       3 * 2 * 12 * (5 + 4),
		OpRNN:       3 * 2 * 4 * (5 + 4),

		OpQuantLSTMCell: 3 * 4 * 2 * (5 + 2),
	}
	got := map[Opcode]float64{}
	for _, b := range append(opSamples(), smallNet()) {
		for i := range b.img.Code {
			in := &b.img.Code[i]
			got[in.Op] = b.img.MACs(in)
		}
	}
	for op, n := range got {
		if n != want[op] {
			t.Errorf("%s: %v, want %v", op, n, want[op])
		}
	}
	for code, op := range opcodes {
		if op.macs != nil && want[code] == 0 {
			t.Errorf("%s is not tested", op.name)
		}
	}
}

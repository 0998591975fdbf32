package runtime

import (
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

// TestMACs checks the count of every operation that is made of
// multiply-accumulates, on the sample that has it.
func TestMACs(t *testing.T) {
	want := map[billb.Opcode]float64{ // result elements, or steps and sequences, times weights
		billb.OpIConv:      12 * 4 * 5 * 6 * (3 * 27),
		billb.OpBConv:      12 * 4 * 5 * 6 * (6 * 27),
		billb.OpBLSTM:      4 * 20 * (12 + 5),
		billb.OpILinear:    2 * 3 * 5,
		billb.OpConv:       4 * 3 * 4 * 5 * 27,
		billb.OpDenseIConv: 2 * 4 * 3 * (3 * 2),
		billb.OpGemm:       3 * 5,
		billb.OpMatMul:     2 * 3 * 5, // of the second sample, a matrix by a vector
		billb.OpLSTM:       3 * 2 * 2 * 16 * (5 + 4),
		billb.OpGRU:        3 * 2 * 12 * (5 + 4),
		billb.OpRNN:        3 * 2 * 4 * (5 + 4),

		billb.OpConvSteps:   4 * 3 * 4 * 9,
		billb.OpLinearSteps: 3 * 5 * 7,
		billb.OpBConvSteps:  4 * 3 * 4 * (9 * 9),

		billb.OpQuantLSTMCell: 3 * 4 * 2 * (5 + 2),
	}
	got := map[billb.Opcode]float64{}
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
}

package runtime_test

import (
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
)

// brightness is the .billb file of a model that tells dark, grey and bright
// pictures of 2x2 bytes apart by their sum.
func brightness() []byte {
	img := billb.Image{
		Name:   "brightness",
		Labels: []string{"dark", "grey", "bright"},
		Buffers: []billb.Buffer{
			{Elem: billb.U8, Shape: []int{1, 4}},
			{Elem: billb.F32, Shape: []int{1, 4}, Offset: 64},
			{Elem: billb.F32, Shape: []int{1, 3}, Offset: 128},
		},
		Arena:   192,
		Inputs:  []billb.Port{{Name: "picture", Elem: billb.U8, Shape: []int{1, 4}, Buffer: 0}},
		Outputs: []billb.Port{{Name: "logits", Elem: billb.F32, Shape: []int{1, 3}, Buffer: 2}},
		Consts: []billb.Const{
			{Elem: billb.F32, Shape: []int{4, 3}, Data: runtime.Bytes([]float32{-1, 0, 1, -1, 0, 1, -1, 0, 1, -1, 0, 1})},
			{Elem: billb.F32, Shape: []int{3}, Data: runtime.Bytes([]float32{300, 100, -700})},
		},
		Code: []billb.Instr{
			{Op: billb.OpCast, In: []int{0}, Out: []int{1}, Name: "float"},
			{Op: billb.OpGemm, In: []int{1, billb.ConstOperand(0), billb.ConstOperand(1)}, Out: []int{2}, Params: &billb.Gemm{Alpha: 1, Beta: 1}, Name: "classes"},
		},
	}
	file, err := img.Encode()
	if err != nil {
		panic(err)
	}
	return file
}

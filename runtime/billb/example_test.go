package billb_test

import (
	"fmt"
	"log"

	"github.com/billnet/billnet/runtime/billb"
)

// A back end reads instructions by names: the operation's struct holds its
// parameters, and operands are asked for as the operation calls them.
func Example() {
	one := [3]int{1, 1, 1}
	img := billb.Image{
		Code: []billb.Instr{
			{Op: billb.OpIConv, In: []int{0}, Out: []int{1}, Const: []int{0, 1, -1, 2, 3},
				Params: &billb.IntConv{Conv: billb.Conv{Stride: [3]int{1, 2, 2}, Pad: one, Dilation: one, Groups: 1}, Acc: 16}},
			{Op: billb.OpCount, In: []int{1}, Out: []int{2}, Params: &billb.Count{Mode: billb.CountC}},
		},
	}
	for i := range img.Code {
		in := &img.Code[i]
		switch p := in.Params.(type) {
		case *billb.IntConv:
			fmt.Printf("%s: strides %v, sums of %d bits, weights #%d, thresholds #%d, flips #%d\n",
				in.Op, p.Conv.Stride, p.Acc, in.Constant("w"), in.Constant("t"), in.Constant("flip"))
		case *billb.Count:
			fmt.Printf("%s: over %s\n", in.Op, p.Mode)
		}
	}
	// Output:
	// iconv: strides [1 2 2], sums of 16 bits, weights #0, thresholds #1, flips #-1
	// count: over c
}

// The schema of an operation follows from its struct.
func ExampleOp_Schema() {
	for _, code := range []billb.Opcode{billb.OpIConv, billb.OpDenseIConv, billb.OpGRU, billb.OpPad, billb.OpRelu} {
		fmt.Printf("%s: %s\n", code, code.Op().Schema())
	}
	// Output:
	// iconv: stride*3>=1 pad*3 dilation*3>=1 groups>=1 acc=16|32
	// dense_iconv: groups>=1 stride*n>=1 pad_before*n>=0 pad_after*n>=0 dilation*n>=1
	// gru: direction=forward|reverse|bidirectional batch_first=0|1 linear_before_reset=0|1 activations*n=relu|tanh|sigmoid|affine|leakyrelu|thresholdedrelu|scaledtanh|hardsigmoid|elu|softsign|softplus; clip scales*n(alpha beta)
	// pad: before*n mode=constant|reflect|edge|wrap
	// relu:
}

// Encode checks the form of an image; what its instructions mean is checked when
// it is loaded.
func ExampleImage_Encode() {
	img := billb.Image{
		Buffers: []billb.Buffer{{Elem: billb.F32, Shape: []int{2, 3}}, {Elem: billb.F32, Shape: []int{3, 2}, Offset: 64}},
		Arena:   128,
		Inputs:  []billb.Port{{Name: "x", Elem: billb.F32, Shape: []int{2, 3}, Buffer: 0}},
		Outputs: []billb.Port{{Name: "y", Elem: billb.F32, Shape: []int{3, 2}, Buffer: 1}},
		Code:    []billb.Instr{{Op: billb.OpTranspose, In: []int{0}, Out: []int{1}, Params: &billb.Transpose{Perm: []int{1, 0}}}},
	}
	file, err := img.Encode()
	if err != nil {
		log.Fatal(err)
	}
	back, err := billb.Decode(file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(back.Text(&back.Code[0]))
	img.Code[0].Params = nil
	_, err = img.Encode()
	fmt.Println(err)
	// Output:
	// @1 f32[3,2] = transpose @0 f32[2,3] {perm=1,0}
	// billb: : instruction 0 (transpose): the parameters are <nil>, expected billb.Transpose
}

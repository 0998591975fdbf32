package main

import "github.com/billnet/billnet/runtime"

// macs is the number of multiply-accumulates of an instruction, binary ones and
// additions of signed inputs included, padding not left out. ok is false for
// operations that are not made of them.
func macs(img *runtime.Image, in *runtime.Instr) (n float64, ok bool) {
	switch in.Op.String() {
	case "bconv", "iconv":
		return perOutput(img, in, constShape(img, in, 0))
	case "conv", "dense_conv", "conv_integer":
		return perOutput(img, in, inputShape(img, in, 1))
	case "qlinear_conv":
		return perOutput(img, in, inputShape(img, in, 3))
	case "ilinear":
		return perOutput(img, in, constShape(img, in, 0))
	case "gemm":
		a := inputShape(img, in, 0)
		if len(a) != 2 || len(in.Ints) == 0 {
			return 0, false
		}
		if in.Ints[0] == 1 {
			a = []int{a[1], a[0]}
		}
		return perOutput(img, in, a)
	case "matmul", "matmul_integer", "qlinear_matmul":
		a := inputShape(img, in, 0)
		if len(a) == 0 {
			return 0, false
		}
		return perOutput(img, in, []int{1, a[len(a)-1]})
	case "blstm":
		return recurrent(inputShape(img, in, 0), constShape(img, in, 0), constShape(img, in, 1))
	case "lstm", "gru":
		return recurrent(inputShape(img, in, 0), inputShape(img, in, 1), inputShape(img, in, 2))
	}
	return 0, false
}

// perOutput counts one multiply-accumulate for every element of the output and
// every weight of its channel, w being [O, ...].
func perOutput(img *runtime.Image, in *runtime.Instr, w []int) (float64, bool) {
	if len(w) == 0 || len(in.Out) == 0 || in.Out[0] < 0 {
		return 0, false
	}
	return volume(img.Buffers[in.Out[0]].Shape) * volume(w[1:]), true
}

// recurrent counts all weights for every step: x is [T,N,I] or [N,T,I].
func recurrent(x, wi, wh []int) (float64, bool) {
	if len(x) != 3 || wi == nil || wh == nil {
		return 0, false
	}
	return volume(x[:2]) * (volume(wi) + volume(wh)), true
}

func volume(shape []int) float64 {
	n := 1.0
	for _, d := range shape {
		n *= float64(d)
	}
	return n
}

func constShape(img *runtime.Image, in *runtime.Instr, i int) []int {
	if i >= len(in.Const) || in.Const[i] < 0 {
		return nil
	}
	return img.Consts[in.Const[i]].Shape
}

// inputShape is the shape of an input: a buffer or a constant.
func inputShape(img *runtime.Image, in *runtime.Instr, i int) []int {
	switch {
	case i >= len(in.In) || in.In[i] == -1:
		return nil
	case in.In[i] < -1:
		return img.Consts[runtime.ConstOperand(in.In[i])].Shape // its own inverse
	}
	return img.Buffers[in.In[i]].Shape
}

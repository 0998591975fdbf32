//go:build amd64 && !purego

package gemm

//go:generate go -C ../../internal/asmgen run . train/gemm

import "golang.org/x/sys/cpu"

func native() []kernels {
	var list []kernels
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		list = append(list, kernels{"avx2", tileAVX2, dotAVX2, dotAtAVX2})
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ {
		list = append(list, kernels{"avx512", tileAVX512, dotAVX512, dotAtAVX512})
	}
	return list
}

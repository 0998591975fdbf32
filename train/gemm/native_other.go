//go:build !amd64 || purego

package gemm

func native() []kernels { return nil }

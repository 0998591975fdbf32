//go:build !amd64 || purego

package vec

func native() []kernels { return nil }

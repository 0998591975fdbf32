//go:build purego || !amd64

package kernels

func asmAvailable(ISA) bool { return false }

func asmTable() []kernel { return nil }

package golden

import (
	"context"
	"os"
	"testing"

	"github.com/billnet/billnet/frontend/onnx"
	"github.com/billnet/billnet/runtime"
)

// TestAnyByteChanged changes every byte of a program in turn: none loads.
func TestAnyByteChanged(t *testing.T) {
	_, program := compile(t, importModel(t, "tiny", onnx.Options{}))
	if _, err := runtime.LoadBytes(program); err != nil {
		t.Fatal(err)
	}
	for i := range program {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			program[i] ^= flip
			if _, err := runtime.LoadBytes(program); err == nil {
				t.Errorf("byte %d changed by %#x: the program loads", i, flip)
			}
			program[i] ^= flip
		}
	}
	for n := range program {
		if _, err := runtime.LoadBytes(program[:n]); err == nil {
			t.Errorf("cut to %d bytes: the program loads", n)
		}
	}
	if _, err := runtime.LoadBytes(append(program, 0)); err == nil {
		t.Error("with a byte more: the program loads")
	}
}

// TestCutShort cuts ONNX files at many places: an error, never a panic.
func TestCutShort(t *testing.T) {
	for _, name := range []string{"tiny.onnx", "raw.onnx", "open.onnx"} {
		data, err := os.ReadFile(modelFile(name))
		if err != nil {
			t.Fatal(err)
		}
		// A cut between two fields of the outermost message leaves a valid file
		// without its last fields: the opset and the graph are among them.
		for n := 0; n < len(data); n += 1 + len(data)/300 {
			if _, _, err := onnx.ImportBytes(context.Background(), name, data[:n], onnx.Options{}); err == nil {
				t.Errorf("%s cut to %d of %d bytes: it is imported", name, n, len(data))
			}
		}
	}
}

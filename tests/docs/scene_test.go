package docs_test

import (
	"fmt"
	"image/gif"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
	"github.com/billnet/billnet/runtime/clip"
)

const example = "examples/gestures/"

// twoInputs is a network with two inputs.
const twoInputs = `bill 1
module "two" level=source
func @main(%x "x": f32[1,4], %s "sel": f32[1,4]) {
  %y = mul %x, %s
  return %y "y"
}
`

// plain is a network of floats that normalizes nothing.
const plain = `bill 1
module "plain" level=source
func @main(%x "clip": f32[1,3,8,24,32]) {
  %y = reduce_mean %x {axes=[2,3,4], keepdims=false}
  return %y "y"
}
`

const labels = "left\nright\nup\ndown\ncloser\nfarther\nclockwise\nanticlockwise\naway\nhere\nshaking\nother\n"

// programs finish the scene: a compiled model, and a small float network for the
// passes that make one binary.
const programs = `go install ./cmd/billc ./cmd/billrun
billc compile model.onnx -o model.billb --ledger=none
billc compile two.bill -o two.billb --ledger=none
billc compile plain.bill --emit=onnx -o plain.onnx --ledger=none
billrun test model.billb --golden dir --update
billc new --form conv3d --frames 8 --height 24 --columns 32 --hidden 32 --steps 8 --classes 4 -o float.bill
billc train float.bill -o float.onnx --data 'gestures{classes=4,val=8,test=8}' --stages 'float{steps=4}'
rm -r float.bill float.onnx.run
`

// setScene writes the files that a reader of the documents has into a copy of the
// repository; all are made of the example's.
func setScene(t *testing.T, root string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(root, name) }
	model := read(t, at(example+"gestures.onnx"))
	for _, name := range []string{"model.onnx", "net.onnx", "gesture.onnx"} {
		write(t, at(name), model)
	}
	write(t, at("open.onnx"), openTime(t, model))
	write(t, at("labels.txt"), []byte(labels))
	write(t, at("two.bill"), []byte(twoInputs))
	write(t, at("plain.bill"), []byte(plain))
	write(t, at("clips.npy"), read(t, at(example+"clips.npy")))
	for _, name := range []string{"x.npy", "s.npy"} {
		a, err := clip.NewNPY([]int{1, 4}, []float32{1, 2, 3, 4})
		if err != nil {
			t.Fatal(err)
		}
		writeNPY(t, at(name), a)
	}
	left, shaking := at(example+"clips/Swiping Left/06.gif"), at(example+"clips/Shaking Hand/04.gif")
	for from, names := range map[string][]string{left: {"clips/left.gif", "dir/left.gif", "clip.gif"}, shaking: {"clips/shaking.gif", "wave.gif"}} {
		for _, name := range names {
			write(t, at(name), read(t, from))
		}
	}
	writeFrames(t, left, at("frames"))
}

// openTime is a model whose third input dimension, of time, is open.
func openTime(t *testing.T, model []byte) []byte {
	t.Helper()
	var m onnxpb.Model
	if err := proto.Unmarshal(model, &m); err != nil {
		t.Fatal(err)
	}
	dims := m.GetGraph().GetInput()[0].GetType().GetTensorType().GetShape().GetDim()
	dims[2].Value = &onnxpb.Dimension_DimParam{DimParam: "time"}
	out, err := proto.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// writeFrames writes the frames of a GIF as pictures of a folder.
func writeFrames(t *testing.T, from, dir string) {
	t.Helper()
	f, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := gif.DecodeAll(f)
	if err != nil {
		t.Fatal(err)
	}
	for i, frame := range g.Image {
		out := create(t, filepath.Join(dir, fmt.Sprintf("%02d.png", i)))
		if err := png.Encode(out, frame); err != nil {
			t.Fatal(err)
		}
		out.Close()
	}
}

func writeNPY(t *testing.T, name string, a *clip.NPY) {
	t.Helper()
	f := create(t, name)
	defer f.Close()
	if err := clip.WriteNPY(f, a); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, name string) *os.File {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	f := create(t, name)
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
}

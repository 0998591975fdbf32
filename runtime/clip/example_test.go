package clip_test

import (
	"bytes"
	"fmt"
	"io"
	"log"

	"github.com/billnet/billnet/runtime/clip"
)

// A video of any size becomes the bytes of a model's input.
func ExampleOpen() {
	// A YUV4MPEG2 file of 4 frames of 4x2 pixels, each brighter than the one before.
	var video bytes.Buffer
	fmt.Fprint(&video, "YUV4MPEG2 W4 H2 F25:1 C444\n")
	for t := range 4 {
		fmt.Fprint(&video, "FRAME\n")
		video.Write(bytes.Repeat([]byte{byte(16 + 50*t)}, 8)) // luma
		video.Write(bytes.Repeat([]byte{128}, 16))            // no colour
	}
	want := clip.Spec{C: 3, T: 2, H: 2, W: 2, Layout: "CTHW", DType: "u8"}
	src, err := clip.Open("-", want, clip.Options{Stdin: &video})
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()
	for {
		item, err := src.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(item.Note)
		fmt.Println(item.Tensor.Shape, item.Tensor.U8[:8])
	}
	// Output:
	// 4 frames 4x2 -> 2 frames 2x2: frames 1,3; stretch, area
	// [3 2 2 2] [58 58 58 58 175 175 175 175]
}

// An input of floats says what it wants in place of 0 to 255.
func ExampleSpec_Tensor() {
	c := &clip.Clip{T: 1, H: 1, W: 2, C: 1, Pix: []uint8{0, 255}}
	s := clip.Spec{C: 1, T: 1, H: 1, W: 2, DType: "f32", Norm: clip.Norm{Mean: []float32{0.5}, Std: []float32{0.25}}} // of x/255
	t, err := s.Tensor(c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Shape, t.F32)
	// Output: [1 1 1 2] [-2 2]
}

// Fit chooses frames evenly and says what it did.
func ExampleFit() {
	c := &clip.Clip{T: 9, H: 4, W: 4, C: 1, Pix: make([]uint8, 9*16)}
	for t := range c.T {
		for i := range c.Frame(t) {
			c.Frame(t)[i] = uint8(t)
		}
	}
	fitted, note, err := clip.Fit(c, clip.Spec{C: 1, T: 3, H: 2, W: 2}, clip.Stretch)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(note)
	fmt.Println(fitted.Pix)
	// Output:
	// 9 frames 4x4 -> 3 frames 2x2: frames 1,4,7; stretch, area
	// [1 1 1 1 4 4 4 4 7 7 7 7]
}

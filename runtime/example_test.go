package runtime_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"

	"github.com/billnet/billnet/runtime"
)

// A model is loaded once; each goroutine that runs it takes a session of its own.
func Example() {
	prog, err := runtime.LoadBytes(brightness())
	if err != nil {
		log.Fatal(err)
	}
	s, err := prog.NewSession(runtime.Options{Threads: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	picture := []uint8{220, 240, 250, 230}
	logits := make([]float32, len(prog.Labels()))
	if err := s.Run([][]byte{picture}, [][]byte{runtime.Bytes(logits)}); err != nil {
		log.Fatal(err)
	}
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	fmt.Println(logits, prog.Labels()[best])
	// Output: [-640 100 240] bright
}

// What can not be loaded is told apart by errors.Is.
func ExampleLoad_errors() {
	file := brightness()
	damaged := bytes.Clone(file)
	damaged[len(damaged)-1] ^= 1
	for _, file := range [][]byte{file, file[:100], damaged, []byte("a text")} {
		_, err := runtime.Load(bytes.NewReader(file))
		switch {
		case err == nil:
			fmt.Println("loaded")
		case errors.Is(err, runtime.ErrNotModel):
			fmt.Println("not a model")
		case errors.Is(err, runtime.ErrVersion):
			fmt.Println("too new: update the program")
		case errors.Is(err, runtime.ErrTruncated), errors.Is(err, runtime.ErrChecksum):
			fmt.Println("damaged: download it again:", err)
		default:
			fmt.Println(err)
		}
	}
	// Output:
	// loaded
	// damaged: download it again: billb: the file has 100 bytes, its header says 411: it is cut off or was changed
	// damaged: download it again: billb: checksum 088c5ea0, the header says fae7dda3: the file was damaged
	// not a model
}

// Limits keep a file from asking for more memory than a program wants to give.
func ExampleLoader() {
	l := runtime.Loader{MaxFile: 1 << 20, MaxArena: 100}
	_, err := l.LoadBytes(brightness())
	fmt.Println(errors.Is(err, runtime.ErrLimit), err)
	// Output: true billb: brightness: the arena has 192 bytes, the limit set for it is 100
}

// The ports say what a model takes and gives.
func ExampleProgram_Inputs() {
	prog, err := runtime.LoadBytes(brightness())
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range prog.Inputs() {
		fmt.Println("input ", p.Name, p.Elem, p.Shape)
	}
	for _, p := range prog.Outputs() {
		fmt.Println("output", p.Name, p.Elem, p.Shape)
	}
	// Output:
	// input  picture u8 [1 4]
	// output logits f32 [1 3]
}

// Inputs and outputs by name, with their types checked.
func ExampleSetInput() {
	prog, err := runtime.LoadBytes(brightness())
	if err != nil {
		log.Fatal(err)
	}
	s, err := prog.NewSession(runtime.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	logits := make([]float32, 3)
	err = errors.Join(
		runtime.SetInput(s, "picture", []uint8{10, 20, 30, 40}),
		s.Execute(),
		runtime.Output(s, "logits", logits),
	)
	fmt.Println(logits, err)
	fmt.Println(runtime.SetInput(s, "picture", []float32{0.1, 0.2, 0.3, 0.4}))
	// Output:
	// [200 100 -600] <nil>
	// input "picture" has elements u8, got []float32
}

// What a program is made of, and what a run of it multiplies.
func ExampleProgram_Instructions() {
	prog, err := runtime.LoadBytes(brightness())
	if err != nil {
		log.Fatal(err)
	}
	for _, in := range prog.Instructions() {
		fmt.Printf("%s: %s (%v multiply-accumulates)\n", in.Name, in.Text, in.MACs)
	}
	// Output:
	// float: @1 f32[1,4] = cast @0 u8[1,4] (0 multiply-accumulates)
	// classes: @2 f32[1,3] = gemm @1 f32[1,4], #0 f32[4,3], #1 f32[3] {trans_a=false trans_b=false alpha=1 beta=1} (12 multiply-accumulates)
}

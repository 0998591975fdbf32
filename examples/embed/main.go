// Command embed classifies a clip with a network that is a package of its own
// program: no file to load, no dependency.
//
//	go generate && go run . < clip.rgb
//
// The clip on standard input is what the network takes: bytes of its 16 frames
// of 64x48 pixels, channel by channel ([3][16][48][64]).
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"slices"

	"example.com/embed/gesture"
)

//go:generate go -C ../.. run ./cmd/billc compile examples/gestures/gestures.onnx --emit=go -o examples/embed/gesture --package gesture --ledger=none

func main() {
	clip := make([]uint8, gesture.ClipSize)
	if _, err := io.ReadFull(os.Stdin, clip); err != nil {
		log.Fatalf("reading the clip: %v", err)
	}
	m := gesture.New()
	defer m.Close()
	logits := make([]float32, gesture.LogitsSize)
	if err := m.Run(clip, logits); err != nil {
		log.Fatal(err)
	}
	fmt.Println(gesture.Labels()[slices.Index(logits, slices.Max(logits))])
}

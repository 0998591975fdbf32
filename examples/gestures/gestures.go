// Package gestures holds a BILLNET that tells 12 hand gestures apart, trained
// with billc on generated clips, and one clip of every class. make.sh makes all
// of it again.
//
// The network computes in bits and integers up to its last layer: a stem on 16
// frames of 48x64 bytes, three stages of factorized Conv3D blocks with MUX-OR
// residuals, and an LSTM whose cell is a small counter.
package gestures

import _ "embed"

var (
	//go:embed gestures.onnx
	model []byte
	//go:embed clips.npy
	clips []byte
	//go:embed clips.labels.npy
	classes []byte
)

// Model is the network in its source form as ONNX: weights of -1 and +1,
// comparisons as activations. Its metadata names the classes.
func Model() []byte { return model }

// Clips are the first 12 clips of the generator's test split, one a class, as an
// .npy file: u8[12,3,16,48,64].
func Clips() []byte { return clips }

// Classes are the clips' classes, as an .npy file: i64[12].
func Classes() []byte { return classes }

// Package runtime loads a compiled BILLNET model, a .billb file, and runs it.
//
//	prog, err := runtime.Load(file)
//	s, err := prog.NewSession(runtime.Options{Threads: 2})
//	defer s.Close()
//	logits := make([]float32, 27)
//	err = s.Run([][]byte{clip}, [][]byte{runtime.Bytes(logits)})
//
// A Program is what a file holds: it is read-only, and any number of sessions may
// share it. A Session owns the memory of one run at a time; each goroutine that
// runs the model takes one of its own. Run allocates nothing.
//
// # Inputs and outputs
//
// Program.Inputs and Program.Outputs are the model's ports: a name, an element type
// and a shape. Run takes and gives them as bytes of row-major elements in the
// machine's byte order, each of its natural width: four for f32, one for u8; bool
// and bit take a byte of 0 or 1, sbit a byte of -1 or +1, tern one of -1, 0 or +1.
// Bytes views a slice of numbers that way. SetInput, Session.Execute and Output do
// the same port by port, by name and with the types checked. Package runtime/clip
// reads videos as the bytes that a model takes.
//
// # Errors
//
// A file is checked completely before anything of it runs, and what it asks for is
// limited (see Loader). What loading refuses is told apart by errors.Is:
//
//	ErrNotModel   the file is something else
//	ErrVersion    it needs a newer runtime
//	ErrTruncated  it is cut off
//	ErrChecksum   it was damaged
//	ErrFormat     it is whole, but holds no valid program
//	ErrLimit      it, or the program, is larger than the limits allow
//	ErrISA        an instruction set is unknown, or this machine does not have it
//
// What the reader itself returns is found in the error too. A run fails with
// ErrBusy when the session is running on another goroutine, with ErrClosed after
// Close, and with an error that names instruction and element when an index that
// is computed from the inputs is out of range. After a failed run the session can
// be used again.
//
// # The format
//
// Package runtime/billb specifies the file and the machine that this package is.
// A later version of this package reads all earlier versions of the format.
package runtime

// Package exact has the passes from what ONNX says to bits, integers and thresholds.
// None changes an output bit: those of class exact give the source's own numbers,
// those of class ideal the result over the real numbers where the source's float sum
// has no defined order.
//
// A pass is one file with its name. What several share has a file of its own: chains
// of per-channel operations over an integer and the search for their thresholds,
// scaled integers, what a bias becomes under padding, gates, pools and moves of
// elements.
package exact

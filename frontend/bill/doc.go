// Package bill reads and writes the text form of the intermediate
// representation, the language in which BILLNET models are shown, kept in
// files, compared and written by hand.
//
// A text is a header and functions:
//
//	bill 1
//	module "gate" level=source
//	meta "producer" "by hand"
//	labels "left", "right"
//	data "gate.bill.data" size=4096 crc32c=1234567
//
//	func @main(%0 "x": f32[1,2]) {
//	  %1 = const [0.5, -1] : f32[2]
//	  %2 = add %0, %1 : f32[1,2] loc("bias")   // a comment
//	  %3 = reduce_mean %2 {axes=[1]} : f32[1,1]
//	  return %3 "y"
//	}
//
// Every statement names its results, the operation, its operands (_ for an
// optional one left out), attributes that differ from their defaults, the
// results' types, and the node of the source model it stems from. Values are
// defined once, above their first use; their names are digits or identifiers.
// A constant is a list, one number for all elements (splat 0), or an offset
// into the side file that holds large ones (@4096) in ir.Tensor.Data's layout.
// White space and line ends only separate.
//
// People write less than a printer does. Types may be left out, and parameters
// that training is to find begin with an initializer in place of their elements:
// zeros, ones, he, glorot, normal(s), uniform(a, b). Three statements shorten a
// text; Parse writes them out, so that a module knows nothing of them:
//
//	let width = 8                                // a number, for shapes and attributes
//
//	block @layer(%x, n) {                        // a piece of network with values and
//	  %w = const he : f32[n, n, 3, 3]            // numbers as parameters; the w of a
//	  %y = conv %x, %w {pad=[1,1,1,1]}           // call named a is a.w
//	  return %y
//	}
//
//	%a = @layer %clip {n=width}                  // its statements in place of the call
//	repeat i = 0 to 7                            // the statements up to end, eight times;
//	  %a = @layer %a {n=width}                   // a value may be defined anew, its
//	end                                          // nodes are named a.0, a.1, ...
//
// docs/language.md is the guide to writing.
//
// ir.Print writes the long form and Parse is its inverse: a module printed and
// parsed is Equal to itself. Parse infers every type again and refuses a text
// that says otherwise, so a text that parses is a module that verifies.
//
// Every error begins with file:line:col. Sizes are checked before memory is
// taken: the text, its tokens, axes, the side file and the total number of
// constant elements have the limits given by the Max constants.
package bill

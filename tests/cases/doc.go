// Package cases compiles small models on which a compiler may give a wrong
// value, a wrong refusal or a fault of its own, and checks what comes out.
//
//	shared_test.go   every folder of the collection that BILLNET_SHARED names; "go test ./tests/cases -run Shared -v" prints a table
//	random_test.go   networks of idioms and float operators that bench/random_networks.py made, with what ONNX Runtime gives
//	table_test.go    models of ours of the same kinds, made in the test, with the values that ONNX's text gives
package cases

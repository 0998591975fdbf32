// Package onnxpb holds the wire messages of the ONNX model format: a subset of
// its schema under our own message names (see onnx.proto).
package onnxpb

//go:generate go build -o protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
//go:generate protoc --plugin=./protoc-gen-go -I ../../.. --go_out=../../.. --go_opt=paths=source_relative frontend/onnx/onnxpb/onnx.proto
//go:generate rm protoc-gen-go

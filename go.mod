module github.com/billnet/billnet

go 1.26.0

require (
	github.com/alecthomas/kong v1.17.0
	github.com/alecthomas/participle/v2 v2.1.4
	github.com/chewxy/hm v1.0.0
	github.com/chewxy/math32 v1.0.4
	github.com/gogo/protobuf v1.3.0
	github.com/golang/protobuf v1.5.0
	github.com/google/flatbuffers v1.11.0
	github.com/google/go-cmp v0.7.0
	github.com/owulveryck/onnx-go v0.5.0
	github.com/pkg/errors v0.8.1
	github.com/rogpeppe/go-internal v1.16.0
	github.com/xtgo/set v1.0.0
	golang.org/x/image v0.47.0
	golang.org/x/sys v0.49.0
	gonum.org/v1/gonum v0.17.0
	google.golang.org/protobuf v1.36.12
	gorgonia.org/tensor v0.9.3
	gorgonia.org/vecf32 v0.9.0
	gorgonia.org/vecf64 v0.9.0
	pgregory.net/rapid v1.3.0
)

require golang.org/x/tools v0.30.0 // indirect

package ir

import "fmt"

var PRelu = register(&Op{
	Name:     "prelu",
	Doc:      "y = x for x >= 0, slope*x for x < 0; slope broadcasts to x.",
	Onnx:     "PRelu",
	Since:    1,
	Levels:   Source | Logic | Packed,
	Kind:     Elementwise,
	Operands: []Param{{Name: "x"}, {Name: "slope", Doc: "broadcasts to x"}},
	Results:  []Param{{Name: "y"}},
	Infer: func(n *Node) ([]Type, error) {
		types, err := binaryInfer(isNumber, Invalid)(n)
		if err != nil {
			return nil, err
		}
		if !SameShape(types[0].Shape, n.In(0).Shape) {
			return nil, fmt.Errorf("slope is %s, expected a shape that broadcasts to x, %s", n.In(1), n.In(0))
		}
		return types, nil
	},
	Eval:  binaryEval(prelu[float32], prelu[float64], prelu[int64]),
	Slope: slopeIf(func(n *Node) bool { return constSlope(n.Arg(1)) == Rising }),
	Example: `
  %1 = const [-1, 2, -3, 4] : f32[2,2]
  %2 = const [0.5, -1] : f32[2,1]
  %3 = prelu %1, %2 : f32[2,2]
  return %3 "y"`,
})

func prelu[E number](x, slope E) E {
	if x < 0 {
		return slope * x
	}
	return x
}

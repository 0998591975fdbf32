package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
)

// params makes the graph's inputs the function's, with every dimension fixed,
// and those bound by Options.Consts constants.
func (imp *importer) params() error {
	if err := imp.checkOptions(); err != nil {
		return err
	}
	sizes := imp.openSizes()
	if err := imp.openDims(sizes); err != nil {
		return err
	}
	for _, in := range imp.model.Graph.Inputs {
		shape, err := imp.inputShape(in, sizes)
		if err != nil {
			return fmt.Errorf("graph input %q (%s): %w", in.Name, in, err)
		}
		v, err := imp.param(in, shape)
		if err != nil {
			return fmt.Errorf("graph input %q (%s): %w", in.Name, in, err)
		}
		imp.values[in.Name] = v
		if in.DType.Known() && in.DType.Bits() < 8 {
			imp.narrow[v] = in.DType
		}
	}
	return nil
}

// openDims reports all dimensions that are left open, and with them the operators
// that have no counterpart: what one run can tell, it tells.
func (imp *importer) openDims(sizes map[string]int) error {
	var open, flags []string
	add := func(what, flag string) {
		open = append(open, what)
		if !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	for _, in := range imp.model.Graph.Inputs {
		if imp.opt.Consts[in.Name] != nil || imp.opt.Shapes[in.Name] != nil {
			if _, err := imp.inputShape(in, sizes); err != nil {
				return fmt.Errorf("graph input %q (%s): %w", in.Name, in, err)
			}
			continue
		}
		if !in.HasShape {
			add(fmt.Sprintf("the shape of input %q, which the model does not give", in.Name), fmt.Sprintf("--shape %s=...", in.Name))
		}
		for i, d := range in.Dims {
			_, sized := sizes[d.Name]
			switch {
			case d.Size >= 0 || d.Name != "" && sized || d.Name == "" && i == 0:
			case d.Name != "":
				add(fmt.Sprintf("dimension %d of input %q (%s)", i, in.Name, in), fmt.Sprintf("--dim %s=...", d.Name))
			default:
				add(fmt.Sprintf("dimension %d of input %q (%s)", i, in.Name, in), fmt.Sprintf("--shape %s=...", in.Name))
			}
		}
	}
	if open == nil {
		return nil
	}
	err := fmt.Errorf("open: %s; give sizes with %s", strings.Join(open, ", "), strings.Join(flags, " "))
	for _, n := range imp.model.Graph.Nodes {
		if _, known := handlers[operator{n.Domain, n.Op}]; !known {
			imp.refuse(n, refusal(n))
		}
		imp.lose(n)
	}
	if len(imp.unsupported) > 0 {
		return &UnsupportedError{Items: imp.unsupported, Also: err}
	}
	return err
}

// checkOptions refuses options that name nothing in the model: most likely
// they are misspelt.
func (imp *importer) checkOptions() error {
	var inputs, dims []string
	for _, in := range imp.model.Graph.Inputs {
		inputs = append(inputs, in.Name)
		for _, d := range in.Dims {
			if d.Size < 0 && d.Name != "" && !slices.Contains(dims, d.Name) {
				dims = append(dims, d.Name)
			}
		}
	}
	for _, name := range sortedKeys(imp.opt.Dims) {
		if !slices.Contains(dims, name) {
			return fmt.Errorf("option --dim %s: no open dimension is called that; the model has %s", name, list(dims))
		}
		if size := imp.opt.Dims[name]; size < 1 {
			return fmt.Errorf("option --dim %s=%d: the size must be positive", name, size)
		}
	}
	for _, o := range []struct {
		flag  string
		names []string
	}{
		{"--shape", sortedKeys(imp.opt.Shapes)},
		{"--const", sortedKeys(imp.opt.Consts)},
		{"--input", sortedKeys(imp.opt.Inputs)},
	} {
		for _, name := range o.names {
			if !slices.Contains(inputs, name) {
				return fmt.Errorf("option %s %s: no graph input is called that; the model has %s", o.flag, name, list(inputs))
			}
		}
	}
	return nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// openSizes gives names of open dimensions their sizes: the user's, or 1 for
// those that stand first, where the batch is. A name means the same size
// everywhere.
func (imp *importer) openSizes() map[string]int {
	sizes := make(map[string]int)
	for _, in := range imp.model.Graph.Inputs {
		if imp.opt.Consts[in.Name] != nil || imp.opt.Shapes[in.Name] != nil || len(in.Dims) == 0 {
			continue
		}
		first := in.Dims[0]
		if first.Size >= 0 {
			continue
		}
		if _, ok := imp.opt.Dims[first.Name]; ok && first.Name != "" {
			continue
		}
		if _, ok := sizes[first.Name]; ok && first.Name != "" {
			continue
		}
		sizes[first.Name] = 1
		imp.report.notef("the open first dimension %q of input %q is taken as 1 (--dim or --shape sets another size)", first.String(), in.Name)
	}
	for name, size := range imp.opt.Dims {
		sizes[name] = size
	}
	return sizes
}

func (imp *importer) inputShape(in ValueInfo, sizes map[string]int) ([]int, error) {
	if t := imp.opt.Consts[in.Name]; t != nil {
		return t.Type.Shape, in.fits(t.Type.Shape)
	}
	if shape := imp.opt.Shapes[in.Name]; shape != nil {
		return shape, in.fits(shape)
	}
	if !in.HasShape {
		return nil, fmt.Errorf("the model does not give its shape; use --shape %s=...", in.Name)
	}
	shape := make([]int, len(in.Dims))
	for i, d := range in.Dims {
		shape[i] = d.Size
		if d.Size >= 0 {
			continue
		}
		size, ok := sizes[d.Name]
		if d.Name == "" {
			ok = i == 0
			size = 1
		}
		if !ok && d.Name != "" {
			return nil, fmt.Errorf("dimension %d is open; use --dim %s=... or --shape %s=...", i, d.Name, in.Name)
		}
		if !ok {
			return nil, fmt.Errorf("dimension %d is open; use --shape %s=...", i, in.Name)
		}
		shape[i] = size
	}
	return shape, nil
}

// fits checks a given shape against the declared one.
func (v ValueInfo) fits(shape []int) error {
	if !v.HasShape {
		return nil
	}
	ok := len(shape) == len(v.Dims)
	for i := 0; ok && i < len(shape); i++ {
		ok = v.Dims[i].Size < 0 || v.Dims[i].Size == shape[i]
	}
	if !ok {
		return fmt.Errorf("the given shape %s does not fit", ir.ShapeString(shape))
	}
	return nil
}

// param makes one parameter. If the input arrives as another element type than
// the graph expects, a cast follows it.
func (imp *importer) param(in ValueInfo, shape []int) (*ir.Value, error) {
	if err := ir.CheckShape(shape); err != nil {
		return nil, err
	}
	bound := imp.opt.Consts[in.Name]
	given := imp.opt.Inputs[in.Name]
	arrives, ok := ir.ParseDType(given)
	if given != "" && (!ok || arrives.IsLogic()) {
		return nil, fmt.Errorf("option --input %s=%s: no such element type; there are f32, u8, i8, ...", in.Name, given)
	}
	declared, ok := irTypes[in.DType]
	switch {
	case in.DType == Undefined && given != "":
		declared = arrives
	case in.DType == Undefined && bound != nil:
		declared = bound.Type.DType
	case in.DType == Undefined:
		return nil, fmt.Errorf("the model does not give its element type; use --input %s=f32 or another type", in.Name)
	case !ok:
		return nil, fmt.Errorf("element type %s is not supported", in.DType)
	}
	loc := ir.Loc{Name: in.Name}
	if bound != nil {
		return imp.append(ir.NewConst(bound.Convert(declared), loc)), nil
	}
	if given == "" {
		arrives = declared
	}
	v := &ir.Value{Type: ir.T(arrives, shape...)}
	imp.fn.Params = append(imp.fn.Params, ir.Port{Name: in.Name, Value: v})
	if arrives == declared {
		return v, nil
	}
	cast, err := ir.NewNode(ir.Cast, []*ir.Value{v}, map[string]any{"to": declared.String()}, loc)
	if err != nil {
		return nil, err
	}
	return imp.append(cast), nil
}

// videoInputs turns float inputs that the graph does nothing with but divide
// them by 255 into the bytes they were made from. A type given in
// Options.Inputs stands.
func (imp *importer) videoInputs() {
	uses := imp.fn.Uses()
	for _, p := range imp.fn.Params {
		v := p.Value
		if _, ok := imp.opt.Inputs[p.Name]; ok || v.Type.DType != ir.F32 || len(uses[v]) == 0 {
			continue
		}
		if slices.ContainsFunc(uses[v], func(n *ir.Node) bool { return !imp.dividesBy255(n, v) }) {
			continue
		}
		arg := &ir.Value{Type: v.Type}
		cast, err := ir.NewNode(ir.Cast, []*ir.Value{arg}, map[string]any{"to": "f32"}, ir.Loc{Name: p.Name})
		if err != nil {
			continue // stays a float input
		}
		imp.fn.Replace(map[*ir.Value]*ir.Value{v: cast.Result()})
		imp.fn.Nodes = slices.Insert(imp.fn.Nodes, 0, cast)
		*v = ir.Value{Type: v.Type.With(ir.U8)}
		cast.Args[0] = v
		imp.report.notef("input %q is taken as u8, because the graph divides it by 255 (--input %s=f32 keeps it a float)", p.Name, p.Name)
	}
}

// dividesBy255 reports whether n computes v/255, or v times the nearest float.
func (imp *importer) dividesBy255(n *ir.Node, v *ir.Value) bool {
	scale := func(i int) float64 {
		if n.Args[i] == v {
			return 0
		}
		t, err := imp.fold(n.Args[i])
		if err != nil {
			return 0
		}
		s, _ := t.Splat()
		return s
	}
	switch {
	case n.Is(ir.Div):
		return n.Args[0] == v && scale(1) == 255
	case n.Is(ir.Mul):
		const inverse = float64(float32(1.0 / 255))
		return scale(0) == inverse || scale(1) == inverse
	}
	return false
}

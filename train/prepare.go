package train

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/exact"
)

// canonical are the exact passes that bring idioms into the forms that the rules
// know. The parameters are no constants by then, so nothing of them is folded.
func canonical() []passes.Step {
	return passes.Steps(exact.FoldConstants, exact.MergeEqual, exact.BinaryActivations, exact.MergeEqual)
}

// findParams returns the parameters of a module, in the order of its nodes.
func findParams(m *ir.Module, forced map[string]ParamKind) ([]*Param, error) {
	f := m.Main()
	find := newFinder(f)
	names := map[string]bool{}
	for _, p := range f.Params {
		names[p.Name] = true
	}
	for _, r := range f.Results {
		names[r.Name] = true
	}
	missing := map[string]bool{}
	for name := range forced {
		missing[name] = true
	}
	var params []*Param
	for i, n := range f.Nodes {
		if n.Const == nil {
			continue
		}
		what := find.kindOf(n.Result())
		if k, ok := forced[n.Loc.Name]; ok && n.Const.Type.DType == ir.F32 {
			what = found{k, signs, n}
			delete(missing, n.Loc.Name)
		}
		if what.by == nil {
			continue
		}
		kind, name := what.kind, n.Loc.Name
		if name == "" {
			name = strings.TrimPrefix(what.by.Loc.Name+"."+kind.String(), ".")
		}
		for base, k := name, 2; names[name]; k++ {
			name = fmt.Sprintf("%s#%d", base, k)
		}
		names[name] = true
		p := &Param{Name: name, Kind: kind, Shape: n.Const.Type.Shape, Rate: 1, node: i, Statistic: kind == KindMean || kind == KindVariance}
		p.Data = append(make([]float32, 0, n.Const.Len()+slack), n.Const.Floats()...)
		if !p.Statistic {
			p.Grad = make([]float32, len(p.Data))
		}
		switch kind {
		case KindLatent:
			p.Decay = 1
			if what.form == signs {
				p.Bound = 1
			}
		case KindWeight:
			p.Decay = 1
		}
		params = append(params, p)
	}
	for name := range missing {
		return nil, fmt.Errorf("there is no float32 constant named %q to train", name)
	}
	return params, nil
}

// prepare returns a copy of a module in which parameters are parameters of the
// main function, after its inputs, and idioms are canonical.
func prepare(ctx context.Context, m *ir.Module, params []*Param) (*ir.Module, map[*ir.Value]*Param, error) {
	m = m.Clone()
	m.Funcs = m.Funcs[:1]
	f := m.Main()
	inputs := len(f.Params)
	repl := map[*ir.Value]*ir.Value{}
	for _, p := range params {
		v := &ir.Value{Type: f.Nodes[p.node].Result().Type}
		repl[f.Nodes[p.node].Result()] = v
		f.Params = append(f.Params, ir.Port{Name: p.Name, Value: v})
	}
	f.Replace(repl)
	f.RemoveDead()
	if _, err := passes.Run(ctx, m, canonical(), passes.RunOptions{}); err != nil {
		return nil, nil, err
	}
	values := map[*ir.Value]*Param{}
	for i, p := range params {
		values[f.Params[inputs+i].Value] = p
	}
	return m, values, nil
}

// IsAuxiliary reports whether a result with this name is a head for training
// only.
func IsAuxiliary(name string) bool { return strings.HasPrefix(name, "aux") }

// mainResult returns the index of the first result that is no auxiliary head.
func mainResult(f *ir.Func) (int, error) {
	i := slices.IndexFunc(f.Results, func(p ir.Port) bool { return !IsAuxiliary(p.Name) })
	if i < 0 {
		return 0, fmt.Errorf("func @%s has no result to train: names that begin with aux are auxiliary heads", f.Name)
	}
	return i, nil
}

package passes

import (
	"regexp"
	"slices"
	"strings"

	"github.com/billnet/billnet/internal/suggest"
	"github.com/billnet/billnet/ir"
)

// SelectLayers returns the nodes of a kind whose names match the option layers,
// all when it is not set, in order.
func SelectLayers(c *Context, m *ir.Module, kind string, is func(n *ir.Node) bool) ([]*ir.Node, error) {
	var all []*ir.Node
	for _, f := range m.Funcs {
		for _, n := range f.Nodes {
			if is(n) {
				all = append(all, n)
			}
		}
	}
	patterns := c.Names("layers")
	if len(patterns) == 0 {
		return all, nil
	}
	chosen, err := NamedNodes("layers", patterns, kind, all)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(n *ir.Node) bool { return !chosen[n] }), nil
}

// NamedNodes returns the nodes whose names match patterns, of which each must
// match one; kind says what the nodes are.
func NamedNodes(option string, patterns []string, kind string, nodes []*ir.Node) (map[*ir.Node]bool, error) {
	var names []string
	for _, n := range nodes {
		names = append(names, n.LayerName())
	}
	chosen := map[*ir.Node]bool{}
	for _, p := range patterns {
		match := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*") + "$")
		found := false
		for i, n := range nodes {
			if match.MatchString(names[i]) {
				chosen[n], found = true, true
			}
		}
		switch {
		case !found && len(names) == 0:
			return nil, BadOption(option, "no %s is called %q; the model has none", kind, p)
		case !found:
			return nil, BadOption(option, "no %s is called %q%s; there are %s", kind, p, suggest.Nearest(p, names), strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// uses calls yield for every value that n needs: its inputs, and what the
// sub-graphs in its attributes take from outside.
func (n *Node) uses(yield func(name string) error) error {
	for _, name := range n.Inputs {
		if name == "" {
			continue
		}
		if err := yield(name); err != nil {
			return err
		}
	}
	for _, key := range sortedKeys(n.Attrs) {
		var bodies []*Graph
		switch v := n.Attrs[key].(type) {
		case *Graph:
			bodies = []*Graph{v}
		case []*Graph:
			bodies = v
		}
		for _, g := range bodies {
			for _, name := range g.Captured {
				if err := yield(name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// link checks that every value has one definition and every use a definition,
// and puts the nodes in an order in which definitions come first; nodes that
// are in order already stay as they are. defined holds the graph's inputs and
// initializers and receives the nodes' outputs. A sub-graph may use values of
// the graphs around it: those end up in g.Captured.
func (g *Graph) link(defined map[string]bool, subgraph bool) error {
	producer := make(map[string]int)
	for i, n := range g.Nodes {
		for _, out := range n.Outputs {
			if out == "" {
				continue
			}
			if p, ok := producer[out]; ok {
				return n.errorf("output %q is also an output of %s", out, g.Nodes[p])
			}
			if defined[out] {
				return n.errorf("output %q is also a graph input or initializer", out)
			}
			producer[out] = i
		}
	}

	deps := make([][]int, len(g.Nodes))
	captured := make(map[string]bool)
	for i, n := range g.Nodes {
		err := n.uses(func(name string) error {
			if p, ok := producer[name]; ok {
				deps[i] = append(deps[i], p)
				return nil
			}
			if defined[name] {
				return nil
			}
			if !subgraph {
				return n.errorf("input %q is defined nowhere", name)
			}
			if !captured[name] {
				captured[name] = true
				g.Captured = append(g.Captured, name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}

	order, err := topological(g.Nodes, deps)
	if err != nil {
		return err
	}
	g.Nodes = order
	for out := range producer {
		defined[out] = true
	}
	return nil
}

// topological orders nodes so that every node follows those it depends on:
// depth first in the given order, on an explicit stack because chains can be
// as long as the model.
func topological(nodes []*Node, deps [][]int) ([]*Node, error) {
	const (
		unseen = iota
		open
		done
	)
	state := make([]byte, len(nodes))
	order := make([]*Node, 0, len(nodes))
	var stack []int
	for root := range nodes {
		if state[root] != unseen {
			continue
		}
		stack = append(stack, root)
		state[root] = open
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			if len(deps[i]) == 0 {
				state[i] = done
				order = append(order, nodes[i])
				stack = stack[:len(stack)-1]
				continue
			}
			next := deps[i][0]
			deps[i] = deps[i][1:]
			switch state[next] {
			case unseen:
				state[next] = open
				stack = append(stack, next)
			case open:
				return nil, cycleError(nodes, stack[slices.Index(stack, next):])
			}
		}
	}
	return order, nil
}

// cycleError names the nodes of a cycle, each of which needs the next.
func cycleError(nodes []*Node, cycle []int) error {
	const shown = 8
	names := make([]string, 0, shown+2)
	for _, i := range cycle[:min(len(cycle), shown)] {
		names = append(names, fmt.Sprintf("%q", nodes[i].Name))
	}
	if len(cycle) > shown {
		names = append(names, "...")
	}
	names = append(names, names[0])
	return fmt.Errorf("the graph has a cycle: %s", strings.Join(names, " needs "))
}

package exact

import (
	"fmt"
	"hash/maphash"
	"sort"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/report"
)

// MergeEqual is the pass merge-equal.
var MergeEqual = &passes.Pass{
	Name:  "merge-equal",
	Doc:   "Common subexpressions: nodes with the same operation, operands, attributes and payload become one.",
	Class: passes.Exact,
	Run: passes.EachFunc(func(c *passes.Context, f *ir.Func) error {
		mergeEqual(c, f)
		return nil
	}),
}

func mergeEqual(c *passes.Context, f *ir.Func) {
	proofs := map[*ir.Tensor]*report.Certificate{}
	for _, cert := range passes.RecordsOf[report.Certificate](c.Records) {
		proofs[cert.Thresholds] = cert
	}
	seed := maphash.MakeSeed()
	ids := map[*ir.Value]int{}
	id := func(v *ir.Value) int {
		if _, ok := ids[v]; !ok {
			ids[v] = len(ids)
		}
		return ids[v]
	}
	repl := map[*ir.Value]*ir.Value{}
	seen := map[string][]*ir.Node{}
	for _, n := range f.Nodes {
		var key strings.Builder
		key.WriteString(n.Op.Name)
		for i, a := range n.Args {
			if r := repl[a]; r != nil {
				a = r
				n.Args[i] = r
			}
			fmt.Fprintf(&key, " %d", id(a))
		}
		names := make([]string, 0, len(n.Attrs))
		for k := range n.Attrs {
			names = append(names, k)
		}
		sort.Strings(names)
		for _, k := range names {
			fmt.Fprintf(&key, " %s=%v", k, n.Attrs[k])
		}
		if n.Const != nil {
			fmt.Fprintf(&key, " %s %x", n.Const.Type, maphash.Bytes(seed, n.Const.Data()))
			if p := proofs[n.Const]; p != nil { // equal thresholds of unequal accumulators have their own certificates
				fmt.Fprintf(&key, " %v %v", p.Class, p.Channels)
			}
		}
		k := key.String()
		merged := false
		for _, m := range seen[k] {
			if n.Const != nil && !n.Const.Equal(m.Const) {
				continue
			}
			for i := range n.Results {
				repl[n.Results[i]] = m.Results[i]
			}
			merged = true
			break
		}
		if !merged {
			seen[k] = append(seen[k], n)
		}
	}
	f.Replace(repl)
	f.RemoveDead()
}

package exact

import (
	"fmt"
	"hash/maphash"
	"math"
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
	hashes := map[*ir.Node]uint64{} // of constants whose samples are equal
	hash := func(n *ir.Node) uint64 {
		if _, ok := hashes[n]; !ok {
			hashes[n] = hashed(seed, n.Const, 1)
		}
		return hashes[n]
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
			fmt.Fprintf(&key, " %s %x", n.Const.Type, hashed(seed, n.Const, max(n.Const.Len()/samples, 1)))
			if p := proofs[n.Const]; p != nil { // equal thresholds of unequal accumulators have their own certificates
				fmt.Fprintf(&key, " %v %v", p.Class, p.Channels)
			}
		}
		k := key.String()
		merged := false
		for _, m := range seen[k] {
			if n.Const != nil && (hash(n) != hash(m) || !n.Const.Equal(m.Const)) {
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

// samples is the number of elements that tell most constants apart.
const samples = 64

// hashed is a hash of every step-th element of a constant.
func hashed(seed maphash.Seed, t *ir.Tensor, step int) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for i := 0; i < t.Len(); i += step {
		maphash.WriteComparable(&h, elementBits(t, i))
	}
	return h.Sum64()
}

// elementBits is what tells element i of a tensor from others of its type.
func elementBits(t *ir.Tensor, i int) uint64 {
	switch {
	case t.HoldsInts():
		return uint64(t.Int(i))
	case t.HoldsFloats():
		return uint64(math.Float32bits(t.Float32(i)))
	}
	return math.Float64bits(t.Float(i))
}

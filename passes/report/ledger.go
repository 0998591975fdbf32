package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/analysis"
)

// Entry is one row of the ledger: what a layer became, and why.
type Entry struct {
	Layer  string  `json:"layer"`
	Op     string  `json:"op"`
	Kind   string  `json:"kind"` // bit, integer, float, or convert (an integer handed to a float layer)
	Shape  string  `json:"shape"`
	MACs   int     `json:"macs"`
	Bytes  int     `json:"weight_bytes"`
	Class  string  `json:"class"`  // exact or ideal
	Margin float64 `json:"margin"` // ideal: smallest distance to a tie, in units of the accumulator
	AtRisk int     `json:"at_risk"`
	Why    string  `json:"why"`
	Output bool    `json:"output"` // the layer gives a result of the model
}

// Ledger is the account of a compiled module.
type Ledger struct {
	Entries    []Entry `json:"layers"`
	BitMACs    int     `json:"bit_macs"`
	IntMACs    int     `json:"integer_macs"`
	FloatMACs  int     `json:"float_macs"`
	BitBytes   int     `json:"bit_weight_bytes"`
	IntBytes   int     `json:"integer_weight_bytes"`
	FloatBytes int     `json:"float_weight_bytes"`

	// What the lossy passes did, by AddLossy.
	Factorized []*Factorization  `json:"factorized"`
	Gated      []*Gating         `json:"gated"`
	Binarized  []*Binarization   `json:"binarized"`
	Quantized  []*Quantization   `json:"quantized"`
	Moved      []passes.Movement `json:"moved"` // outputs over the calibration clips
}

// NewLedger accounts for every node of a module's entry that computes (layout
// operations and constants are left out).
func NewLedger(m *ir.Module, certs []Certificate) *Ledger {
	l := &Ledger{}
	l.addFunc(m.Main(), certs, 1)
	return l
}

// addFunc accounts for the nodes of a function that runs so many times, those of a
// body in place of the node that runs it.
func (l *Ledger) addFunc(f *ir.Func, certs []Certificate, times int) {
	last, scaled, between := givesOutput(f), comparesScaled(f), requantizes(f)
	for _, n := range f.Nodes {
		if n.Is(ir.Scan) {
			l.addFunc(n.Body(), certs, times*n.Int("steps"))
		}
		if movesOnly(n) || n.Is(ir.Scan) {
			continue
		}
		e := Entry{Layer: n.Loc.Name, Op: n.Op.Name, Shape: n.Result().Type.With(n.Result().Type.DType).String(), Class: "exact", Bytes: weightBytes(n)}
		if n.Op.Work != nil {
			e.MACs = times * n.Op.Work(n)
		}
		e.Kind, e.Why = kindOf(n)
		if e.Kind == "float" && between[n] {
			e.Kind, e.Why = "convert", "scales an integer, which is rounded to few bits in the same step"
		}
		if scaled[n] {
			e.Class = "ideal"
			e.Why = "a comparison of float sums of scaled integers: near a tie the order of the sum decides, and no certificate bounds it"
		}
		e.Output = last[n]
		if n.Is(ir.Affine) && !(ir.IsSplat(n.Args[1], 1) && ir.IsSplat(n.Args[3], 0)) {
			e.Class = "ideal"
		}
		if c := certOf(certs, n); c != nil && c.Class == passes.Ideal {
			e.Class, e.Margin, e.AtRisk = "ideal", c.MinMargin(), c.AtRisk()
			e.Why += fmt.Sprintf("; solved over the reals, %d of %d channels lie closer to a tie than float32 rounding", e.AtRisk, len(c.Channels))
		}
		l.Add(e)
	}
}

// Fill makes empty lists of those that are not there, for JSON.
func (l *Ledger) Fill() {
	l.Entries = append([]Entry{}, l.Entries...)
	l.Factorized = append([]*Factorization{}, l.Factorized...)
	l.Gated = append([]*Gating{}, l.Gated...)
	l.Binarized = append([]*Binarization{}, l.Binarized...)
	l.Quantized = append([]*Quantization{}, l.Quantized...)
	l.Moved = append([]passes.Movement{}, l.Moved...)
}

// AddLossy accounts for what the lossy passes of a run did.
func (l *Ledger) AddLossy(res *passes.Result) {
	l.Factorized = passes.RecordsOf[Factorization](res.Records)
	l.Gated = passes.RecordsOf[Gating](res.Records)
	l.Binarized = passes.RecordsOf[Binarization](res.Records)
	l.Quantized = passes.RecordsOf[Quantization](res.Records)
	l.Moved = res.Moved
}

// comparesScaled marks the comparisons and quantizers of floats that an affine
// goes into by way of a float sum: the weights of a linear chain have a scale a
// channel there, and no integer stands for the sum.
func comparesScaled(f *ir.Func) map[*ir.Node]bool {
	behind := map[*ir.Value]bool{}
	out := map[*ir.Node]bool{}
	for _, n := range f.Nodes {
		from := n.Is(ir.Affine)
		for _, a := range n.Args {
			from = from || behind[a]
		}
		for _, r := range n.Results {
			behind[r] = from && r.Type.DType.IsFloat()
			out[n] = out[n] || from && !r.Type.DType.IsFloat()
		}
	}
	return out
}

// requantizes marks what lies between integers and the quantizers or comparisons
// that make integers of them again, element by element: the compiled program does
// it behind the integer layer, a few elements at a time.
func requantizes(f *ir.Func) map[*ir.Node]bool {
	from := map[*ir.Value]bool{}
	out := map[*ir.Node]bool{}
	for _, n := range f.Nodes {
		if !n.Result().Type.DType.IsFloat() {
			continue
		}
		switch {
		case n.Is(ir.ToFloat), n.Is(ir.Affine), n.Is(ir.DequantizeLinear):
			from[n.Result()] = !n.In(0).DType.IsFloat()
		case n.Op.Kind == ir.Elementwise, n.Op.Kind == ir.Channelwise, n.Op.Kind == ir.Moves, n.Is(ir.MaxPool), n.Is(ir.MinPool):
			from[n.Result()] = madeOf(n, from)
		}
		out[n] = from[n.Result()]
	}
	results := map[*ir.Value]bool{}
	for _, r := range f.Results {
		results[r.Value] = true
	}
	uses := f.Uses()
	for _, n := range slices.Backward(f.Nodes) {
		for _, v := range n.Results {
			out[n] = out[n] && !results[v] && len(uses[v]) > 0
			for _, u := range uses[v] {
				out[n] = out[n] && (out[u] || !u.Result().Type.DType.IsFloat())
			}
		}
	}
	return out
}

// madeOf reports that the operands of a node are constants or among the values,
// at least one among them.
func madeOf(n *ir.Node, values map[*ir.Value]bool) bool {
	some := false
	for _, a := range n.Args {
		switch {
		case a == nil || ir.ConstOf(a) != nil:
		case values[a]:
			some = true
		default:
			return false
		}
	}
	return some
}

// givesOutput marks the nodes whose result is a result of the function, moved
// or converted at most.
func givesOutput(f *ir.Func) map[*ir.Node]bool {
	out := map[*ir.Node]bool{}
	for _, r := range f.Results {
		n := ir.Def(r.Value)
		for n != nil {
			out[n] = true
			if !movesOnly(n) && !n.Is(ir.Affine) || len(n.Args) == 0 {
				break
			}
			n = ir.Def(n.Args[0])
		}
	}
	return out
}

// Add accounts for a layer.
func (l *Ledger) Add(e Entry) {
	l.Entries = append(l.Entries, e)
	switch e.Kind {
	case "bit":
		l.BitMACs += e.MACs
		l.BitBytes += e.Bytes
	case "integer":
		l.IntMACs += e.MACs
		l.IntBytes += e.Bytes
	case "float":
		l.FloatMACs += e.MACs
		l.FloatBytes += e.Bytes
	}
}

// movesOnly reports whether a node only moves or holds elements.
func movesOnly(n *ir.Node) bool {
	switch n.Op.Kind {
	case ir.Holds:
		return true
	case ir.Moves:
		return !n.Is(ir.Gather) || !looksUp(n)
	}
	return n.Is(ir.Recode) || n.Is(ir.ToFloat)
}

// looksUp reports whether a gather is a table: a constant at computed places.
func looksUp(n *ir.Node) bool { return ir.ConstOf(n.Args[0]) != nil && ir.ConstOf(n.Args[1]) == nil }

// kindOf says what a node computes with, and why.
func kindOf(n *ir.Node) (kind, why string) {
	if n.Is(ir.Affine) {
		return "convert", "an integer scaled to the number that a float layer or output wants"
	}
	for _, r := range n.Results {
		if r.Type.DType.IsFloat() {
			return "float", floatReason(n)
		}
	}
	switch n.Op {
	case ir.BConv:
		if n.Arg(2) != nil {
			return "bit", "bits in, binary weights, thresholds as integer comparisons"
		}
		return "bit", "bits in, binary weights, integers out for the linear block"
	case ir.IConv:
		why = "integers in, additions and subtractions only"
		if w := n.In(1).DType; w != ir.SBit && w != ir.Tern {
			why = "integers in, few-bit weights"
		} else if n.In(0).DType == ir.U8 {
			why = "8-bit integers in, additions and subtractions only, scale folded into the thresholds"
		}
		return "integer", why
	case ir.BLSTM:
		return "bit", "binary gates as integer comparisons, integer cell"
	case ir.ILinear:
		if n.In(0).DType.IsLogic() {
			return "bit", "bits in, binary weights"
		}
		return "integer", "integers in"
	case ir.Count:
		return "bit", "population count"
	case ir.Gather:
		return "integer", fmt.Sprintf("norm and few-bit activation as a table of %d entries", n.In(0).Elems())
	case ir.Threshold:
		return "integer", "batch norm and activation as an integer comparison"
	}
	for _, r := range n.Results {
		if !r.Type.DType.IsLogic() {
			return "integer", "integer operation"
		}
	}
	return "bit", "logic on bits"
}

// floatReason says why a node stays float.
func floatReason(n *ir.Node) string {
	switch n.Op {
	case ir.Gemm, ir.MatMul, ir.Conv:
		if w := ir.ConstOf(n.Arg(1)); w != nil && analysis.RecoverBinary(w) == nil {
			return "its weights are no binary weights"
		}
		return "its input is float"
	case ir.LSTM, ir.GRU, ir.RNN:
		if n.Arg(1) == nil {
			return "float states; its input sums are integers"
		}
		return "a float recurrent layer of the source"
	}
	return "float in the source, and nothing makes it binary"
}

// weightBytes counts the constant operands as the artifact stores them.
func weightBytes(n *ir.Node) int {
	total := 0
	for _, a := range n.Args {
		if c := ir.ConstOf(a); c != nil {
			total += ir.DataBytes(c.Type)
		}
	}
	return total
}

// Print writes the ledger as a table for a terminal of so many columns, 0 for
// any number.
func (l *Ledger) Print(w io.Writer, columns int) {
	rows := [][]string{{"layer", "op", "kind", "result", "MMAC", "bytes", "class", "why"}}
	for _, e := range l.Entries {
		class := e.Class
		if e.Class == "ideal" && e.Margin > 0 {
			class = fmt.Sprintf("ideal (margin %.3g)", e.Margin)
		}
		rows = append(rows, []string{e.Layer, e.Op, e.Kind, e.Shape, mega(e.MACs), fmt.Sprint(e.Bytes), class, e.Why})
	}
	printTable(w, columns, rows)
	fmt.Fprintf(w, "operations: %s MMAC on bits, %s on integers, %s in float\n", mega(l.BitMACs), mega(l.IntMACs), mega(l.FloatMACs))
	fmt.Fprintf(w, "weights:    %d bytes of bit layers, %d of integer layers, %d of float layers\n", l.BitBytes, l.IntBytes, l.FloatBytes)
}

func mega(n int) string { return fmt.Sprintf("%.2f", float64(n)/1e6) }

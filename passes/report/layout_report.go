package report

import (
	"fmt"
	"io"

	"github.com/billnet/billnet/passes"
)

// LayoutRow is what one operation costs.
type LayoutRow struct {
	Layer   string `json:"layer"`
	Op      string `json:"op"`
	Kernel  string `json:"kernel"` // direct, scratch or copy, for planes; dense; relayout
	In      string `json:"in"`     // of the first operand, with its layout
	Out     string `json:"out"`
	Read    int    `json:"read"`    // bytes
	Written int    `json:"written"` // bytes
	Copied  int    `json:"copied"`  // bytes that the kernel moves within
	Compute int    `json:"compute"` // arithmetic, in bytes that move in the same time
}

// Cost is the sum, in bytes.
func (r *LayoutRow) Cost() int { return r.Read + r.Written + r.Copied + r.Compute }

// LayoutChoice is one way to lay out a function.
type LayoutChoice struct {
	Name      string `json:"name"`
	Cost      int    `json:"cost"`      // bytes
	Relayouts int    `json:"relayouts"` // operations that only change a layout
	Moved     int    `json:"moved"`     // bytes that those read and write
	Scratch   int    `json:"scratch"`   // kernels that are not direct
	Chosen    bool   `json:"chosen"`
}

// LayoutReport says what the layout pass chose, and from what.
type LayoutReport struct {
	Choices []LayoutChoice `json:"choices"`
	Rows    []LayoutRow    `json:"rows"`
}

// LayoutOf returns what the layout pass of a run chose for the entry; nil when it
// did not run.
func LayoutOf(r passes.Records) *LayoutReport {
	list := passes.RecordsOf[LayoutReport](r)
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// Print writes the choices and the rows of the one that was taken as tables.
func (l *LayoutReport) Print(w io.Writer) {
	rows := [][]string{{"layout", "cost", "relayouts", "bytes relaid", "indirect kernels"}}
	for _, c := range l.Choices {
		name := c.Name
		if c.Chosen {
			name += " (chosen)"
		}
		rows = append(rows, []string{name, fmt.Sprint(c.Cost), fmt.Sprint(c.Relayouts), fmt.Sprint(c.Moved), fmt.Sprint(c.Scratch)})
	}
	printTable(w, 0, rows)
	fmt.Fprintln(w)
	rows = [][]string{{"layer", "op", "kernel", "in", "out", "read", "written", "copied", "compute", "cost"}}
	for _, r := range l.Rows {
		rows = append(rows, []string{r.Layer, r.Op, r.Kernel, r.In, r.Out, fmt.Sprint(r.Read), fmt.Sprint(r.Written), fmt.Sprint(r.Copied), fmt.Sprint(r.Compute), fmt.Sprint(r.Cost())})
	}
	printTable(w, 0, rows)
}

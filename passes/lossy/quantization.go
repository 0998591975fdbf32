package lossy

import (
	"slices"

	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/report"
)

// recordQuantized records a report. The steps of one unrolled layer that is left as it
// was are one entry.
func recordQuantized(c *passes.Context, r report.Quantization) {
	same := func(q *report.Quantization) bool { return *q == r }
	if r.Left != "" && slices.ContainsFunc(passes.RecordsOf[report.Quantization](c.Records), same) {
		return
	}
	c.Record(&r)
	c.Note("%s", r.String())
}

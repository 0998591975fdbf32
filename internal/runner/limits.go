package runner

import (
	"fmt"
	"io"
	"slices"
)

// Limit is a rate that kernels reach on this machine: see Limit of package kernels.
type Limit struct {
	Work string
	Rate float64 // 1e9 multiply-accumulates or bytes a second
}

// works is what a limit is called and what it holds for.
var works = []struct {
	work, about string
	bytes       float64  // of memory that is read; 0 for products
	opcodes     []string // the operations of these products
}{
	{"bits", "products of bits, in convolutions of bits", 0, []string{"bconv", "bconv_steps", "ilinear", "blstm"}},
	{"sums", "products of integers and bits, in convolutions of integers", 0, []string{"iconv"}},
	{"bytes", "products of bytes", 0, []string{"dense_iconv", "conv_steps", "linear_steps"}},
	{"floats", "products of float32", 0, nil},
	{"16K", "loads from the first cache", 16 << 10, nil},
	{"256K", "loads from the second", 256 << 10, nil},
	{"4M", "loads from the last, or from memory", 4 << 20, nil},
	{"64M", "loads from memory", 64 << 20, nil},
}

// setLimit compares the time of an instruction with what the limits allow.
func (r *opRow) setLimit(limits []Limit) {
	if len(limits) == 0 || r.ms == 0 {
		return
	}
	products := "floats"
	load := works[len(works)-1].work
	for i := len(works) - 1; i >= 0; i-- {
		w := &works[i]
		if slices.Contains(w.opcodes, r.opcode) {
			products = w.work
		}
		if w.bytes > 0 && r.bytes <= w.bytes {
			load = w.work
		}
	}
	least := 0.0 // ms
	for _, l := range limits {
		switch l.Work {
		case products:
			least = max(least, r.macs/l.Rate/1e6)
		case load:
			least = max(least, r.bytes/l.Rate/1e6)
		}
	}
	r.ofLimit = least / r.ms
}

func writeLimits(w *jsonWriter, limits []Limit) {
	w.key("limits").array(len(limits), func(i int) {
		w.object(func() {
			w.key("work").string(limits[i].Work)
			w.key("rate").float(limits[i].Rate)
		})
	})
}

func printLimits(w io.Writer, limits []Limit) {
	if len(limits) == 0 {
		return
	}
	fmt.Fprintf(w, "limits of this machine, one thread, 1e9 a second\n")
	for _, l := range limits {
		for _, k := range works {
			if k.work == l.Work {
				fmt.Fprintf(w, "%10s %10.4g  %s\n", l.Work, l.Rate, k.about)
			}
		}
	}
}

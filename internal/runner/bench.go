package runner

import (
	"fmt"
	"io"
	"math/rand/v2"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/runtime"
)

// benchCmd measures a model's speed.
type benchCmd struct {
	Model   string
	Runs    int
	Time    time.Duration
	Profile bool
	Machine bool
	JSON    bool
	Format  string
	inputFlags
	engine
}

func declareBench(f *flags) runner {
	c := &benchCmd{Time: 2 * time.Second, Format: "text"}
	f.model = &c.Model
	f.count(&c.Runs, "runs", "N", "Measure N runs, however long they take.")
	f.duration(&c.Time, "time", "Without --runs, measure for this long (default 2s).")
	f.on(&c.Profile, "profile", "Also measure every instruction, in as many runs of its own.")
	if f.prog.Limits != nil {
		f.on(&c.Machine, "machine", "Also measure what kernels reach on this machine; with or without a model.")
		f.alone = &c.Machine
	}
	f.on(&c.JSON, "json", "The same as --format json.")
	f.oneOf(&c.Format, "format", "FORMAT", "text (default), json, or go: lines for benchstat.", "text", "json", "go")
	c.inputFlags.declare(f)
	c.engine.declare(f)
	return c
}

const benchHelp = `
The model runs a tenth of the time to warm up and is then measured run by run. Clips a second come from the median. Inputs that --input does not give are random, always the same; integers wider than 8 bits are 0.
Loading, clip reading and the copies into and out of the model are as in any run: the copies are measured, the rest is not. The memory is what a session works in, without the weights: the arena of activations, the kernels' scratch memory, and inputs and outputs kept beside them.

A profile has a row an instruction: its time, its share of all, 1e9 multiply-accumulates a second, and the bytes of its operands and results. With the limits of the machine it also has the share of the limit that applies: the time that its products would take at the rate of their kind, or its bytes at the rate of memory of their size, whichever is longer, over its time. The limits are of one thread.

Examples:

  PROGRAM bench model.billb --threads 2
  PROGRAM bench model.billb --profile --isa generic
  PROGRAM bench old.billb --format go > old.txt; PROGRAM bench new.billb --format go > new.txt; benchstat old.txt new.txt`

// maxRuns bounds the memory of the times.
const maxRuns = 1 << 20

// measured is the result of a benchmark.
type measured struct {
	model     string
	isa       string
	threads   int
	runs      int
	min       float64 // ms
	median    float64 // ms
	p95       float64 // ms
	clipsPerS float64
	allocs    int // a run
	bytes     int // a run
	memory    runtime.Memory
	peak      int // bytes of the process
	profile   []opRow
	limits    []Limit
	times     []int // ns, in the order of the runs
}

// opRow is an instruction of a profile.
type opRow struct {
	name, opcode string
	ms           float64 // a run
	share        float64 // of the sum of all instructions, 0..1
	macs         float64 // multiply-accumulates of a run; 0 where the operation has none
	bytes        float64 // of operands and results in a run
	ofLimit      float64 // the share of the machine's limit; 0 where it is not known
}

// rate is 1e9 multiply-accumulates a second; ok is false where there is none.
func (r *opRow) rate() (gmacs float64, ok bool) {
	if r.macs == 0 || r.ms == 0 {
		return 0, false
	}
	return r.macs / r.ms / 1e6, true
}

func (r *measured) writeJSON(w *jsonWriter) {
	w.key("model").string(r.model)
	w.key("isa").string(r.isa)
	w.key("threads").int(r.threads)
	w.key("runs").int(r.runs)
	w.key("min_ms").float(r.min)
	w.key("median_ms").float(r.median)
	w.key("p95_ms").float(r.p95)
	w.key("clips_per_s").float(r.clipsPerS)
	w.key("allocs_per_run").int(r.allocs)
	w.key("bytes_per_run").int(r.bytes)
	w.key("arena_bytes").int(r.memory.Arena)
	writeMemory(w, r.memory)
	w.key("peak_bytes").int(r.peak)
	w.key("profile").array(len(r.profile), func(i int) {
		p := &r.profile[i]
		w.object(func() {
			w.key("name").string(p.name)
			w.key("opcode").string(p.opcode)
			w.key("ms").float(p.ms)
			w.key("share").float(p.share)
			gmacs, _ := p.rate()
			w.key("gmac_s").float(gmacs)
			w.key("mac_run").float(p.macs)
			w.key("bytes_run").float(p.bytes)
			w.key("of_limit").float(p.ofLimit)
		})
	})
	writeLimits(w, r.limits)
}

func (c *benchCmd) Run(e *env) error {
	switch {
	case c.Runs < 0 || c.Runs > maxRuns:
		return usagef("--runs %d: expected 1 to %d", c.Runs, maxRuns)
	case c.Time <= 0:
		return usagef("--time %v: expected more than 0", c.Time)
	case c.JSON && c.Format == "go":
		return usagef("--json and --format go exclude each other")
	}
	if c.JSON {
		c.Format = "json"
	}
	var limits []Limit
	if c.Machine {
		var err error
		if limits, err = e.Limits(c.ISA); err != nil {
			return usagef("%v", err)
		}
		if c.Model == "" {
			if c.Format == "go" {
				return usagef("--format go without a model")
			}
			if c.Format == "json" {
				e.printJSON(func(w *jsonWriter) { writeLimits(w, limits) })
			} else {
				printLimits(e.stdout, limits)
			}
			return nil
		}
	}
	m, err := e.load(c.Model)
	if err != nil {
		return err
	}
	data, err := c.inputs(m)
	if err != nil {
		return err
	}
	s, err := c.session(m, false)
	if err != nil {
		return err
	}
	defer s.Close()
	r, err := c.measure(e, m, s, data)
	if err != nil {
		return err
	}
	if c.Profile {
		if r.profile, err = c.profile(e, m, data, r.runs); err != nil {
			return err
		}
		for i := range r.profile {
			r.profile[i].setLimit(limits)
		}
	}
	r.limits = limits
	switch c.Format {
	case "json":
		e.printJSON(r.writeJSON)
	case "go":
		r.writeGo(e.stdout)
	default:
		r.writeText(e.stdout)
	}
	return nil
}

// inputs are those of --input, and random ones.
func (c *benchCmd) inputs(m *model) ([][]byte, error) {
	ports := m.Inputs
	given, err := bindSome(m, c.inputFlags)
	if err != nil {
		return nil, err
	}
	if err := given.alone(); err != nil {
		return nil, err
	}
	data := given.set(0)
	random := rand.New(rand.NewPCG(1, 2))
	for i, p := range ports {
		if data[i] == nil {
			data[i] = runtime.Sample(p, 2, random)
		}
	}
	return data, nil
}

// measure warms up and measures.
func (c *benchCmd) measure(e *env, m *model, s Session, data [][]byte) (*measured, error) {
	raw, _ := m.outputs()
	once := func() error {
		if err := e.stopped(); err != nil {
			return err
		}
		if err := s.Run(data, raw); err != nil {
			return errorf("%s: %w", m.path, err)
		}
		return nil
	}
	warm := time.Now()
	for first := true; first || time.Since(warm) < c.Time/10; first = false {
		if err := once(); err != nil {
			return nil, err
		}
	}
	limit := c.Runs
	if limit == 0 {
		limit = maxRuns
	}
	times := make([]int, 0, limit)
	goruntime.GC()
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	for begin := time.Now(); len(times) < limit && (c.Runs > 0 || len(times) == 0 || time.Since(begin) < c.Time); {
		start := time.Now()
		if err := once(); err != nil {
			return nil, err
		}
		times = append(times, int(time.Since(start)))
	}
	goruntime.ReadMemStats(&after)
	n := len(times)
	sorted := slices.Clone(times)
	slices.Sort(sorted)
	median := ms(sorted[n/2]+sorted[(n-1)/2]) / 2
	return &measured{
		model: m.Name, isa: s.ISA(), threads: c.Threads, runs: n,
		min: ms(sorted[0]), median: median, p95: ms(sorted[(95*n+99)/100-1]), clipsPerS: 1000 / max(median, 1e-6),
		// Whole allocations, as the testing package counts them: the few of the Go runtime's own do not show.
		allocs: int(after.Mallocs-before.Mallocs) / n, bytes: int(after.TotalAlloc-before.TotalAlloc) / n,
		memory: s.Memory(), peak: peakBytes(), times: times,
	}, nil
}

func ms(ns int) float64 { return float64(ns) / 1e6 }

// profile measures the instructions in a session of its own, because measuring
// them takes time too.
func (c *benchCmd) profile(e *env, m *model, data [][]byte, runs int) ([]opRow, error) {
	s, err := c.session(m, true)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for range runs {
		if err := e.stopped(); err != nil {
			return nil, err
		}
		if err := s.Run(data, nil); err != nil {
			return nil, errorf("%s: %w", m.path, err)
		}
	}
	return rows(s.Profile()), nil
}

// rows shares the time of all runs among the instructions.
func rows(times []runtime.InstrTime) []opRow {
	var sum time.Duration
	for _, t := range times {
		sum += t.Time
	}
	list := make([]opRow, len(times))
	for i, t := range times {
		list[i] = opRow{name: t.Name, opcode: t.Op, macs: t.MACs, bytes: t.Bytes, ms: ms(int(t.Time)) / float64(max(t.Runs, 1))}
		if sum > 0 {
			list[i].share = float64(t.Time) / float64(sum)
		}
	}
	return list
}

func (r *measured) writeText(w io.Writer) {
	fmt.Fprintf(w, "%s: kernels %s, threads %d\n", plain.Text(r.model), r.isa, r.threads)
	fmt.Fprintf(w, "%s; the process had at most %d\n", memoryText(r.memory), r.peak)
	fmt.Fprintf(w, "runs %d  min_ms %.4g  median_ms %.4g  p95_ms %.4g  clips/s %.4g  allocations/run %d\n", r.runs, r.min, r.median, r.p95, r.clipsPerS, r.allocs)
	printLimits(w, r.limits)
	if r.profile == nil {
		return
	}
	fmt.Fprintf(w, "\n%4s %10s %7s %9s %11s %8s  %-14s %s\n", "", "ms", "share", "G MAC/s", "bytes", "of limit", "opcode", "name")
	for i, row := range r.profile {
		rate := ""
		if gmacs, ok := row.rate(); ok {
			rate = fmt.Sprintf("%.4g", gmacs)
		}
		size, limit := "", ""
		if row.bytes > 0 { // executables do not know
			size = fmt.Sprintf("%.0f", row.bytes)
		}
		if row.ofLimit > 0 {
			limit = fmt.Sprintf("%.0f %%", 100*row.ofLimit)
		}
		fmt.Fprintf(w, "%4d %10.4f %5.1f %% %9s %11s %8s  %-14s %s\n", i, row.ms, 100*row.share, rate, size, limit, row.opcode, plain.Text(row.name))
	}
}

// samples is the number of lines for benchstat, which wants several to say how
// sure a difference is.
const samples = 10

// writeGo writes the Go benchmark format: successive shares of the runs, a line
// each.
func (r *measured) writeGo(w io.Writer) {
	name := strings.Map(func(c rune) rune {
		if c <= ' ' || c == '/' || c == '=' {
			return '_'
		}
		return c
	}, plain.Text(r.model))
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: billrun\n", goruntime.GOOS, goruntime.GOARCH)
	line := func(suffix string, runs int, ns float64, more string) {
		fmt.Fprintf(w, "BenchmarkRun/model=%s/isa=%s%s-%d\t%8d\t%12.1f ns/op%s\n", name, r.isa, suffix, r.threads, runs, ns, more)
	}
	for i := range samples {
		part := r.times[i*len(r.times)/samples : (i+1)*len(r.times)/samples]
		if len(part) == 0 {
			continue
		}
		sum := 0
		for _, t := range part {
			sum += t
		}
		ns := float64(sum) / float64(len(part))
		line("", len(part), ns, fmt.Sprintf("\t%12.4g clips/s\t%8d B/op\t%8d allocs/op", 1e9/max(ns, 1), r.bytes, r.allocs))
	}
	for i, row := range r.profile {
		line(fmt.Sprintf("/op=%d_%s", i, row.opcode), r.runs, 1e6*row.ms, "")
	}
}

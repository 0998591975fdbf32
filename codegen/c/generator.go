package c

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/runtime/billb"
)

// generator is the state of one generation.
type generator struct {
	img  *billb.Image
	plan *bytecode.Plan
	opt  Options
	name string

	parent  []int            // of buffers that share memory with others, as a forest
	kernels map[string]bool  // kernels that layers use
	tables  bytes.Buffer     // descriptions of layers, in the code
	maps    map[int]bool     // buffers whose map is described
	data    data             // constants
	consts  map[int]constant // of the image, by number
	layers  []*layer

	phases    []*phase
	stepCount int         // of the schedule
	counters  int         // layers over maps
	ring      map[int]int // rows that maps keep, by the buffer in whose memory they lie
	feeds     bool        // frames are read where the caller has them, as they come
	causal    bool        // there is a result after every frame
	behind    map[int]int // of a map in a ring that turns, the rows from its first to the first of the newest frame

	sums    int   // bytes of the sums that a convolution of integers keeps at a time
	offset  []int // of buffers, by number
	doneAt  int   // of the counters
	arena   int
	frames  int // pushes that make a clip
	timeAt  int // axis of the first input along which frames come
	frameOf int // bytes of a frame
}

func newGenerator(img *billb.Image, plan *bytecode.Plan, name string, opt Options) *generator {
	g := &generator{img: img, plan: plan, opt: opt, name: name, kernels: map[string]bool{}, maps: map[int]bool{}, consts: map[int]constant{}, behind: map[int]int{}}
	g.data.name = name
	g.parent = make([]int, len(img.Buffers))
	for i := range g.parent {
		g.parent[i] = i
	}
	for _, a := range plan.Allocations {
		for _, b := range a.Buffers {
			g.share(b, a.Buffers[0])
		}
	}
	g.unite()
	return g
}

// root is the buffer whose memory b has.
func (g *generator) root(b int) int {
	for g.parent[b] != b {
		b = g.parent[b]
	}
	return b
}

// share puts a into the memory of b.
func (g *generator) share(a, b int) { g.parent[g.root(a)] = g.root(b) }

// layer is an instruction as a C function.
type layer struct {
	index    int
	in       *billb.Instr
	rows     bool   // it computes one row of a map a call
	reads    []read // maps, of a layer that does
	feeds    bool   // it reads a frame where the caller has it
	conv     string // the reads_t of its window
	counter  int    // of its rows
	step     int    // of the schedule
	equation string // what it computes, for people
	body     bytes.Buffer
	scratch  int // bytes of memory that it needs while it runs
	at       int // and where they lie
	nothing  bool
	data     int // bytes of constants
	work     [units]float64
	loops    []float64 // how often the open ones run
	check    int       // 1 + the number of its check, in the order of running
	depth    int
}

// line writes a line of the function.
func (l *layer) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.statement(text)
	if strings.HasPrefix(text, "}") {
		l.depth--
	}
	l.body.WriteString(strings.Repeat("    ", l.depth+1) + text + "\n")
	if strings.HasSuffix(text, "{") {
		l.depth++
	}
}

// end closes blocks.
func (l *layer) end(blocks int) {
	for range blocks {
		l.line("}")
	}
}

// take reserves scratch memory and returns where it lies, as a C expression.
func (l *layer) take(bytes int) string {
	at := l.scratch
	l.scratch += (bytes + 7) / 8 * 8
	if at == 0 {
		return fmt.Sprintf("SCRATCH_%d", l.index)
	}
	return fmt.Sprintf("SCRATCH_%d + %d", l.index, at)
}

// use notes that a kernel is needed.
func (g *generator) use(names ...string) {
	for _, n := range names {
		if !g.kernels[n] {
			g.kernels[n] = true
			g.use(needs[n]...)
		}
	}
}

// cType is the type of dense elements.
func cType(e billb.Elem) string {
	switch e {
	case billb.F32:
		return "float"
	case billb.F64:
		return "double"
	case billb.Bool, billb.Bit, billb.U8:
		return "uint8_t"
	case billb.SBit, billb.Tern, billb.I8:
		return "int8_t"
	}
	return map[billb.Elem]string{billb.U16: "uint16_t", billb.I16: "int16_t", billb.U32: "uint32_t", billb.I32: "int32_t", billb.U64: "uint64_t", billb.I64: "int64_t"}[e]
}

// tensor is a dense operand: a buffer or a constant.
type tensor struct {
	name  string // in the function
	elem  billb.Elem
	shape []int
}

func (t tensor) n() int { return billb.Product(t.shape) }

// operand declares dense operand k as a pointer called name. It reports false
// when the operand is left out.
func (g *generator) operand(l *layer, k int, name string) (tensor, bool) {
	if k >= len(l.in.In) || l.in.In[k] == -1 {
		return tensor{}, false
	}
	b := l.in.In[k]
	if b < -1 {
		c := g.constant(-2 - b)
		l.line("const %s *%s = %s;", cType(c.elem), name, c.name)
		return tensor{name, c.elem, c.shape}, true
	}
	v := g.buffer(b)
	if v.Planes {
		refuse("BUG: operand %d is a map", k)
	}
	l.line("const %[1]s *%[2]s = (const %[1]s *)(const void *)(memory + BUFFER_%[3]d);", cType(v.Elem), name, g.root(b))
	return tensor{name, v.Elem, v.Shape}, true
}

// input is operand for one that is always there.
func (g *generator) input(l *layer, k int, name string) tensor {
	t, ok := g.operand(l, k, name)
	if !ok {
		refuse("BUG: operand %d is missing", k)
	}
	return t
}

// result declares dense result k; false when nothing reads it.
func (g *generator) result(l *layer, k int, name string) (tensor, bool) {
	if k >= len(l.in.Out) || l.in.Out[k] < 0 {
		return tensor{}, false
	}
	v := g.buffer(l.in.Out[k])
	l.line("%[1]s *%[2]s = (%[1]s *)(void *)(memory + BUFFER_%[3]d);", cType(v.Elem), name, g.root(l.in.Out[k]))
	return tensor{name, v.Elem, v.Shape}, true
}

// output is result for the first.
func (g *generator) output(l *layer, name string) tensor {
	t, ok := g.result(l, 0, name)
	if !ok {
		refuse("BUG: it has no result")
	}
	return t
}

// isMap reports whether operand k is a map.
func (g *generator) isMap(l *layer, k int) bool {
	return k < len(l.in.In) && l.in.In[k] >= 0 && g.buffer(l.in.In[k]).Planes
}

func (g *generator) toMap(l *layer) bool { return l.in.Out[0] >= 0 && g.buffer(l.in.Out[0]).Planes }

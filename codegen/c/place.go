package c

import (
	"fmt"
	"strings"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// maxInputs is the inputs that an instance keeps count of, in a word.
const maxInputs = 32

// align is what offsets are multiples of, in bytes.
const align = 8

// size is the bytes of a buffer as C lays it out.
func (g *generator) size(b int) int {
	v := g.buffer(b)
	n := billb.Product(v.Shape) * v.Elem.Width()
	if v.Planes {
		n = mapLayout(v).pitch() * g.ring[g.root(b)]
	}
	return (n + align - 1) / align * align
}

// place gives buffers and scratch memory their offsets.
func (g *generator) place() {
	lives := map[int]*bytecode.Piece{}
	var pieces []*bytecode.Piece
	touch := func(b, at int) {
		if b < 0 {
			return
		}
		r := g.root(b)
		p := lives[r]
		if p == nil {
			p = &bytecode.Piece{First: at, Last: at}
			lives[r] = p
			pieces = append(pieces, p)
		}
		p.Size = max(p.Size, g.size(b))
		p.First, p.Last = min(p.First, at), max(p.Last, at)
	}
	for _, p := range g.img.Inputs {
		if !g.feeds {
			touch(p.Buffer, -1)
		}
	}
	for _, l := range g.layers {
		for _, b := range append(append([]int{}, l.in.In...), l.in.Out...) {
			if !l.feeds || b != g.img.Inputs[0].Buffer {
				touch(b, l.step)
			}
		}
	}
	for _, p := range g.img.Outputs {
		touch(p.Buffer, g.stepCount)
	}
	// Layers of one step run one after the other: they share scratch memory.
	scratch := map[int]*bytecode.Piece{}
	for _, l := range g.layers {
		if l.scratch > 0 {
			p := scratch[l.step]
			if p == nil {
				p = &bytecode.Piece{First: l.step, Last: l.step}
				scratch[l.step] = p
				pieces = append(pieces, p)
			}
			p.Size = max(p.Size, l.scratch)
		}
	}
	for _, s := range g.img.States {
		touch(s.From, -1)
		touch(s.From, g.stepCount)
		touch(s.To, g.stepCount)
	}
	words := g.counters
	if g.causal {
		words += 1 + len(g.turning())
	}
	counters := &bytecode.Piece{Size: (4*words + align - 1) / align * align, First: -1, Last: g.stepCount}
	pieces = append(pieces, counters)
	g.arena = bytecode.Pack(pieces)
	g.offset = make([]int, len(g.img.Buffers))
	for b := range g.offset {
		if p := lives[g.root(b)]; p != nil {
			g.offset[b] = p.Offset
		}
	}
	g.doneAt = counters.Offset
	for _, l := range g.layers {
		if l.scratch > 0 {
			l.at = scratch[l.step].Offset
		}
	}
}

// memoryBytes is what the caller gives: the arena, wherever it begins.
func (g *generator) memoryBytes() int { return g.arena + align - 1 }

// ports finds the axis along which frames come: T of the clip's layout, that of a
// clip of five axes where nothing is said, or none.
func (g *generator) ports() error {
	for _, s := range g.img.States {
		if _, ok := g.behind[s.From]; !ok && g.buffer(s.From).Planes {
			return &UnsupportedError{[]string{fmt.Sprintf("a state that is a map (%s)", g.shapeOf(s.From))}}
		}
	}
	if len(g.img.Inputs) == 0 || len(g.img.Outputs) == 0 {
		return &UnsupportedError{[]string{"a network without inputs or outputs"}}
	}
	for _, p := range append(append([]billb.Port{}, g.img.Inputs...), g.img.Outputs...) {
		if billb.Product(p.Shape) == 0 {
			return &UnsupportedError{[]string{p.Name + " (a port of no elements)"}}
		}
	}
	if n := len(g.img.Inputs); n > maxInputs {
		return &UnsupportedError{[]string{fmt.Sprintf("%d inputs (at most %d)", n, maxInputs)}}
	}
	p := g.img.Inputs[0]
	layout := ""
	for _, m := range g.img.Meta {
		if m[0] == "clip.layout" || m[0] == "onnx.clip.layout" && layout == "" {
			layout = m[1]
		}
	}
	if layout == "" && len(p.Shape) == 5 {
		layout = "NCTHW"
	}
	if len(layout) == len(p.Shape)-1 && !strings.Contains(layout, "N") {
		layout = "N" + layout
	}
	g.frames, g.timeAt = 1, -1
	if t := strings.IndexByte(layout, 'T'); t >= 0 && len(layout) == len(p.Shape) {
		g.frames, g.timeAt = p.Shape[t], t
	}
	g.frameOf = billb.Product(p.Shape) / g.frames
	g.feeds = g.timeAt == 2 && len(p.Shape) == 5 && len(g.img.Inputs) == 1 && g.onlyLoaded(p.Buffer)
	return nil
}

// onlyLoaded reports whether a buffer is read by changes to the layout of maps alone.
func (g *generator) onlyLoaded(b int) bool {
	for _, p := range g.img.Outputs {
		if g.root(p.Buffer) == g.root(b) {
			return false
		}
	}
	loads := 0
	for i := range g.img.Code {
		in := &g.img.Code[i]
		for _, v := range in.In {
			if v < 0 || g.root(v) != g.root(b) {
				continue
			}
			if loads++; in.Op != billb.OpRelayout || v != b {
				return false
			}
		}
	}
	return loads > 0
}

// outer and inner are how often a frame's pieces repeat in the first input, and
// the elements of a piece.
func (g *generator) outer() int {
	if g.timeAt < 0 {
		return 1
	}
	return billb.Product(g.img.Inputs[0].Shape[:g.timeAt])
}

func (g *generator) inner() int { return g.frameOf / g.outer() }

// checked are the layers whose results the self-test knows: those that hold a value of
// the module.
func (g *generator) checked(l *layer) *ir.Value {
	if l.in.Out[0] < 0 {
		return nil
	}
	v := g.plan.Holds[l.in.Out[0]]
	if v == nil || v.Type.DType == ir.F16 || v.Type.DType == ir.BF16 {
		return nil
	}
	return v
}

package bill

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/billnet/billnet/internal/suggest"
	"github.com/billnet/billnet/ir"
)

// Limits of what calls and loops expand to.
const (
	MaxSteps = 1 << 18 // statements of a module, those of a loop or block once for every turn or call
	maxCalls = 64      // calls within calls
	maxLoops = 16      // loops within loops
)

// declare remembers a block. A block calls those above it only, so none calls
// itself.
func (b *builder) declare(t *block) error {
	if b.blocks[t.Name] != nil {
		return errorAt(t.Pos, "a second block is named %s; give it another name", shorten(t.Name))
	}
	if t.Name == "@main" {
		return errorAt(t.Pos, "@main is the function of a text; give the block another name")
	}
	seen := map[string]bool{}
	for _, p := range t.Params {
		if seen[p.Text] {
			return errorAt(p.Pos, "two parameters of %s are named %s; give one another name", shorten(t.Name), shorten(p.Text))
		}
		seen[p.Text] = true
	}
	b.blocks[t.Name] = t
	return nil
}

// nameOf is a node's name in the source model: what loc says, or the value's own
// name where a person has written one, inside the calls and loops around it.
func (b *builder) nameOf(t *node) string {
	name := ""
	switch v := t.Results[0].Text[1:]; {
	case t.Loc != nil:
		name = t.Loc.value()
	case !isDigit(v[0]):
		name = v
	}
	if name == "" {
		return ""
	}
	return b.path + name + b.turns
}

// loop is a repeat that has begun.
type loop struct {
	pos   lexer.Position
	name  string
	turns string // of the loops around it
	begin int    // the first statement of its body
	i, to int
}

// body builds statements up to the return, which it gives back, or to the end.
func (b *builder) body(list []*statement) (*ret, error) {
	var loops []*loop
	for i := 0; i < len(list); i++ {
		s := list[i]
		if b.steps++; b.steps > MaxSteps {
			return nil, errorAt(s.Pos, "calls and loops expand to more than %d statements", MaxSteps)
		}
		switch {
		case s.Return != nil:
			if loops != nil {
				return nil, errorAt(s.Pos, "return stands inside of repeat; close the loop with end")
			}
			if i+1 < len(list) {
				return nil, errorAt(list[i+1].Pos, "a statement after return; return is a function's last")
			}
			return s.Return, nil
		case s.Let != nil:
			if err := b.let(s.Let, false); err != nil {
				return nil, err
			}
		case s.Repeat != nil:
			l, err := b.begin(s.Repeat, s.Pos, i+1)
			if err != nil {
				return nil, err
			}
			if l.i > l.to {
				return nil, errorAt(s.Pos, "the loop runs from %d to %d, not once", l.i, l.to)
			}
			if len(loops) == maxLoops {
				return nil, errorAt(s.Pos, "more than %d loops within each other", maxLoops)
			}
			loops = append(loops, l)
			b.depth++
		case s.End:
			if loops == nil {
				return nil, errorAt(s.Pos, "end closes no repeat")
			}
			l := loops[len(loops)-1]
			if l.i++; l.i <= l.to {
				b.turn(l)
				i = l.begin - 1
				continue
			}
			delete(b.numbers, l.name)
			b.turns = l.turns
			if loops = loops[:len(loops)-1]; len(loops) == 0 {
				loops = nil
			}
			b.depth--
		default:
			if err := b.statement(s); err != nil {
				return nil, err
			}
		}
	}
	if loops != nil {
		return nil, errorAt(loops[len(loops)-1].pos, "repeat has no end; write end behind its last statement")
	}
	return nil, nil
}

// begin starts a loop.
func (b *builder) begin(t *repeat, pos lexer.Position, next int) (*loop, error) {
	if _, taken := b.numbers[t.Name.Text]; taken {
		return nil, errorAt(t.Name.Pos, "the number %s is declared already; give the loop's another name", shorten(t.Name.Text))
	}
	from, err := b.int(&t.From)
	if err != nil {
		return nil, err
	}
	to, err := b.int(&t.To)
	if err != nil {
		return nil, err
	}
	l := &loop{pos: pos, name: t.Name.Text, turns: b.turns, begin: next, i: from, to: to}
	b.turn(l)
	return l, nil
}

// turn sets the number and the names of a loop's next turn.
func (b *builder) turn(l *loop) {
	b.numbers[l.name] = number{float64(l.i), true}
	b.turns = l.turns + "." + strconv.Itoa(l.i)
}

func (b *builder) statement(s *statement) error {
	if strings.HasPrefix(s.Node.Op.Text, "@") {
		return b.call(s.Pos, s.Node)
	}
	n, err := b.node(s.Pos, s.Node)
	if err != nil {
		return err
	}
	b.fun.Nodes = append(b.fun.Nodes, n)
	return nil
}

// call builds the body of a block in place of the call.
func (b *builder) call(pos lexer.Position, t *node) error {
	bl := b.blocks[t.Op.Text]
	if bl == nil {
		var names []string
		for name := range b.blocks {
			names = append(names, name)
		}
		return errorAt(t.Op.Pos, "no block %s is declared above%s", shorten(t.Op.Text), suggest.Nearest(t.Op.Text, names))
	}
	if t.Payload != nil {
		return errorAt(t.Payload.Pos, "a block takes values, and numbers as {n=8}")
	}
	values, numbers, err := b.arguments(t, bl)
	if err != nil {
		return err
	}
	name := b.nameOf(t)
	if name != "" {
		name += "."
	}
	if b.calls == maxCalls {
		return errorAt(pos, "more than %d calls within each other", maxCalls)
	}
	outer := b.scope
	b.scope = scope{values: values, numbers: numbers, path: name, calls: outer.calls + 1}
	ret, err := b.body(bl.Body)
	inner := b.values
	b.scope = outer
	if err != nil {
		return fmt.Errorf("%w; %s is called at %d:%d", err, shorten(bl.Name), pos.Line, pos.Column)
	}
	if ret == nil {
		return errorAt(bl.Pos, "block %s has no return; end it with return %%y", shorten(bl.Name))
	}
	if len(ret.Ports) != len(t.Results) {
		return errorAt(t.Results[0].Pos, "%s has %d results, the text names %d", shorten(bl.Name), len(ret.Ports), len(t.Results))
	}
	if t.Types != nil && len(t.Types) != len(t.Results) {
		return errorAt(t.Types[0].Pos, "%s has %d results, the text has %d types", shorten(bl.Name), len(t.Results), len(t.Types))
	}
	for i, p := range ret.Ports {
		v := inner[p.Value.Text]
		if v == nil {
			return errorAt(p.Value.Pos, "%s is not defined above; a value is defined in its block before it is used", shorten(p.Value.Text))
		}
		if t.Types != nil {
			ty, err := b.typeOf(t.Types[i])
			if err != nil {
				return err
			}
			if ty.DType != v.Type.DType || !ir.SameShape(ty.Shape, v.Type.Shape) {
				return errorAt(t.Types[i].Pos, "the text says %s, %s gives %s; correct the type or the operands", ty, shorten(bl.Name), v.Type)
			}
		}
		if err := b.define(t.Results[i], v); err != nil {
			return err
		}
	}
	return nil
}

// arguments binds a block's parameters. The text's own numbers are known in
// every block; those of the caller are not.
func (b *builder) arguments(t *node, bl *block) (map[string]*ir.Value, map[string]number, error) {
	values, numbers := map[string]*ir.Value{}, maps.Clone(b.top)
	given := map[string]number{}
	for _, a := range t.Attrs {
		if _, twice := given[a.Name.Text]; twice {
			return nil, nil, errorAt(a.Name.Pos, "%s is given twice; keep one", shorten(a.Name.Text))
		}
		if a.List != nil {
			return nil, nil, errorAt(a.Name.Pos, "%s of a block is one number, not a list", shorten(a.Name.Text))
		}
		v, err := b.number(a.Value)
		if err != nil {
			return nil, nil, err
		}
		given[a.Name.Text] = v
	}
	next := 0
	for _, p := range bl.Params {
		if p.Text[0] != '%' {
			v, ok := given[p.Text]
			if !ok {
				return nil, nil, errorAt(t.Op.Pos, "%s needs the number %s: {%s=...}", shorten(bl.Name), shorten(p.Text), shorten(p.Text))
			}
			numbers[p.Text] = v
			delete(given, p.Text)
			continue
		}
		if next == len(t.Args) {
			return nil, nil, errorAt(t.Op.Pos, "%s needs a value for %s", shorten(bl.Name), shorten(p.Text))
		}
		v, err := b.use(t.Args[next].Pos, t.Args[next].Text)
		if err != nil {
			return nil, nil, err
		}
		values[p.Text] = v
		next++
	}
	if next < len(t.Args) {
		return nil, nil, errorAt(t.Args[next].Pos, "%s takes %d values, this is one more", shorten(bl.Name), next)
	}
	for _, a := range t.Attrs {
		if _, left := given[a.Name.Text]; left {
			return nil, nil, errorAt(a.Name.Pos, "%s has no number %s", shorten(bl.Name), shorten(a.Name.Text))
		}
	}
	return values, numbers, nil
}

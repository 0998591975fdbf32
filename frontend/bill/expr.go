package bill

import (
	"math"
	"strconv"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/billnet/billnet/internal/suggest"
)

// number is what a let, a loop or a block's parameter names. Whole numbers are
// exact up to 2^53.
type number struct {
	v     float64
	whole bool
}

// seedName is the number that initializers are drawn from.
const seedName = "seed"

// let names a number; at the top of a text the caller may have set another one.
func (b *builder) let(t *let, top bool) error {
	switch name := t.Name.Text; {
	case name == "inf" || name == "nan" || name == "true" || name == "false":
		return errorAt(t.Name.Pos, "%s cannot be the name of a number", name)
	default:
		if _, twice := b.numbers[name]; twice && b.depth == 0 && (name != seedName || !top) {
			return errorAt(t.Name.Pos, "the number %s is declared a second time; give it another name", shorten(name))
		}
	}
	v, err := b.number(&t.Value)
	if err != nil {
		return err
	}
	if set, ok := b.lets[t.Name.Text]; ok && top {
		v = number{set, set == math.Trunc(set)}
	}
	b.numbers[t.Name.Text] = v
	return nil
}

// scalar is an expression's value, written as a text without arithmetic has it.
func (b *builder) scalar(e *expr) (*scalar, error) {
	_, named := b.numbers[e.Text]
	if !named && len(e.Rest) == 0 {
		return &scalar{e.Pos, e.Text}, nil
	}
	v, err := b.number(e)
	if err != nil {
		return nil, err
	}
	format := byte('g')
	if v.whole {
		format = 'f'
	}
	return &scalar{e.Pos, strconv.FormatFloat(v.v, format, -1, 64)}, nil
}

func (b *builder) int(e *expr) (int, error) {
	if isLetter(e.Text[0]) {
		if _, err := b.term(e.Pos, e.Text); err != nil {
			return 0, err
		}
	}
	s, err := b.scalar(e)
	if err != nil {
		return 0, err
	}
	return intOf(s)
}

// number computes an expression: products first, from left to right, then sums.
// A quotient of whole numbers is one only where it is exact.
func (b *builder) number(e *expr) (number, error) {
	product, err := b.term(e.Pos, e.Text)
	if err != nil {
		return number{}, err
	}
	sum := number{0, true}
	for _, t := range e.Rest {
		op, text := t.Op, t.Text
		if op == "" {
			if op, text = "+", t.Sum; text[0] != '-' && text[0] != '+' {
				return number{}, errorAt(t.Pos, "found %s, expected an operator (* / + -) or \",\"", shorten(text))
			}
		}
		v, err := b.term(t.Pos, text)
		if err != nil {
			return number{}, err
		}
		switch op {
		case "*":
			product = number{product.v * v.v, product.whole && v.whole}
		case "/":
			if v.v == 0 {
				return number{}, errorAt(t.Pos, "a division by 0")
			}
			q := product.v / v.v
			product = number{q, product.whole && v.whole && q == math.Trunc(q)}
		default:
			sum = number{sum.v + product.v, sum.whole && product.whole}
			if op == "-" {
				v.v = -v.v
			}
			product = v
		}
	}
	sum = number{sum.v + product.v, sum.whole && product.whole}
	if math.Abs(sum.v) > 1<<53 || math.IsNaN(sum.v) {
		return number{}, errorAt(e.Pos, "the number is larger than 2^53")
	}
	return sum, nil
}

func (b *builder) term(pos lexer.Position, text string) (number, error) {
	if v, ok := b.numbers[text]; ok {
		return v, nil
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(v, 0) && !math.IsNaN(v) {
		return number{v, v == math.Trunc(v)}, nil
	}
	var names []string
	for name := range b.numbers {
		names = append(names, name)
	}
	return number{}, errorAt(pos, "found %s, expected a number or the name of one; declare it: let %s = 1%s", shorten(text), shorten(text), suggest.Nearest(text, names))
}

package passes

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// OptionKind is the type of an option's value, with the range it may have.
type OptionKind uint8

// The kinds of options, and the Go types of their values.
const (
	OptCount       OptionKind = iota // int: a whole number from 1
	OptSeed                          // int: a whole number from 0
	OptRatio                         // float64: a number between 0 and 1, such as 0.05 or 5%
	OptAmount                        // Amount: a whole number from 1, or a percentage
	OptNames                         // []string: a word, or words in [ ]; * stands for any letters
	OptWord                          // string: one of Option.Words
	OptCountOrAuto                   // int: a whole number from 1, or 0 for auto
)

func (k OptionKind) String() string {
	return [...]string{"a whole number from 1", "a whole number from 0", "a number between 0 and 1, such as 0.05 or 5%",
		"a whole number from 1, or a percentage such as 25%", "a name, or names in [ ]", "a word", "a whole number from 1, or auto"}[k]
}

// Option is one thing that a pass can be told in the pipeline's text.
type Option struct {
	Name    string
	Kind    OptionKind
	Words   []string // of an OptWord: those that it may be
	Default any      // nil: not set
	Doc     string
}

// Wants says what the option's value may be.
func (o *Option) Wants() string {
	if o.Kind == OptWord {
		return strings.Join(o.Words, " or ")
	}
	return o.Kind.String()
}

// parse reads the option's value; ok is false when it may not be that.
func (o *Option) parse(words []string) (v any, ok bool) {
	if o.Kind == OptWord {
		if len(words) != 1 || !slices.Contains(o.Words, words[0]) {
			return nil, false
		}
		return words[0], true
	}
	return o.Kind.parse(words)
}

// Amount is a number of things or a share of those that are there.
type Amount struct {
	N     int
	Share float64
}

// Of returns the amount out of a total; 0 for the zero Amount.
func (a Amount) Of(total int) int {
	if a.N > 0 {
		return a.N
	}
	return int(a.Share * float64(total))
}

// parse reads the value of any kind but OptWord; ok is false when it is not of
// the kind.
func (k OptionKind) parse(words []string) (v any, ok bool) {
	if k == OptNames {
		return words, len(words) > 0
	}
	if len(words) != 1 {
		return nil, false
	}
	share, isShare := percentage(words[0])
	n, err := strconv.ParseInt(words[0], 10, 32)
	switch k {
	case OptCountOrAuto:
		if words[0] == "auto" {
			return 0, true
		}
		return int(n), err == nil && n >= 1
	case OptCount:
		return int(n), err == nil && n >= 1
	case OptSeed:
		return int(n), err == nil && n >= 0
	case OptRatio:
		if isShare {
			return share, share > 0 && share < 1
		}
		x, err := strconv.ParseFloat(words[0], 64)
		return x, err == nil && x > 0 && x < 1
	case OptAmount:
		if isShare {
			return Amount{Share: share}, share > 0 && !math.IsInf(share, 0)
		}
		return Amount{N: int(n)}, err == nil && n >= 1
	}
	return nil, false
}

func percentage(s string) (float64, bool) {
	digits, ok := strings.CutSuffix(s, "%")
	if !ok {
		return 0, false
	}
	x, err := strconv.ParseFloat(digits, 64)
	return x / 100, err == nil
}

// optionOf returns the value of an option of the running pass, or the zero value
// when it is neither given nor has a default. T is the type of its kind.
func optionOf[T any](c *Context, name string) T {
	v, ok := c.options[name]
	if !ok {
		var zero T
		return zero
	}
	return v.(T)
}

// Int returns the value of an OptCount, OptSeed or OptCountOrAuto of the running
// pass, 0 when it is not set or auto.
func (c *Context) Int(option string) int { return optionOf[int](c, option) }

// Ratio returns the value of an OptRatio, 0 when it is not set.
func (c *Context) Ratio(option string) float64 { return optionOf[float64](c, option) }

// Amount returns the value of an OptAmount, the zero Amount when it is not set.
func (c *Context) Amount(option string) Amount { return optionOf[Amount](c, option) }

// Names returns the value of an OptNames, nil when it is not set.
func (c *Context) Names(option string) []string { return optionOf[[]string](c, option) }

// Word returns the value of an OptWord, "" when it is not set.
func (c *Context) Word(option string) string { return optionOf[string](c, option) }

// optionError is what a pass returns when the value of an option cannot be:
// Run adds the option's position in the pipeline's text.
type optionError struct {
	option string
	msg    string
}

func (e *optionError) Error() string { return "option " + e.option + ": " + e.msg }

func BadOption(option, format string, args ...any) error {
	return &optionError{option, fmt.Sprintf(format, args...)}
}

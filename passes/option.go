package passes

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// OptionKind is the type of an option's value, with the range it may have.
type OptionKind uint8

// The kinds of options, and the Go types of their values.
const (
	OptCount  OptionKind = iota // int: a whole number from 1
	OptSeed                     // int: a whole number from 0
	OptRatio                    // float64: a number between 0 and 1, such as 0.05 or 5%
	OptAmount                   // Amount: a whole number from 1, or a percentage
	OptNames                    // []string: a word, or words in [ ]; * stands for any letters
)

func (k OptionKind) String() string {
	return [...]string{"a whole number from 1", "a whole number from 0", "a number between 0 and 1, such as 0.05 or 5%",
		"a whole number from 1, or a percentage such as 25%", "a name, or names in [ ]"}[k]
}

// Option is one thing that a pass can be told in the pipeline's text.
type Option struct {
	Name    string
	Kind    OptionKind
	Default any // nil: not set
	Doc     string
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

// parse reads an option's value; ok is false when it is not of the kind.
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

// Int returns the value of an OptCount or OptSeed of the running pass, 0 when
// it is not set.
func (c *Context) Int(option string) int { return optionOf[int](c, option) }

// Ratio returns the value of an OptRatio, 0 when it is not set.
func (c *Context) Ratio(option string) float64 { return optionOf[float64](c, option) }

// Amount returns the value of an OptAmount, the zero Amount when it is not set.
func (c *Context) Amount(option string) Amount { return optionOf[Amount](c, option) }

// Names returns the value of an OptNames, nil when it is not set.
func (c *Context) Names(option string) []string { return optionOf[[]string](c, option) }

// optionError is what a pass returns when the value of an option cannot be:
// Run adds the option's position in the pipeline's text.
type optionError struct {
	option string
	msg    string
}

func (e *optionError) Error() string { return "option " + e.option + ": " + e.msg }

func badOption(option, format string, args ...any) error {
	return &optionError{option, fmt.Sprintf(format, args...)}
}

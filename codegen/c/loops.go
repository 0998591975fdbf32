package c

import (
	"fmt"
	"strings"
)

// strides of a dense tensor of some shape.
func strides(shape []int) []int {
	s, n := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// broadcast is the strides under which a tensor stretches to a shape.
func broadcast(from, to []int) []int {
	s, out := strides(from), make([]int, len(to))
	for i := range from {
		if k := len(to) - len(from) + i; from[i] == to[k] && from[i] != 1 {
			out[k] = s[i]
		}
	}
	return out
}

// place is where an operand's elements lie as loops go over a shape.
type place struct {
	stride []int
	offset int
}

// nest opens loops over a shape, axes merged where all operands allow it, and
// returns the index of every operand in them and the number of loops.
func (l *layer) nest(shape []int, operands ...place) (index []string, loops int) {
	type axis struct {
		n      int
		stride []int
	}
	var axes []axis
	for i, n := range shape {
		if n == 1 {
			continue
		}
		a := axis{n: n}
		for _, o := range operands {
			a.stride = append(a.stride, o.stride[i])
		}
		if k := len(axes) - 1; k >= 0 {
			merge := true
			for j, s := range a.stride {
				merge = merge && axes[k].stride[j] == s*n
			}
			if merge {
				axes[k] = axis{axes[k].n * n, a.stride}
				continue
			}
		}
		axes = append(axes, a)
	}
	names := "ijkmnpqrsuwdefgh"
	terms := make([][]string, len(operands))
	for d, a := range axes {
		name := string(names[d])
		l.line("for (int %s = 0; %s < %d; %s++) {", name, name, a.n, name)
		for j, s := range a.stride {
			switch s {
			case 0:
			case 1:
				terms[j] = append(terms[j], name)
			default:
				terms[j] = append(terms[j], fmt.Sprintf("%d * %s", s, name))
			}
		}
	}
	for j, o := range operands {
		if o.offset != 0 {
			terms[j] = append([]string{fmt.Sprint(o.offset)}, terms[j]...)
		}
		if len(terms[j]) == 0 {
			terms[j] = []string{"0"}
		}
		index = append(index, strings.Join(terms[j], " + "))
	}
	return index, len(axes)
}

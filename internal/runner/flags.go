package runner

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/billnet/billnet/internal/suggest"
)

// The command line is read here, and not by a package such as kong: those call
// methods by their names through reflection, the linker must then keep every
// exported method of every type, used or not, and this program has to stay tiny.
// For its size the standard flag package is too much as well, and would still
// want most of this file: arguments and flags in any order, two dashes,
// suggestions, help with examples.

// flags are the flags and arguments that a command declares.
type flags struct {
	prog    *Program
	options []option
	model   *string   // the first argument, which must be there; nil when the command takes none
	alone   *bool     // a switch that may stand without a model, or nil
	clips   *[]string // all others; nil when the command takes none
}

// option is a flag.
type option struct {
	name, value string // value stands for the value in the help, "" for a switch
	usage       string
	set         func(string) error // the error does not name the flag
}

// add is not inlined into the many calls, which are to be small.
//
//go:noinline
func (f *flags) add(name, value, usage string, set func(string) error) {
	f.options = append(f.options, option{name, value, usage, set})
}

// on declares a switch. It is also set by =true and =false.
//
//go:noinline
func (f *flags) on(p *bool, name, usage string) {
	f.add(name, "", usage, func(s string) (err error) {
		if *p, err = strconv.ParseBool(s); err != nil {
			return errors.New("expected true or false")
		}
		return nil
	})
}

// text declares a flag of any text.
func (f *flags) text(p *string, name, value, usage string) {
	f.add(name, value, usage, func(s string) error { *p = s; return nil })
}

// oneOf declares a flag that is one of several words.
func (f *flags) oneOf(p *string, name, value, usage string, words ...string) {
	f.add(name, value, usage, func(s string) error {
		if !slices.Contains(words, s) {
			return errors.New("expected one of " + strings.Join(words, ", "))
		}
		*p = s
		return nil
	})
}

// kernels declares a flag of an instruction set, or of another word for some of
// them, which is its default; usage has %s for their names.
func (f *flags) kernels(p *string, other, usage string) {
	*p = other
	names := strings.Join(f.prog.Kernels, ", ")
	f.oneOf(p, "isa", "NAME", fmt.Sprintf(usage, names), append(f.prog.Kernels[:len(f.prog.Kernels):len(f.prog.Kernels)], other)...)
}

// count declares a flag of a whole number.
func (f *flags) count(p *int, name, value, usage string) {
	f.add(name, value, usage, func(s string) error {
		n, err := strconv.ParseInt(s, 0, strconv.IntSize)
		if err != nil {
			return errors.New("expected a whole number")
		}
		*p = int(n)
		return nil
	})
}

// duration declares a flag of a time.
func (f *flags) duration(p *time.Duration, name, usage string) {
	f.add(name, "DURATION", usage, func(s string) (err error) {
		if *p, err = time.ParseDuration(s); err != nil {
			return errors.New("expected a duration, as in 1m30s or 200ms")
		}
		return nil
	})
}

// floats declares a flag of numbers, with commas between them.
func (f *flags) floats(p *[]float32, name, value, usage string) {
	f.add(name, value, usage, func(s string) error {
		for word := range strings.SplitSeq(s, ",") {
			v, err := strconv.ParseFloat(word, 32)
			if err != nil {
				return errorf("%q is not a number, expected numbers with commas between them", word)
			}
			*p = append(*p, float32(v))
		}
		return nil
	})
}

// helpText is the command that prints a text.
type helpText string

func (h helpText) Run(e *env) error {
	fmt.Fprint(e.stdout, string(h))
	return nil
}

// errHelp says that help was asked for.
var errHelp = errors.New("help")

// parse reads the command line. All its errors are of bad usage.
func (p *Program) parse(args []string) (cmd runner, timeout time.Duration, err error) {
	c, args, named := p.choose(p, args)
	common := &flags{prog: p}
	common.duration(&timeout, "timeout", "Give up after this time, as in 30s (exit code 124).")
	f := *common
	cmd = c.declare(&f)
	rest, err := f.read(args)
	switch {
	case err == errHelp && !named && len(rest) == 0:
		return helpText(p.help(p, nil, &f, common)), 0, nil
	case err == errHelp:
		return helpText(p.help(p, c, &f, common)), 0, nil
	case err == nil && !named:
		err = p.check(p, rest)
	}
	if err == nil {
		err = f.take(rest)
	}
	if err == nil && timeout < 0 {
		err = errorf("--timeout %v: expected 0 or more", timeout)
	}
	if err != nil {
		name := ""
		if named && p.embedded == nil {
			name = c.name + " "
		}
		return nil, 0, usagef("%v (%s %s--help shows the usage)", err, p.Name, name)
	}
	return cmd, timeout, nil
}

// read sets the flags among args and returns the others, which are all that
// follow a "--". A value that looks like a flag is given after "=".
func (f *flags) read(args []string) (rest []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return append(rest, args...), nil
		case arg == "-h" || arg == "--help":
			return rest, errHelp
		case len(arg) < 2 || arg[0] != '-':
			rest = append(rest, arg)
			continue
		}
		name, value, given := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		i := slices.IndexFunc(f.options, func(o option) bool { return o.name == name })
		if i < 0 {
			var names []string
			for _, o := range f.options {
				names = append(names, o.name)
			}
			return rest, errorf("unknown flag %s%s", arg, meant(strings.TrimLeft(name, "-"), "--", names))
		}
		switch o := &f.options[i]; {
		case given:
		case o.value == "":
			value = "true"
		case len(args) == 0 || looksLikeFlag(args[0]):
			return rest, errorf("--%s: the value is missing, expected --%s %s", name, name, o.value)
		default:
			value, args = args[0], args[1:]
		}
		if err := f.options[i].set(value); err != nil {
			return rest, errorf("--%s %q: %w", name, value, err)
		}
	}
	return rest, nil
}

// looksLikeFlag tells flags from "-" and from negative numbers.
func looksLikeFlag(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && !strings.ContainsRune("0123456789.", rune(arg[1]))
}

// take sets the arguments.
func (f *flags) take(args []string) error {
	if f.model != nil && f.prog.embedded == nil {
		if len(args) == 0 && f.alone != nil && *f.alone {
			return nil
		}
		if len(args) == 0 {
			return errors.New("no model is given")
		}
		*f.model, args = args[0], args[1:]
	}
	if f.clips != nil {
		*f.clips, args = args, nil
	}
	if len(args) > 0 {
		return errorf("unexpected argument %q", args[0])
	}
	return nil
}

// arguments are those of the usage line.
func (f *flags) arguments() (s string) {
	if f.model != nil {
		s += " MODEL"
	}
	if f.clips != nil {
		s += " [CLIP...]"
	}
	return s
}

// helpWidth is the columns of the help.
const helpWidth = 96

// list describes the flags.
func (f *flags) list() string {
	return "\nFlags:\n  -h, --help            Show this help.\n" + f.describe()
}

// describe is the lines of the flags themselves.
func (f *flags) describe() string {
	var b strings.Builder
	for _, o := range f.options {
		fmt.Fprintf(&b, "  %-20s  %s", strings.TrimSpace("--"+o.name+" "+o.value), wrap(o.usage, 24))
	}
	return b.String()
}

// wrap breaks the lines of a text, except those that begin with a space. All
// lines that it adds are indented.
func wrap(text string, indent int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, " ") {
			b.WriteString(strings.TrimRight(line, "\n") + "\n")
			continue
		}
		column := indent
		for i, word := range strings.Fields(line) {
			switch {
			case i > 0 && column+1+len(word) > helpWidth:
				fmt.Fprintf(&b, "\n%*s", indent, "")
				column = indent
			case i > 0:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += len(word)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// meant names the word that was most likely meant, after a prefix, and
// nothing when none is near: a beginning of it, or two letters wrong.
func meant(given, prefix string, words []string) string {
	best, least := "", min(3, len(given))
	for _, w := range words {
		d := suggest.Distance(given, w, 3)
		if strings.HasPrefix(w, given) && given != "" {
			d = min(d, 1)
		}
		if d < least {
			best, least = w, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", prefix+best)
}

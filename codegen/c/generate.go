package c

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/billb"
)

// Options say how to write a network.
type Options struct {
	Name        string // prefix of everything that is exported; "" makes one of the model's name
	Command     string // the command that made it, for the header
	Certificate []byte // whose hash the header tells
	Layout      string // of the folder: one of Layouts, "" for a library and self-test by CMake

	// MaxMemory bounds Memory and Stack together, in bytes; 0 does not. Where a network would need more,
	// fewer sums are kept at a time, which takes more instructions.
	MaxMemory int

	// NoSelfTest leaves the self-test out, which takes an evaluation of the network.
	NoSelfTest bool
}

// Sizes are the bytes that a network needs, as its header says them.
type Sizes struct {
	Memory int // given by the caller
	Stack  int
	Data   int // constants
	Flash  int // constants and an estimate of the code
}

// UnsupportedError lists the layers that this package does not write.
type UnsupportedError struct{ Layers []string }

func (e *UnsupportedError) Error() string {
	return "C99 has no form for " + strings.Join(e.Layers, ", ") +
		": quantize these layers (billc train, --passes=quantize), or write the network with --emit=go"
}

// TooLargeError says that a network needs more memory than Options.MaxMemory.
type TooLargeError struct{ Needs, Max int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("it needs %d bytes of memory and stack at least, of %d: make the input or the first layers smaller, whose maps take most", e.Needs, e.Max)
}

// Generate writes a module of the packed level: the content of the files by path.
// The same module and options give the same files.
func Generate(m *ir.Module, opt Options) (map[string][]byte, Sizes, error) {
	g, err := prepare(m, opt)
	if err != nil {
		return nil, Sizes{}, err
	}
	var test *selfTest
	if !opt.NoSelfTest {
		if test, err = g.selfTest(m); err != nil {
			return nil, Sizes{}, err
		}
	}
	files, err := g.files(test)
	return files, g.sizes(), err
}

// prepare writes the functions of a module's layers and finds the places of their memory.
func prepare(m *ir.Module, opt Options) (*generator, error) {
	img, plan, err := bytecode.GenerateRows(m, opt.Certificate)
	if err != nil {
		return nil, err
	}
	name, err := prefix(opt.Name, m.Name)
	if err != nil {
		return nil, err
	}
	return fitting(img, &plan, name, opt, m.Streams())
}

// fitting chooses the memory for sums: the most with which the network fits. causal networks have a result after every frame.
func fitting(img *billb.Image, plan *bytecode.Plan, name string, opt Options, causal bool) (*generator, error) {
	least := math.MaxInt
	for sums := 1024; sums >= 64; sums /= 2 {
		g := newGenerator(img, plan, name, opt)
		g.sums, g.causal = sums, causal
		if err := g.ports(); err != nil {
			return nil, err
		}
		if err := g.layersOf(); err != nil {
			return nil, err
		}
		g.schedule()
		g.place()
		size := g.sizes()
		if least = min(least, size.Memory+size.Stack); opt.MaxMemory == 0 || least <= opt.MaxMemory {
			return g, nil
		}
	}
	return nil, &TooLargeError{least, opt.MaxMemory}
}

var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// keywords are names that C, or the generated code, has taken.
var keywords = strings.Fields("auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while main net memory")

// prefix checks the name of a network, or makes one.
func prefix(asked, model string) (string, error) {
	if asked != "" {
		if !identifier.MatchString(asked) {
			return "", fmt.Errorf("name %q: expected lower-case letters, digits and underscores, a letter first, as in gesture", asked)
		}
		if isKeyword(asked) {
			return "", fmt.Errorf("name %q is a word of C or of the generated code: take another, as in gesture", asked)
		}
		return asked, nil
	}
	var b strings.Builder
	for _, r := range strings.ToLower(model) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9' && b.Len() > 0:
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	name := strings.Trim(b.String(), "_")
	if len(name) > 40 {
		name = strings.Trim(name[:40], "_")
	}
	if name == "" || isKeyword(name) {
		name = "network"
	}
	return name, nil
}

func isKeyword(s string) bool {
	for _, k := range keywords {
		if s == k {
			return true
		}
	}
	return false
}

// layersOf writes the functions of all instructions.
func (g *generator) layersOf() error {
	var unsupported UnsupportedError
	for i := range g.img.Code {
		in := &g.img.Code[i]
		l := &layer{index: i, in: in}
		f := kinds[in.Op]
		if f == nil {
			unsupported.Layers = append(unsupported.Layers, fmt.Sprintf("%s (%s)", in.Name, in.Op))
			continue
		}
		before := g.data.bytes
		err := g.write(l, f)
		if l.data = g.data.bytes - before; err != nil {
			unsupported.Layers = append(unsupported.Layers, fmt.Sprintf("%s (%s: %v)", in.Name, in.Op, err))
			continue
		}
		if l.nothing {
			continue
		}
		g.layers = append(g.layers, l)
	}
	if unsupported.Layers != nil {
		return &unsupported
	}
	return nil
}

// write calls the function of a layer, which ends early by refusing.
func (g *generator) write(l *layer, f func(g *generator, l *layer)) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case refusal:
			err = r
		default:
			panic(r)
		}
	}()
	f(g, l)
	return nil
}

// refusal is why a layer has no form in C.
type refusal string

func (r refusal) Error() string { return string(r) }

// refuse ends the function of a layer.
func refuse(format string, args ...any) { panic(refusal(fmt.Sprintf(format, args...))) }

// buffer returns buffer b of the image.
func (g *generator) buffer(b int) *billb.Buffer { return &g.img.Buffers[b] }

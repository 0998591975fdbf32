package runner

import (
	"strconv"
	"strings"

	"github.com/billnet/billnet/internal/plain"
	"github.com/billnet/billnet/runtime"
)

// Model is a network.
type Model interface {
	// Describe says what a caller of the network must know.
	Describe() Description

	// Inspect says what the network is made of.
	Inspect() (Inspection, error)

	// NewSession makes a session. An instruction set that this machine does not
	// have is an error.
	NewSession(runtime.Options) (Session, error)
}

// Session runs a network, on the bytes of dense elements as runtime.Session does.
type Session interface {
	Run(inputs, outputs [][]byte) error // outputs may be nil
	ISA() string                        // the instruction set of the kernels
	Memory() runtime.Memory             // what it works in
	Profile() []runtime.InstrTime       // the times of all instructions in order; with Options.Profile
	Close()
}

// Description is a network seen from outside.
type Description struct {
	Name       string
	Meta       [][2]string // keys and values
	Labels     []string    // of the first output's classes; nil when there are none
	Inputs     []runtime.Port
	Outputs    []runtime.Port
	ArenaBytes int // the memory of a session's activations, without scratch
}

// meta is the value of a metadata key, or "".
//
//go:noinline
func (d *Description) meta(key string) string {
	for _, kv := range d.Meta {
		if kv[0] == key {
			return kv[1]
		}
	}
	return ""
}

// Inspection is a network seen from inside.
type Inspection struct {
	FileBytes        int
	WeightBytes      int // of all constants as they are stored
	CertificateBytes int
	Code             []runtime.InstrInfo
}

// model is a network under the name that messages call it.
type model struct {
	Model
	Description
	path string
}

// engine is the flags of a session.
type engine struct {
	Threads int
	ISA     string
}

func (e *engine) declare(f *flags) {
	e.Threads = 1
	f.count(&e.Threads, "threads", "N", "Threads that share the work of one run (default 1).")
	f.kernels(&e.ISA, "best", "Kernels to use: %s or best (the default).")
}

const maxThreads = 256

func (e engine) session(m *model, profile bool) (Session, error) {
	if e.Threads < 1 || e.Threads > maxThreads {
		return nil, usagef("--threads %d: expected 1 to %d", e.Threads, maxThreads)
	}
	isa := e.ISA
	if isa == "best" {
		isa = ""
	}
	s, err := m.NewSession(runtime.Options{Threads: e.Threads, ISA: isa, Profile: profile})
	if err != nil {
		return nil, errorf("%s: %w", m.path, err)
	}
	return s, nil
}

// outputs makes room for the outputs of a run: the bytes as Session.Run takes
// them, and the same memory as values.
func (m *model) outputs() ([][]byte, []values) {
	var raw [][]byte
	var list []values
	for _, p := range m.Outputs {
		b := make([]byte, size(p.Shape)*p.Elem.Width())
		raw = append(raw, b)
		list = append(list, values{p.Name, p.Elem, p.Shape, b})
	}
	return raw, list
}

//go:noinline
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// shapeText prints a shape as [1,3,8].
func shapeText(shape []int) string {
	s := make([]string, len(shape))
	for i, d := range shape {
		s[i] = strconv.Itoa(d)
	}
	return "[" + strings.Join(s, ",") + "]"
}

func portText(p runtime.Port) string {
	return plain.Text(p.Name) + " " + p.Elem.String() + shapeText(p.Shape)
}

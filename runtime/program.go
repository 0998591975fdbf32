package runtime

import (
	"bytes"
	"io"
	"io/fs"
	"slices"
	"sync"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// Program is a loaded, validated model. It is read-only and may be shared by
// any number of sessions.
type Program struct {
	img  *billb.Image
	best kernels.ISA

	transient               bool // no instruction is kept when the next one is prepared
	maxPrepared, maxScratch int

	mu    sync.Mutex
	codes map[kernels.ISA]*prepared // for a set of kernels
}

// prepared is a program for a set of kernels.
type prepared struct {
	steps []step
	ports []int // of the outputs, in memory.lent
}

// Loader holds the limits of loading. The zero Loader is what Load uses.
type Loader struct {
	MaxFile  int // bytes; 0: 1 GiB
	MaxArena int // bytes of a session's activations, and of its kernels' scratch memory; 0: 1 GiB each

	// MaxPrepared is how many bytes of packed weights and tables loading may make
	// of a file, for a set of kernels; 0: 96 MiB and 12 for every byte of the file.
	MaxPrepared int

	ISA string // the instruction set to prepare for first; "": the best of this machine
}

const defaultLimit = 1 << 30

// Load reads and validates a .billb file.
func Load(r io.Reader) (*Program, error) { return Loader{}.Load(r) }

// LoadBytes validates a .billb file. The program keeps views of file, which
// must not change afterwards.
func LoadBytes(file []byte) (*Program, error) { return Loader{}.LoadBytes(file) }

// Load reads and validates a .billb file.
func (l Loader) Load(r io.Reader) (*Program, error) {
	limit := int64(orDefault(l.MaxFile))
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, billb.HeaderSize); err != nil && err != io.EOF {
		return nil, errorf("billb: %w", err)
	}
	if err := billb.CheckHeader(buf.Bytes()); err != nil {
		return nil, err
	}
	if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := f.Stat(); err == nil && info.Size() <= limit {
			buf.Grow(int(info.Size()) + bytes.MinRead)
		}
	}
	if _, err := io.CopyN(&buf, r, limit+1-billb.HeaderSize); err != nil && err != io.EOF {
		return nil, errorf("billb: %w", err)
	}
	return l.LoadBytes(buf.Bytes())
}

// LoadBytes validates a .billb file. The program keeps views of file, which
// must not change afterwards.
func (l Loader) LoadBytes(file []byte) (*Program, error) {
	if limit := orDefault(l.MaxFile); len(file) > limit {
		return nil, billb.Errorf(ErrLimit, "billb: the file has more than %d bytes, the limit set for it", limit)
	}
	img, err := billb.Decode(file)
	if err != nil {
		return nil, err
	}
	p, err := l.program(img, len(file))
	if err != nil {
		return nil, err
	}
	code, err := p.prepared(p.best)
	if err != nil {
		return nil, err
	}
	for i := range code.steps {
		if err := p.checkScratch(i, &code.steps[i]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// program is an image of a file of size bytes before it is validated.
func (l Loader) program(img *billb.Image, size int) (*Program, error) {
	if limit := orDefault(l.MaxArena); img.Arena > limit {
		return nil, billb.Errorf(ErrLimit, "billb: %s: the arena has %d bytes, the limit set for it is %d", img.Name, img.Arena, limit)
	}
	p := &Program{img: img, codes: map[kernels.ISA]*prepared{}, maxPrepared: l.MaxPrepared, maxScratch: orDefault(l.MaxArena)}
	if p.maxPrepared == 0 {
		p.maxPrepared = addSat(96<<20, mulSat(12, size))
	}
	var err error
	p.best, err = parseISA(l.ISA)
	return p, err
}

// Check reports what Load would find wrong with the file of an image. It keeps
// nothing of what loading makes of the weights.
func Check(img *billb.Image) error {
	size, err := img.Size()
	if err != nil {
		return err
	}
	if size > defaultLimit {
		return billb.Errorf(ErrLimit, "billb: the file has more than %d bytes, the limit set for it", defaultLimit)
	}
	p, err := Loader{}.program(img, size)
	if err != nil {
		return err
	}
	p.transient = true
	_, err = p.prepareAll(p.best, p.checkScratch)
	return err
}

// checkScratch checks the scratch memory of instruction i.
func (p *Program) checkScratch(i int, s *step) error {
	if s.scratch != nil && s.scratch(1) > p.maxScratch {
		return billb.Errorf(ErrLimit, "billb: %s: %s: %d bytes of scratch memory, the limit set for them is %d", p.img.Name, p.img.Code[i].Where(i), s.scratch(1), p.maxScratch)
	}
	return nil
}

func orDefault(limit int) int {
	if limit == 0 {
		return defaultLimit
	}
	return limit
}

func parseISA(name string) (kernels.ISA, error) {
	if name == "" {
		return kernels.Best(), nil
	}
	isa, err := kernels.ParseISA(name)
	if err != nil {
		return 0, billb.Mark(ErrISA, err)
	}
	if !kernels.Available(isa) {
		return 0, billb.Errorf(ErrISA, "instruction set %s is not available on this machine, the best is %s", name, kernels.Best())
	}
	return isa, nil
}

// prepared returns the program for an instruction set, and validates it on the
// way.
func (p *Program) prepared(isa kernels.ISA) (*prepared, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if code, ok := p.codes[isa]; ok {
		return code, nil
	}
	steps := make([]step, len(p.img.Code))
	lent, err := p.prepareAll(isa, func(i int, s *step) error {
		steps[i] = *s
		return nil
	})
	if err != nil {
		return nil, err
	}
	code := &prepared{steps, lent}
	p.codes[isa] = code
	return code, nil
}

// prepareAll validates the instructions and builds their executors, each of which
// it gives to f. It returns what homes.end does.
func (p *Program) prepareAll(isa kernels.ISA, f func(i int, s *step) error) ([]int, error) {
	failed := func(err error) error {
		return errorf("billb: %s: %w", p.img.Name, billb.Mark(ErrFormat, err))
	}
	set := kernels.Select(isa)
	consts := &constants{img: p.img, dense: map[int][]byte{}, limit: p.maxPrepared, sparing: p.transient, homes: newHomes(p.img)}
	l := newLive(p.img)
	if err := l.begin(); err != nil {
		return nil, failed(err)
	}
	aliases := make([]bool, len(p.img.Code))
	for i := range p.img.Code {
		in := &p.img.Code[i]
		s, err := prepare(p.img, in, set, consts)
		if err != nil {
			return nil, failed(errorf("%s: %w", in.Where(i), err))
		}
		consts.homes.step(in, &s)
		aliases[i] = s.alias
		if err := f(i, &s); err != nil {
			return nil, err
		}
		consts.spare()
	}
	if err := l.program(aliases); err != nil {
		return nil, failed(err)
	}
	if err := l.end(); err != nil {
		return nil, failed(err)
	}
	return consts.homes.end(), nil
}

// Name is the model's name.
func (p *Program) Name() string { return p.img.Name }

// Meta is the model's metadata: keys and values.
func (p *Program) Meta() [][2]string { return p.img.Meta }

// Labels is the class names of the first output, nil when there are none.
func (p *Program) Labels() []string { return p.img.Labels }

// Port is a named input or output.
type Port = billb.Port

// Inputs is the input ports in the order that Run takes them.
func (p *Program) Inputs() []Port { return p.img.Inputs }

// Outputs is the output ports in the order that Run gives them.
func (p *Program) Outputs() []Port { return p.img.Outputs }

// Certificate is what the compiler recorded about the model's exactness, nil
// when there is none. The runtime does not look into it.
func (p *Program) Certificate() []byte { return p.img.Certificate }

// ArenaBytes is the memory of a session's activations, without scratch.
func (p *Program) ArenaBytes() int { return p.img.Arena }

// InstrInfo describes an instruction.
type InstrInfo struct {
	Name string  // the layer it comes from, "" when the file does not say
	Op   string  // the operation
	Text string  // operands with their types, for reading
	MACs float64 // multiply-accumulates of a run, 0 for an operation that is not made of them
}

// macs is the multiply-accumulates of an instruction in a run of the program.
func (p *Program) macs(i int) float64 { return p.img.MACs(&p.img.Code[i]) * float64(p.img.Runs(i)) }

// bytes is the size of the operands and results of an instruction in a run of the program.
func (p *Program) bytes(i int) float64 {
	in, n := &p.img.Code[i], 0
	for _, id := range slices.Concat(in.In, in.Out) {
		if id >= 0 {
			size, _ := p.img.Buffers[id].Size() // checked when it was loaded
			n += size
		} else if id < -1 {
			n += len(p.img.Consts[billb.ConstOperand(id)].Data)
		}
	}
	for _, id := range in.Const {
		if id >= 0 {
			n += len(p.img.Consts[id].Data)
		}
	}
	return float64(n) * float64(p.img.Runs(i))
}

// Instructions describes the program, instruction by instruction.
func (p *Program) Instructions() []InstrInfo {
	list := make([]InstrInfo, len(p.img.Code))
	for i := range p.img.Code {
		in := &p.img.Code[i]
		list[i] = InstrInfo{Name: in.Name, Op: in.Op.String(), Text: p.img.Text(in), MACs: p.macs(i)}
	}
	return list
}

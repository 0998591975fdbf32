package billb

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"strings"
)

// Decode reads a .billb file and checks its form: header, checksum, sections,
// sizes and references. Constants and the certificate are views of file, which
// must not change afterwards. What the instructions mean is checked by Load.
func Decode(file []byte) (*Image, error) {
	img, err := decode(file)
	if err != nil {
		return nil, errorf("billb: %w", Mark(ErrFormat, err))
	}
	return img, nil
}

func decode(file []byte) (*Image, error) {
	if err := checkStart(file); err != nil {
		return nil, err
	}
	if want := binary.LittleEndian.Uint64(file[16:]); want != uint64(len(file)) {
		kind := ErrTruncated
		if want < uint64(len(file)) {
			kind = ErrFormat
		}
		return nil, Errorf(kind, "the file has %d bytes, its header says %d: it is cut off or was changed", len(file), want)
	}
	if want, sum := binary.LittleEndian.Uint32(file[12:]), crc32.Checksum(file[sumStart:], castagnoli); sum != want {
		return nil, Errorf(ErrChecksum, "checksum %08x, the header says %08x: the file was damaged", sum, want)
	}
	sections, err := readSections(file)
	if err != nil {
		return nil, err
	}
	img, err := readImage(sections, binary.LittleEndian.Uint32(file[8:]))
	if err != nil {
		return nil, err
	}
	if err := img.checkForm(); err != nil {
		return nil, err
	}
	return img, nil
}

// CheckHeader checks the beginning of a file, of which the first HeaderSize bytes
// are enough: whether it is a .billb file of a version that can be read.
func CheckHeader(file []byte) error {
	if err := checkStart(file); err != nil {
		return errorf("billb: %w", err)
	}
	return nil
}

func checkStart(file []byte) error {
	if len(file) < len(magic) && len(file) > 0 && strings.HasPrefix(magic, string(file)) {
		return Errorf(ErrTruncated, "the file has %d bytes, its header alone has %d: it is cut off", len(file), HeaderSize)
	}
	if len(file) < len(magic) || string(file[:len(magic)]) != magic {
		return Errorf(ErrNotModel, "not a .billb file: it does not begin with the format's magic bytes")
	}
	if len(file) < HeaderSize {
		return Errorf(ErrTruncated, "the file has %d bytes, its header alone has %d: it is cut off", len(file), HeaderSize)
	}
	if v := binary.LittleEndian.Uint32(file[8:]); v < 1 || v > version {
		return Errorf(ErrVersion, "format version %d, this runtime reads up to %d: use a newer runtime, or compile the model again", v, version)
	}
	return nil
}

// readSections reads the section table. Sections lie in the order of the table,
// with less than 64 zero bytes between them, up to the end of the file.
func readSections(file []byte) (map[uint32][]byte, error) {
	n := int(binary.LittleEndian.Uint32(file[24:]))
	if n > maxSections || HeaderSize+n*entrySize > len(file) || binary.LittleEndian.Uint32(file[28:]) != 0 {
		return nil, errorf("a table of %d sections does not fit the file", n)
	}
	sections := map[uint32][]byte{}
	end, last := HeaderSize+n*entrySize, uint32(0)
	for i := range n {
		e := file[HeaderSize+i*entrySize:]
		id, off, size := binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint64(e[8:]), binary.LittleEndian.Uint64(e[16:])
		number := id &^ mayIgnore
		switch {
		case number <= last || binary.LittleEndian.Uint32(e[4:]) != 0:
			return nil, errorf("section %d of the table is out of order or malformed", i)
		case off < uint64(end) || off-uint64(end) >= align || off > uint64(len(file)) || size > uint64(len(file))-off:
			return nil, errorf("section %d lies at %d with %d bytes, expected after %d inside a file of %d", number, off, size, end, len(file))
		case len(bytes.Trim(file[end:off], "\x00")) != 0:
			return nil, errorf("the bytes before section %d are not zero", number)
		}
		switch id {
		case secInterface, secBuffers, secCode, secConsts, secData, secCertificate, secDebug, secRegions, secStates:
			sections[id] = file[off : off+size : off+size]
		default:
			if id&mayIgnore == 0 {
				return nil, Errorf(ErrVersion, "section %d is unknown and may not be ignored: the file needs a newer runtime", number)
			}
		}
		if id == secData && off%align != 0 {
			return nil, errorf("the data begin at %d, expected a multiple of %d", off, align)
		}
		last, end = number, int(off+size)
	}
	if end != len(file) {
		return nil, errorf("%d bytes follow the last section", len(file)-end)
	}
	if _, ok := sections[secRegions]; ok != (binary.LittleEndian.Uint32(file[8:]) > 2) {
		return nil, errorf("a file has a section of regions from version 3 on, and only then")
	}
	for id := uint32(secInterface); id <= secData; id++ {
		if _, ok := sections[id]; !ok {
			return nil, errorf("section %d is missing", id)
		}
	}
	return sections, nil
}

// reader reads the primitive values of the format. After the first error it
// returns zeros.
type reader struct {
	b   []byte
	err error
}

//go:noinline
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = errorf(format, args...)
	}
	r.b = nil
}

// varint reads an unsigned number in its shortest form.
func (r *reader) varint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.fail("a number is cut off or not in its shortest form")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uint() int {
	v := r.varint()
	if v > maxElems {
		r.fail("%d is out of range", v)
		return 0
	}
	return int(v)
}

func (r *reader) int() int64 {
	v := r.varint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail("a byte is missing")
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) float() float64 {
	if len(r.b) < 8 {
		r.fail("a float is cut off")
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.b))
	r.b = r.b[8:]
	return v
}

// count reads the length of a list whose elements take at least size bytes each.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > len(r.b)/size {
		r.fail("a list of %d does not fit the %d bytes left", n, len(r.b))
		return 0
	}
	return n
}

func (r *reader) text() string {
	n := r.count(1)
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) uints(shift int) []int {
	return list(r, 1, maxCount, func() int { return r.uint() - shift })
}

// list reads a list of at most most elements of at least size bytes; an empty one
// is nil.
func list[T any](r *reader, size, most int, one func() T) []T {
	n := r.count(size)
	if n > most {
		r.fail("a list of %d, expected at most %d", n, most)
		return nil
	}
	if n == 0 {
		return nil
	}
	v := make([]T, 0, n)
	for range n {
		v = append(v, one())
	}
	return v
}

// read reads one section completely.
func read(name string, b []byte, f func(r *reader)) error {
	r := &reader{b: b}
	f(r)
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes are left over", len(r.b))
	}
	if r.err != nil {
		return errorf("section %s: %w", name, r.err)
	}
	return nil
}

func readImage(sections map[uint32][]byte, version uint32) (*Image, error) {
	img := &Image{Certificate: sections[secCertificate]}
	if len(img.Certificate) == 0 {
		img.Certificate = nil
	}
	steps := []struct {
		name string
		id   uint32
		f    func(r *reader)
	}{
		{"INTERFACE", secInterface, img.readInterface},
		{"BUFFERS", secBuffers, img.readBuffers},
		{"CODE", secCode, img.readCode},
		{"CONSTS", secConsts, func(r *reader) { img.readConsts(r, version) }},
	}
	for _, s := range steps {
		if err := read(s.name, sections[s.id], s.f); err != nil {
			return nil, err
		}
	}
	if err := img.readData(sections[secData]); err != nil {
		return nil, errorf("section DATA: %w", err)
	}
	if regions, ok := sections[secRegions]; ok {
		if err := read("REGIONS", regions, func(r *reader) { img.readRegions(r, version) }); err != nil {
			return nil, err
		}
	}
	if states, ok := sections[secStates]; ok {
		if err := read("STATES", states, img.readStates); err != nil {
			return nil, err
		}
	}
	if debug, ok := sections[secDebug]; ok {
		if err := read("DEBUG", debug, img.readDebug); err != nil {
			return nil, err
		}
	}
	return img, nil
}

func (img *Image) readInterface(r *reader) {
	img.Name = r.text()
	img.Meta = list(r, 2, maxCount, func() [2]string { k := r.text(); return [2]string{k, r.text()} })
	img.Labels = list(r, 1, maxCount, r.text)
	port := func() Port {
		return Port{Name: r.text(), Elem: Elem(r.byte()), Shape: r.shape(), Buffer: r.uint()}
	}
	img.Inputs = list(r, 4, maxCount, port)
	img.Outputs = list(r, 4, maxCount, port)
}

// shape reads a list of dimensions; a scalar's is empty, not nil.
func (r *reader) shape() []int {
	if s := r.uints(0); s != nil {
		return s
	}
	return []int{}
}

func (img *Image) readBuffers(r *reader) {
	img.Arena = r.units()
	img.Buffers = list(r, 4, maxItems, func() Buffer {
		b := Buffer{Elem: Elem(r.byte()), Shape: r.shape()}
		switch kind := r.byte(); kind {
		case 0:
		case 1:
			b.Planes = true
			if len(b.Shape) != 5 {
				r.fail("planes of shape %s, expected [1,C,T,H,W]", ShapeString(b.Shape))
				return b
			}
			g := &b.Geom
			g.C, g.T, g.H, g.W = b.Shape[1], b.Shape[2], b.Shape[3], b.Shape[4]
			for _, p := range []*int{&g.HT, &g.HH, &g.HW, &g.PT, &g.PH, &g.PW} {
				*p = r.uint()
			}
		default:
			r.fail("buffer kind %d is unknown", kind)
		}
		b.Offset = r.units()
		return b
	})
}

// units reads a number of 64-byte units as bytes.
func (r *reader) units() int {
	n := r.uint()
	if n > maxArena/align {
		r.fail("offset or size %d is out of range", n)
		return 0
	}
	return n * align
}

func (img *Image) readCode(r *reader) {
	i := 0
	img.Code = list(r, 6, maxItems, func() Instr {
		op := r.uint()
		if op > math.MaxUint16 {
			r.fail("opcode %d is out of range", op)
		}
		in := Instr{
			Op: Opcode(op),
			In: list(r, 1, maxCount, func() int {
				v := r.int()
				if v < -maxElems || v > maxElems {
					r.fail("operand %d is out of range", v)
				}
				return int(v)
			}),
			Out:   r.uints(1),
			Const: r.uints(1),
		}
		in.Params = r.params(&in, i)
		i++
		return in
	})
}

// params reads the numbers of instruction i.
func (r *reader) params(in *Instr, i int) Params {
	ints, floats := list(r, 1, maxParams, r.int), list(r, 8, maxParams, r.float)
	if r.err != nil {
		return nil
	}
	p, err := NewParams(in.Op, ints, floats)
	if err != nil {
		r.fail("%s: %w", in.Where(i), err)
	}
	return p
}

func (img *Image) readConsts(r *reader, version uint32) {
	img.Consts = list(r, 2, maxItems, func() Const {
		c := Const{Elem: Elem(r.byte())}
		if version > 1 {
			c.Form = Form(r.byte())
		}
		c.Shape = r.shape()
		return c
	})
	if version == 2 && r.err == nil && img.version() == 1 {
		r.fail("no constant has a form of format version %d, expected version 1", version)
	}
}

func (img *Image) readData(b []byte) error {
	off := 0
	for i := range img.Consts {
		c := &img.Consts[i]
		size, err := c.Size()
		if err != nil {
			return errorf("constant %d: %w", i, err)
		}
		if i > 0 {
			gap := -off & (align - 1)
			if gap > len(b)-off || len(bytes.Trim(b[off:off+gap], "\x00")) != 0 {
				return errorf("the bytes before constant %d are missing or not zero", i)
			}
			off += gap
		}
		if size > len(b)-off {
			return errorf("constant %d needs %d bytes, %d are left", i, size, len(b)-off)
		}
		c.Data = b[off : off+size : off+size]
		off += size
	}
	if off != len(b) {
		return errorf("%d bytes are left over", len(b)-off)
	}
	return nil
}

func (img *Image) readDebug(r *reader) {
	names := list(r, 1, maxItems, r.text)
	if len(names) != len(img.Code) && r.err == nil {
		r.fail("%d names for %d instructions", len(names), len(img.Code))
		return
	}
	if r.err != nil || !slices.ContainsFunc(names, func(s string) bool { return s != "" }) {
		return
	}
	for i, s := range names {
		img.Code[i].Name = s
	}
}

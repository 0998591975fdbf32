package billb

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"slices"
)

// The fixed parts of a file; see the package comment.
const (
	magic       = "\x93BILLB\r\n"
	version     = 4 // the newest; a file has the oldest that has all it needs
	entrySize   = 24
	sumStart    = 16 // the checksum covers the file from here on
	maxSections = 64
	mayIgnore   = 1 << 31
)

// HeaderSize is the number of bytes of a file's header.
const HeaderSize = 32

// The sections in file order; that of regions came with version 3.
const (
	secInterface   = 1
	secBuffers     = 2
	secCode        = 3
	secConsts      = 4
	secData        = 5
	secCertificate = 6 | mayIgnore
	secDebug       = 7 | mayIgnore
	secRegions     = 8
	secStates      = 9
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode returns the image as a .billb file. The same image always gives the
// same bytes. It checks the form of everything, but not what the instructions
// mean: Load does.
func (img *Image) Encode() ([]byte, error) {
	pieces, size, err := img.pieces()
	if err != nil {
		return nil, err
	}
	seal(pieces[0], img.version(), size, pieces[1:]...)
	return bytes.Join(pieces, nil), nil
}

// EncodeTo writes what Encode returns, with no copy of the constants. A method of io.WriterTo's name would be linked into
// programs that only load.
func (img *Image) EncodeTo(w io.Writer) (int64, error) {
	pieces, size, err := img.pieces()
	if err != nil {
		return 0, err
	}
	seal(pieces[0], img.version(), size, pieces[1:]...)
	n := int64(0)
	for _, p := range pieces {
		k, err := w.Write(p)
		if n += int64(k); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Size is the number of bytes of what Encode returns.
func (img *Image) Size() (int, error) {
	_, size, err := img.pieces()
	return size, err
}

// pieces is the file in pieces, the constants' data among them, but for what seal
// writes into the first, and its size.
func (img *Image) pieces() ([][]byte, int, error) {
	if err := img.checkForm(); err != nil {
		return nil, 0, errorf("billb: %s: %w", img.Name, err)
	}
	sections := []section{
		{secInterface, img.encodeInterface()},
		{secBuffers, img.encodeBuffers()},
		{secCode, img.encodeCode()},
		{secConsts, img.encodeConsts()},
		{secData, nil},
	}
	if len(img.Certificate) > 0 {
		sections = append(sections, section{secCertificate, img.Certificate})
	}
	if names := img.encodeDebug(); names != nil {
		sections = append(sections, section{secDebug, names})
	}
	if len(img.Regions) > 0 {
		sections = append(sections, section{secRegions, img.encodeRegions()})
	}
	if len(img.States) > 0 {
		sections = append(sections, section{secStates, img.encodeStates()})
	}
	head := make([]byte, HeaderSize+entrySize*len(sections))
	pieces, size := [][]byte{head}, len(head)
	add := func(b []byte) {
		pieces, size = append(pieces, b), size+len(b)
	}
	for i, s := range sections {
		if s.id == secData {
			add(padding(size))
		}
		start := size
		if add(s.data); s.id == secData {
			for _, c := range img.Consts {
				add(padding(size))
				add(c.Data)
			}
		}
		e := head[HeaderSize+entrySize*i:]
		binary.LittleEndian.PutUint32(e, s.id)
		binary.LittleEndian.PutUint64(e[8:], uint64(start))
		binary.LittleEndian.PutUint64(e[16:], uint64(size-start))
	}
	binary.LittleEndian.PutUint32(head[24:], uint32(len(sections)))
	return pieces, size, nil
}

// Seal makes the header of a file of at least HeaderSize bytes fit what follows:
// magic, size and checksum. Tests that damage files use it.
func Seal(file []byte) {
	v := binary.LittleEndian.Uint32(file[8:])
	if v == 0 || v > version {
		v = 1
	}
	seal(file, v, len(file))
}

// seal is Seal for a file of a version, of size bytes, that begins with head and goes
// on with rest.
func seal(head []byte, version uint32, size int, rest ...[]byte) {
	copy(head, magic)
	binary.LittleEndian.PutUint32(head[8:], version)
	binary.LittleEndian.PutUint64(head[16:], uint64(size))
	sum := crc32.Checksum(head[sumStart:], castagnoli)
	for _, b := range rest {
		sum = crc32.Update(sum, castagnoli, b)
	}
	binary.LittleEndian.PutUint32(head[12:], sum)
}

type section struct {
	id   uint32
	data []byte
}

// padding is the zeros between size bytes and the next multiple of 64.
func padding(size int) []byte { return make([]byte, -size&(align-1)) }

// writer appends the primitive values of the format.
type writer []byte

//go:noinline
func (w *writer) uint(v int)      { *w = binary.AppendUvarint(*w, uint64(v)) }
func (w *writer) int(v int64)     { *w = binary.AppendVarint(*w, v) }
func (w *writer) byte(v byte)     { *w = append(*w, v) }
func (w *writer) text(s string)   { w.uint(len(s)); *w = append(*w, s...) }
func (w *writer) float(v float64) { *w = binary.LittleEndian.AppendUint64(*w, math.Float64bits(v)) }

func (w *writer) uints(v []int, shift int) {
	w.uint(len(v))
	for _, x := range v {
		w.uint(x + shift)
	}
}

func (img *Image) encodeInterface() []byte {
	var w writer
	w.text(img.Name)
	w.uint(len(img.Meta))
	for _, kv := range img.Meta {
		w.text(kv[0])
		w.text(kv[1])
	}
	w.uint(len(img.Labels))
	for _, s := range img.Labels {
		w.text(s)
	}
	for _, ports := range [][]Port{img.Inputs, img.Outputs} {
		w.uint(len(ports))
		for _, p := range ports {
			w.text(p.Name)
			w.byte(byte(p.Elem))
			w.uints(p.Shape, 0)
			w.uint(p.Buffer)
		}
	}
	return w
}

func (img *Image) encodeBuffers() []byte {
	var w writer
	w.uint(img.Arena / align)
	w.uint(len(img.Buffers))
	for _, b := range img.Buffers {
		w.byte(byte(b.Elem))
		w.uints(b.Shape, 0)
		if b.Planes {
			w.byte(1)
			for _, v := range []int{b.Geom.HT, b.Geom.HH, b.Geom.HW, b.Geom.PT, b.Geom.PH, b.Geom.PW} {
				w.uint(v)
			}
		} else {
			w.byte(0)
		}
		w.uint(b.Offset / align)
	}
	return w
}

func (img *Image) encodeCode() []byte {
	var w writer
	w.uint(len(img.Code))
	for i := range img.Code {
		in := &img.Code[i]
		w.uint(int(in.Op))
		w.uint(len(in.In))
		for _, b := range in.In {
			w.int(int64(b))
		}
		w.uints(in.Out, 1)
		w.uints(in.Const, 1)
		ints, floats := encodeParams(in.Params)
		w.uint(len(ints))
		for _, v := range ints {
			w.int(v)
		}
		w.uint(len(floats))
		for _, v := range floats {
			w.float(v)
		}
	}
	return w
}

// version is the oldest format that has all that an image needs.
func (img *Image) version() uint32 {
	if len(img.Regions) > 0 {
		return 4
	}
	if slices.ContainsFunc(img.Consts, func(c Const) bool { return c.Form != Plain }) {
		return 2
	}
	return 1
}

func (img *Image) encodeConsts() []byte {
	var w writer
	w.uint(len(img.Consts))
	narrow := img.version() > 1
	for _, c := range img.Consts {
		w.byte(byte(c.Elem))
		if narrow {
			w.byte(byte(c.Form))
		}
		w.uints(c.Shape, 0)
	}
	return w
}

// encodeDebug is the instructions' names, nil when there are none.
func (img *Image) encodeDebug() []byte {
	var w writer
	named := false
	w.uint(len(img.Code))
	for i := range img.Code {
		w.text(img.Code[i].Name)
		named = named || img.Code[i].Name != ""
	}
	if !named {
		return nil
	}
	return w
}

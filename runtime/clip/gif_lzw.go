package clip

import (
	"bufio"
	"errors"
	"io"
)

// subBlocks reads the bytes of a chain of sub-blocks: a length and that many bytes, up to a length of 0. io.EOF at its
// end, errCut where the file ends before.
type subBlocks struct {
	r    *bufio.Reader
	left int // of the sub-block
	done bool
}

func (s *subBlocks) ReadByte() (byte, error) {
	if s.left == 0 {
		if err := s.open(); err != nil {
			return 0, err
		}
	}
	b, err := s.r.ReadByte()
	if err != nil {
		return 0, cut(err)
	}
	s.left--
	return b, nil
}

// open reads the length of the next sub-block.
func (s *subBlocks) open() error {
	if s.done {
		return io.EOF
	}
	n, err := s.r.ReadByte()
	if err != nil {
		return cut(err)
	}
	s.left, s.done = int(n), n == 0
	if s.done {
		return io.EOF
	}
	return nil
}

// drain passes over what is left of the chain.
func (s *subBlocks) drain() error {
	for {
		if _, err := s.r.Discard(s.left); err != nil {
			return cut(err)
		}
		s.left = 0
		if err := s.open(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// cut names the end of a file.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}

// lzwDecoder decodes GIF's variant of LZW: codes of codeSize+1 to 12 bits, lowest bit first; 1<<codeSize clears the table, the
// code after it ends the data. A full table stays as it is until it is cleared.
type lzwDecoder struct {
	prefix [1 << 12]uint16
	last   [1 << 12]byte // of the string of a code
	out    [1<<12 + 1]byte
}

// decode gives each index to put until put wants no more, or the data ends: with its end code or without.
func (d *lzwDecoder) decode(r *subBlocks, codeSize int, put func(byte) bool) error {
	if codeSize < 1 || codeSize > 8 {
		return errorf("LZW codes for indices of %d bits: expected 1 to 8", codeSize)
	}
	clearCode := 1 << codeSize
	for i := range clearCode {
		d.last[i] = byte(i)
	}
	next, width, before := clearCode+2, codeSize+1, -1
	var first byte // of the string before
	var acc, bits uint
	for {
		for bits < uint(width) {
			b, err := r.ReadByte()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			acc |= uint(b) << bits
			bits += 8
		}
		code := int(acc & (1<<width - 1))
		acc >>= width
		bits -= uint(width)
		switch {
		case code == clearCode:
			next, width, before = clearCode+2, codeSize+1, -1
			continue
		case code == clearCode+1:
			return nil
		case code > next || code == next && (before < 0 || next == len(d.last)) || before < 0 && code > clearCode:
			return errorf("LZW code %d where %d is the next to come", code, next)
		}
		at := len(d.out)
		c := code
		if code == next { // the string before and its own first index
			at--
			d.out[at] = first
			c = before
		}
		for c >= clearCode {
			at--
			d.out[at] = d.last[c]
			c = int(d.prefix[c])
		}
		at--
		d.out[at], first = byte(c), byte(c)
		if before >= 0 && next < len(d.last) {
			d.prefix[next], d.last[next] = uint16(before), first
			next++
			if next == 1<<width && width < 12 {
				width++
			}
		}
		before = code
		for _, index := range d.out[at:] {
			if !put(index) {
				return nil
			}
		}
	}
}

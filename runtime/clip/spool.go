package clip

import (
	"bufio"
	"os"
)

// spoolMemory bounds the frames that a spool keeps in memory.
const spoolMemory = 16 << 20

// spool keeps frames of one size until it is known which of them are needed: the first ones in memory, the rest in a
// temporary file, which has no name any more where the system allows that.
type spool struct {
	size  int
	limit int64 // of all frames, in bytes
	n     int
	held  [][]uint8 // blocks of perBlock frames
	file  *os.File
	w     *bufio.Writer // into file
	named bool          // the file still has its name
}

// perBlock is the number of frames allocated at a time, about a megabyte of them.
func (s *spool) perBlock() int { return max(1, 1<<20/s.size) }

// inMemory is the number of frames kept there.
func (s *spool) inMemory() int { return spoolMemory / s.size }

func (s *spool) add(frame []uint8) error {
	if int64(s.n+1)*int64(s.size) > s.limit {
		return errorf("it is longer than %d frames of %d bytes, and its length is not known beforehand: all that may wait for its end are %d bytes", s.n, s.size, s.limit)
	}
	if s.n < s.inMemory() {
		if s.n%s.perBlock() == 0 {
			s.held = append(s.held, make([]uint8, 0, s.perBlock()*s.size))
		}
		last := &s.held[len(s.held)-1]
		*last = append(*last, frame...)
		s.n++
		return nil
	}
	if err := s.write(frame); err != nil {
		return errorf("frame %d has to wait in a temporary file: %w", s.n, err)
	}
	s.n++
	return nil
}

func (s *spool) write(frame []uint8) (err error) {
	if s.file == nil {
		if s.file, err = os.CreateTemp("", "clip-*.frames"); err != nil {
			return err
		}
		s.named = os.Remove(s.file.Name()) != nil // open files keep their names on some systems
		s.w = bufio.NewWriterSize(s.file, 1<<16)
	}
	_, err = s.w.Write(frame)
	return err
}

// copy writes frames to the places given by their numbers.
func (s *spool) copy(dst map[int][]uint8) error {
	if s.w != nil {
		if err := s.w.Flush(); err != nil {
			return errorf("frames have to wait in a temporary file: %w", err)
		}
	}
	for k, to := range dst {
		if k < s.inMemory() {
			copy(to, s.held[k/s.perBlock()][k%s.perBlock()*s.size:])
		} else if _, err := s.file.ReadAt(to, int64(k-s.inMemory())*int64(s.size)); err != nil {
			return errorf("frame %d in a temporary file: %w", k, noEOF(err))
		}
	}
	return nil
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
	}
	if s.named {
		os.Remove(s.file.Name())
	}
}

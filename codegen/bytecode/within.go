package bytecode

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// bandRows are the rows of bands that GenerateWithin tries, from fast to small.
var bandRows = []int{0, 32, 16, 8, 4, 2, 1}

// TooLargeError says that no plan needs as little memory as was asked for.
type TooLargeError struct{ Limit, Smallest int } // bytes

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("no plan works in %d bytes of memory; the smallest needs %d", e.Limit, e.Smallest)
}

// GenerateWithin is Generate with a plan of which a session with one thread works in at most limit bytes, arena and scratch
// memory of the kernels. Its regions run on whole maps where that fits, else on bands of as many rows as fit. Where no plan
// does it is a *TooLargeError.
func GenerateWithin(m *ir.Module, certificate []byte, limit int) (*billb.Image, Plan, error) {
	s, err := newSearch(m, certificate)
	if err != nil {
		return nil, Plan{}, err
	}
	all := func(rows int) []BandSize { return slices.Repeat([]BandSize{{1, rows}}, s.g.count) }
	smallest, sizes := 0, []BandSize(nil)
	for _, rows := range bandRows {
		n, err := s.memory(all(rows))
		if err != nil {
			return nil, Plan{}, err
		}
		if smallest == 0 || n < smallest {
			smallest = n
		}
		if n <= limit {
			sizes = all(rows)
			break
		}
	}
	if sizes == nil {
		return nil, Plan{}, &TooLargeError{limit, smallest}
	}
	for region := range sizes {
		for _, rows := range bandRows {
			if rows != 0 && rows <= sizes[region].Rows || sizes[region].Rows == 0 {
				break
			}
			trial := slices.Clone(sizes)
			trial[region].Rows = rows
			n, err := s.memory(trial)
			if err != nil {
				return nil, Plan{}, err
			}
			if n <= limit {
				sizes = trial
				break
			}
		}
	}
	return s.image(sizes)
}

// GenerateBands is Generate with bands of one size in all regions.
func GenerateBands(m *ir.Module, certificate []byte, size BandSize) (*billb.Image, Plan, error) {
	s, err := newSearch(m, certificate)
	if err != nil {
		return nil, Plan{}, err
	}
	return s.image(slices.Repeat([]BandSize{size}, s.g.count))
}

// search tries plans for an image.
type search struct {
	img   *billb.Image
	group []int
	g     *grouped
}

func newSearch(m *ir.Module, certificate []byte) (*search, error) {
	img, group, _, err := unplaced(m, certificate)
	if err != nil {
		return nil, err
	}
	return &search{img, group, groupInstructions(img)}, nil
}

// image is the image with bands of a size for every region.
func (s *search) image(sizes []BandSize) (*billb.Image, Plan, error) {
	img, group, regions := bands(s.img, s.group, s.g, sizes)
	plan, err := place(img, group)
	if err != nil {
		return nil, Plan{}, err
	}
	plan.Regions = regions
	plan.Memory, err = memoryOf(img)
	return img, plan, err
}

func (s *search) memory(sizes []BandSize) (int, error) {
	_, plan, err := s.image(sizes)
	return plan.Memory.Total(), err
}

// memoryOf is the memory of a session, with those of this machine's kernels that want the most.
func memoryOf(img *billb.Image) (runtime.Memory, error) {
	file, err := img.Encode()
	if err != nil {
		return runtime.Memory{}, err
	}
	var most runtime.Memory
	for _, isa := range kernels.Machine() {
		p, err := runtime.Loader{ISA: isa}.LoadBytes(file)
		if err != nil {
			return runtime.Memory{}, fmt.Errorf("BUG: %w", err)
		}
		m, err := p.Memory(1)
		if err != nil {
			return runtime.Memory{}, err
		}
		if m.Total() > most.Total() {
			most = m
		}
	}
	return most, nil
}

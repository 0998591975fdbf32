package bytecode

import (
	"fmt"
	"slices"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// bandSizes are the bands that GenerateWithin tries, from fast to small; the first is whole maps.
var bandSizes = []BandSize{
	{Frames: 1},
	{Frames: 1, Rows: 32, Rolled: true},
	{Frames: 1, Rows: 16, Rolled: true},
	{Frames: 1, Rows: 8, Rolled: true},
	{Frames: 1, Rows: 8},
	{Frames: 1, Rows: 4, Rolled: true},
	{Frames: 1, Rows: 4},
	{Frames: 1, Rows: 2, Rolled: true},
	{Frames: 1, Rows: 2},
	{Frames: 1, Rows: 1, Rolled: true},
	{Frames: 1, Rows: 1},
	{Frames: 1, Rows: 1, Rolled: true, Split: true},
	{Frames: 1, Rows: 1, Split: true},
}

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
	all := func(size BandSize) []BandSize { return slices.Repeat([]BandSize{size}, s.g.count) }
	smallest, from, sizes := 0, 0, []BandSize(nil)
	for i, size := range bandSizes {
		n, err := s.memory(all(size))
		if err != nil {
			return nil, Plan{}, err
		}
		if smallest == 0 || n < smallest {
			smallest = n
		}
		if n <= limit {
			from, sizes = i, all(size)
			break
		}
	}
	if sizes == nil {
		return nil, Plan{}, &TooLargeError{limit, smallest}
	}
	for region := range sizes {
		for _, size := range bandSizes[:from] {
			trial := slices.Clone(sizes)
			trial[region] = size
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
	rooms, err := roomsOf(img)
	if err != nil {
		return nil, Plan{}, err
	}
	plan, err := place(img, group, rooms)
	plan.Regions = regions
	plan.Memory = runtime.MemoryWith(img, rooms)
	return img, plan, err
}

func (s *search) memory(sizes []BandSize) (int, error) {
	_, plan, err := s.image(sizes)
	return plan.Memory.Total(), err
}

// roomsOf is the bytes that every instruction needs besides its operands, with those of
// this machine's kernels that want the most.
func roomsOf(img *billb.Image) ([]int, error) {
	most := make([]int, len(img.Code))
	for _, isa := range kernels.Machine() {
		rooms, err := runtime.Rooms(img, isa)
		if err != nil {
			return nil, fmt.Errorf("BUG: %w", err)
		}
		for i, n := range rooms {
			most[i] = max(most[i], n)
		}
	}
	return most, nil
}

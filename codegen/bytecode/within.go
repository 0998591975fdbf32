package bytecode

import (
	"fmt"
	"slices"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime"
	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// bandSizes are the bands that GenerateWithin tries: whole maps, then from large to small.
var bandSizes = []BandSize{
	{Frames: 1},
	{Frames: 1, Rows: 32, Rolled: true},
	{Frames: 1, Rows: 16},
	{Frames: 1, Rows: 8},
	{Frames: 1, Rows: 4},
	{Frames: 1, Rows: 4, Rolled: true},
	{Frames: 1, Rows: 2},
	{Frames: 1, Rows: 2, Rolled: true},
	{Frames: 1, Rows: 1},
	{Frames: 1, Rows: 1, Rolled: true},
	{Frames: 1, Rows: 1, Split: true},
	{Frames: 1, Rows: 1, Rolled: true, Split: true},
}

// TooLargeError says that no plan needs as little memory as was asked for.
type TooLargeError struct{ Limit, Smallest int } // bytes

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("no plan works in %d bytes of memory; the smallest needs %d", e.Limit, e.Smallest)
}

// GenerateWithin is Generate with a plan of which a session with one thread works in at most limit bytes, arena and scratch
// memory of the kernels. Of the plans that do it takes, region by region, the one that is estimated to be the fastest, and of
// equals the one with less memory. Where no plan does it is a *TooLargeError.
func GenerateWithin(m *ir.Module, certificate []byte, limit int) (*billb.Image, Plan, error) {
	s, err := newSearch(m, certificate)
	if err != nil {
		return nil, Plan{}, err
	}
	sizes, smallest := []BandSize(nil), 0
	for _, size := range bandSizes {
		all := slices.Repeat([]BandSize{size}, s.g.count)
		t, err := s.try(all)
		if err != nil {
			return nil, Plan{}, err
		}
		if sizes == nil || t.memory < smallest {
			sizes, smallest = all, t.memory
		}
	}
	for region := range sizes { // what one region needs little depends on the others
		if smallest, err = s.improve(sizes, region, func(t, best trial) bool { return t.memory < best.memory }); err != nil {
			return nil, Plan{}, err
		}
	}
	if smallest > limit {
		return nil, Plan{}, &TooLargeError{limit, smallest}
	}
	for region := range sizes {
		if _, err = s.improve(sizes, region, func(t, best trial) bool {
			return t.memory <= limit && (t.cost < best.cost || t.cost == best.cost && t.memory < best.memory)
		}); err != nil {
			return nil, Plan{}, err
		}
	}
	return s.image(sizes)
}

// improve gives a region the best of all bands, and returns the memory with it.
func (s *search) improve(sizes []BandSize, region int, better func(t, best trial) bool) (int, error) {
	best, err := s.try(sizes)
	if err != nil {
		return 0, err
	}
	chosen := sizes[region]
	for _, size := range bandSizes {
		with := slices.Clone(sizes)
		with[region] = size
		t, err := s.try(with)
		if err != nil {
			return 0, err
		}
		if better(t, best) {
			chosen, best = size, t
		}
	}
	sizes[region] = chosen
	return best.memory, nil
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
	rooms map[string]int // what instructions need besides their operands, by what they are
	tried map[string]trial
}

// trial is what a plan comes to.
type trial struct {
	memory int
	cost   float64
}

func newSearch(m *ir.Module, certificate []byte) (*search, error) {
	img, group, _, err := unplaced(m, certificate, false)
	if err != nil {
		return nil, err
	}
	g := groupInstructions(img)
	if stepped(img) {
		g.count = 0 // none of its regions takes bands
	}
	return &search{img, group, g, map[string]int{}, map[string]trial{}}, nil
}

// stepped reports whether an image runs in steps already: those that are rolled up, or of a stream.
func stepped(img *billb.Image) bool { return len(img.Regions)+len(img.States) > 0 }

// image is the image with bands of a size for every region; one that is stepped stays as it is.
func (s *search) image(sizes []BandSize) (*billb.Image, Plan, error) {
	img, group, regions := s.img, s.group, []RegionPlan(nil)
	if !stepped(img) {
		img, group, regions = bands(s.img, s.group, s.g, sizes)
	}
	rooms, err := s.roomsOf(img)
	if err != nil {
		return nil, Plan{}, err
	}
	plan, err := place(img, group, rooms)
	if err != nil {
		return nil, Plan{}, err
	}
	plan.Regions = regions
	plan.Memory = runtime.MemoryWith(img, rooms)
	return img, plan, nil
}

// try is the memory and the cost of a plan. The search comes by some more than once.
func (s *search) try(sizes []BandSize) (trial, error) {
	key := fmt.Sprint(sizes)
	if t, ok := s.tried[key]; ok {
		return t, nil
	}
	img, plan, err := s.image(sizes)
	if err != nil {
		return trial{}, err
	}
	t := trial{plan.Memory.Total(), costOf(img)}
	s.tried[key] = t
	return t, nil
}

// costOf estimates what a run costs, in multiply-accumulates: those of all instructions, with what kernels compute beyond the ends
// of rows because they work on blocks of positions; what bytes cost that are moved; and what it costs to begin an instruction.
func costOf(img *billb.Image) float64 {
	const block, perByte, perCall = 64, 16, 60e3
	total := 0.0
	for i := range img.Code {
		in := &img.Code[i]
		cost := float64(perCall)
		for _, ids := range [][]int{in.In, in.Out} {
			for _, b := range ids {
				if b >= 0 && in.Op != billb.OpBandStore {
					n, _ := img.Buffers[b].Size()
					cost += perByte * float64(n)
				}
			}
		}
		if macs := img.MACs(in); macs > 0 {
			if y := &img.Buffers[in.Out[0]]; y.Planes {
				rows := y.Geom.T * y.Geom.H
				stored := min(ceilDiv(rows*y.Geom.Pitch(), block), rows*ceilDiv(y.Geom.W, block)) * block
				macs *= float64(stored) / float64(rows*y.Geom.W)
			}
			cost += macs
		}
		total += cost * float64(img.Runs(i))
	}
	return total
}

// roomsOf is the bytes that every instruction needs besides its operands, with those of this machine's kernels that want the most.
func (s *search) roomsOf(img *billb.Image) ([]int, error) {
	rooms, unknown := make([]int, len(img.Code)), []int(nil)
	keys := make([]string, len(img.Code))
	for i := range img.Code {
		keys[i] = keyOf(img, &img.Code[i])
		n, ok := s.rooms[keys[i]]
		if rooms[i] = n; !ok {
			unknown = append(unknown, i)
		}
	}
	if unknown == nil {
		return rooms, nil
	}
	for _, isa := range kernels.Machine() {
		list, err := runtime.Rooms(img, unknown, isa)
		if err != nil {
			return nil, fmt.Errorf("BUG: %w", err)
		}
		for k, i := range unknown {
			rooms[i] = max(rooms[i], list[k])
			s.rooms[keys[i]] = max(s.rooms[keys[i]], rooms[i])
		}
	}
	return rooms, nil
}

// keyOf is what an instruction is, wherever its buffers lie.
func keyOf(img *billb.Image, in *billb.Instr) string {
	var b strings.Builder
	fmt.Fprint(&b, in.Op, in.Const)
	if in.Params != nil {
		fmt.Fprintf(&b, "%+v", in.Params)
	}
	for _, ids := range [][]int{in.In, in.Out} {
		for _, id := range ids {
			if id < 0 {
				fmt.Fprint(&b, " ", id)
			} else {
				fmt.Fprint(&b, " ", img.Buffers[id])
			}
		}
	}
	return b.String()
}

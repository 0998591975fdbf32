package runtime

import (
	"slices"

	"github.com/billnet/billnet/runtime/billb"
	"github.com/billnet/billnet/runtime/kernels"
)

// Steps need memory besides their operands': scratch memory, which the parts share,
// and vectors of every part. It lies in the arena where no buffer holds a value while
// the step runs, and behind the arena where there is no such gap.

// room is the memory of a step: where it begins, the bytes of scratch memory, and those
// of every part's vectors behind it.
type room struct{ at, scratch, temp int }

func (r room) size(threads int) int { return r.scratch + threads*r.temp }

// placer places memory of so many bytes for every step. It returns where each lies and the
// bytes of the arena and of what is behind it.
type placer func(need []int) (at []int, total int)

// newRooms places the rooms of steps on so many threads; all behind the arena where place is nil.
func newRooms(steps []step, arena int, place placer, threads int) ([]room, int) {
	rooms, need := make([]room, len(steps)), make([]int, len(steps))
	for i := range steps {
		rooms[i] = steps[i].room(threads)
		need[i] = rooms[i].size(threads)
	}
	if place == nil {
		place = behind(arena)
	}
	at, total := place(need)
	for i := range rooms {
		rooms[i].at = at[i]
	}
	return rooms, total
}

// behind places everything behind an arena.
func behind(arena int) placer {
	return func(need []int) ([]int, int) {
		at, most := make([]int, len(need)), 0
		for i, n := range need {
			at[i], most = arena, max(most, n)
		}
		return at, arena + most
	}
}

// room is what the step needs on so many threads, or on one.
func (s *step) room(threads int) (r room) {
	if s.scratch != nil {
		r.scratch = roundUp(max(s.scratch(1), s.scratch(threads)), align)
	}
	if !s.bare {
		r.temp = tempBytes
	}
	return r
}

// gapsOf places in the gaps that an image's buffers leave.
func gapsOf(img *billb.Image) placer {
	return func(need []int) ([]int, int) { return placeInGaps(img, need) }
}

func placeInGaps(img *billb.Image, need []int) (at []int, total int) {
	lives := img.Lifetimes()
	first := make([][]int, len(need)) // buffers, by the instruction that uses them first
	for b, l := range lives {
		if size, _ := img.Buffers[b].Size(); size > 0 && max(l.First, 0) < len(need) && l.First <= l.Last {
			first[max(l.First, 0)] = append(first[max(l.First, 0)], b)
		}
	}
	at, total = make([]int, len(need)), img.Arena
	var alive []int // by offset
	for i := range need {
		kept := alive[:0]
		for _, b := range alive {
			if lives[b].Last >= i {
				kept = append(kept, b)
			}
		}
		alive = kept
		for _, b := range first[i] {
			k := len(alive)
			alive = append(alive, b)
			for ; k > 0 && img.Buffers[alive[k-1]].Offset > img.Buffers[b].Offset; k-- {
				alive[k] = alive[k-1]
			}
			alive[k] = b
		}
		if need[i] > 0 {
			at[i] = lowestGap(img, alive, need[i])
			total = max(total, at[i]+need[i])
		}
	}
	return at, total
}

// lowestGap is the lowest offset where none of some buffers lies, which are in the order of
// theirs.
func lowestGap(img *billb.Image, buffers []int, size int) int {
	at := 0
	for _, b := range buffers {
		v := &img.Buffers[b]
		if v.Offset >= at+size {
			break
		}
		n, _ := v.Size()
		at = max(at, roundUp(v.Offset+n, align))
	}
	return at
}

// Rooms is how many bytes some instructions of an image need besides their operands, with
// one thread and the kernels of an instruction set. Where the buffers lie is of no
// consequence.
func Rooms(img *billb.Image, instrs []int, isa string) ([]int, error) {
	best, err := parseISA(isa)
	if err != nil {
		return nil, err
	}
	apart := *img
	apart.Buffers = slices.Clone(img.Buffers)
	at := 0
	for b := range apart.Buffers {
		size, err := apart.Buffers[b].Size()
		if err != nil {
			return nil, err
		}
		apart.Buffers[b].Offset = at
		at += roundUp(size, align)
	}
	need := make([]int, len(instrs))
	set, consts := kernels.Select(best), &constants{img: &apart, dense: map[int][]byte{}}
	for k, i := range instrs {
		in := &apart.Code[i]
		s, err := prepare(&apart, in, set, consts)
		if err != nil {
			return nil, errorf("%s: %w", in.Where(i), err)
		}
		need[k] = s.room(1).size(1)
	}
	return need, nil
}

// MemoryWith is the memory of a session whose instructions need so many bytes besides
// their operands.
func MemoryWith(img *billb.Image, need []int) Memory {
	_, total := placeInGaps(img, need)
	return Memory{Arena: img.Arena, Scratch: total - img.Arena}
}

package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"
)

// numbers is a source of n clips whose bytes are their number and variant; those of bad cannot be read.
type numbers struct {
	n   int
	bad map[int]bool
}

func (s numbers) Name() string      { return "numbers" }
func (s numbers) Classes() []string { return []string{"even", "odd"} }
func (s numbers) Size() Size        { return Size{1, 1, 2} }
func (s numbers) Len(Split) int     { return s.n }
func (s numbers) Stats() Stats      { return Stats{} }

func (s numbers) Clip(_ Split, i int, variant uint64, dst []uint8) (int, error) {
	if s.bad[i] {
		return 0, &BadClip{fmt.Sprint(i), fmt.Errorf("clip %d is broken", i)}
	}
	if i == 1000 {
		return 0, errors.New("the disk is gone")
	}
	copy(dst, []uint8{uint8(i), uint8(i >> 8), uint8(variant), uint8(variant >> 8), uint8(variant >> 16), uint8(variant >> 24)})
	return i & 1, nil
}

func batches(t testing.TB, src Source, opt LoaderOptions, n int) (list []Batch, end error) {
	t.Helper()
	l, err := NewLoader(src, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range n {
		b, err := l.Next(context.Background())
		if err != nil {
			return list, err
		}
		if b.N*src.Size().Bytes() != len(b.Clips) || len(b.Labels) != b.N || len(b.Index) != b.N || len(b.Variant) != b.N {
			t.Fatalf("a batch of %d has %d bytes, %d labels, %d indices, %d variants", b.N, len(b.Clips), len(b.Labels), len(b.Index), len(b.Variant))
		}
		list = append(list, Batch{b.N, slices.Clone(b.Clips), slices.Clone(b.Labels), slices.Clone(b.Index), slices.Clone(b.Variant)})
	}
	if want := opt.Start + n; l.Pos() != want {
		t.Errorf("position %d after %d batches from %d on", l.Pos(), n, opt.Start)
	}
	return list, nil
}

func sum(list []Batch) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE(fmt.Append(nil, list)))
}

// The stream depends on seed and position only.
func TestLoaderStream(t *testing.T) {
	gestures := newGestures(t, Size{4, 12, 16}, GestureOptions{})
	for _, src := range []Source{numbers{n: 23}, gestures} {
		opt := LoaderOptions{Batch: 5, Seed: 3, Workers: 1, Prefetch: 1}
		want, err := batches(t, src, opt, 20)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []LoaderOptions{{Workers: 1}, {Workers: 4}, {Workers: 3, Prefetch: 1}, {Workers: 2, Prefetch: 50}, {}} {
			for _, start := range []int{0, 1, 13} {
				opt := LoaderOptions{Batch: 5, Seed: 3, Workers: o.Workers, Prefetch: o.Prefetch, Start: start}
				got, err := batches(t, src, opt, 20-start)
				if err != nil {
					t.Fatal(err)
				}
				if sum(got) != sum(want[start:]) {
					t.Errorf("%s: another stream with %+v", src.Name(), opt)
				}
			}
		}
		opt.Seed = 4
		if other, _ := batches(t, src, opt, 20); sum(other) == sum(want) {
			t.Errorf("%s: two seeds give one stream", src.Name())
		}
	}
}

// Each epoch has each clip once, in another order and another variant.
// Parts share the stream of clips: in turn, each has the next one.
func TestLoaderParts(t *testing.T) {
	for _, o := range []LoaderOptions{{Once: true}, {Seed: 5}} {
		n, clips := 11, 11
		if !o.Once {
			clips = 30 // several epochs
		}
		o.Batch = 1
		whole, _ := batches(t, numbers{n: n}, o, clips)
		for parts := 1; parts <= 4; parts++ {
			for part := range parts {
				o := o
				o.Part, o.Parts = part, parts
				list, _ := batches(t, numbers{n: n}, o, (clips-part+parts-1)/parts)
				for i, b := range list {
					if want := whole[i*parts+part]; !bytes.Equal(b.Clips, want.Clips) {
						t.Fatalf("once=%v: clip %d of part %d/%d is %v, expected %v", o.Once, i, part, parts, b.Clips, want.Clips)
					}
				}
				if o.Once {
					o.Start = len(list)
					if _, err := batches(t, numbers{n: n}, o, 1); !errors.Is(err, io.EOF) {
						t.Errorf("part %d/%d ends with %v, expected the end of the stream", part, parts, err)
					}
				}
			}
		}
	}
}

func TestLoaderEpochs(t *testing.T) {
	const n, epochs = 23, 5
	list, err := batches(t, numbers{n: n}, LoaderOptions{Batch: 1, Seed: 1}, n*epochs)
	if err != nil {
		t.Fatal(err)
	}
	orders, variants := map[string]bool{}, map[uint64]bool{}
	for e := range epochs {
		var order []int
		for _, b := range list[e*n:][:n] {
			order = append(order, b.Index[0])
			variants[b.Variant[0]] = true
			if b.Labels[0] != b.Index[0]&1 || int(b.Clips[0]) != b.Index[0] || b.Clips[2] != uint8(b.Variant[0]) {
				t.Fatalf("clip %d, variant %x: label %d, bytes %v", b.Index[0], b.Variant[0], b.Labels[0], b.Clips)
			}
		}
		orders[fmt.Sprint(order)] = true
		slices.Sort(order)
		for i, k := range order {
			if i != k {
				t.Fatalf("epoch %d has the clips %v", e, order)
			}
		}
	}
	if len(orders) != epochs || len(variants) != epochs || variants[0] {
		t.Errorf("%d epochs have %d orders and the variants %v", epochs, len(orders), variants)
	}
}

func TestLoaderOnce(t *testing.T) {
	for _, start := range []int{0, 2, 5, 9} {
		list, err := batches(t, numbers{n: 23, bad: map[int]bool{3: true, 22: true}}, LoaderOptions{Batch: 5, Once: true, Start: start}, 99)
		if err != io.EOF {
			t.Fatalf("the end is %v", err)
		}
		var got, want []int
		for _, b := range list {
			got = append(got, b.Index...)
			if b.Variant[0] != 0 {
				t.Error("a variant of a clip")
			}
		}
		for i := start * 5; i < 22; i++ {
			if i != 3 {
				want = append(want, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("from batch %d on: clips %v, want %v", start, got, want)
		}
	}
	// A batch without one clip that can be read is passed over.
	list, err := batches(t, numbers{n: 4, bad: map[int]bool{0: true, 1: true}}, LoaderOptions{Batch: 2, Once: true}, 9)
	if err != io.EOF || len(list) != 1 || list[0].N != 2 || list[0].Index[0] != 2 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestLoaderBadClips(t *testing.T) {
	src := numbers{n: 10, bad: map[int]bool{4: true, 5: true, 9: true}}
	opt := LoaderOptions{Batch: 10, Seed: 2}
	list, err := batches(t, src, opt, 6)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range list {
		slices.Sort(b.Index)
		if !slices.Equal(b.Index, []int{0, 0, 1, 2, 3, 6, 6, 6, 7, 8}) {
			t.Errorf("clips %v: 4 and 5 are replaced by 6, 9 by 0", b.Index)
		}
	}
	all := map[int]bool{}
	for i := range 3000 {
		all[i] = true
	}
	for _, n := range []int{3, 3000} {
		if _, err := batches(t, numbers{n: n, bad: all}, opt, 1); err == nil || !strings.Contains(err.Error(), "in a row cannot be read") {
			t.Errorf("%d clips, all bad: error %v", n, err)
		}
	}
	// Any other error ends the stream, and stays.
	l, err := NewLoader(numbers{n: 2000}, LoaderOptions{Batch: 100, Once: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for k := range 12 {
		_, err := l.Next(context.Background())
		if (err != nil) != (k >= 10) || err != nil && err.Error() != "the disk is gone" {
			t.Errorf("batch %d: error %v", k, err)
		}
	}
}

// A cancelled wait loses no batch; a closed loader says so and leaves nothing behind.
func TestLoaderStops(t *testing.T) {
	src := newGestures(t, Size{4, 12, 16}, GestureOptions{})
	want, err := batches(t, src, LoaderOptions{Batch: 3}, 4)
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLoader(src, LoaderOptions{Batch: 3})
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for k := range want {
		for range 3 {
			if b, err := l.Next(over); err == nil {
				// The batch may have been there already; then it counts.
				if !bytes.Equal(b.Clips, want[k].Clips) {
					t.Fatalf("batch %d is another", k)
				}
				goto next
			} else if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		if b, err := l.Next(context.Background()); err != nil || !bytes.Equal(b.Clips, want[k].Clips) {
			t.Fatalf("batch %d after a cancelled wait is another, %v", k, err)
		}
	next:
	}
	l.Close()
	l.Close()
	if _, err := l.Next(context.Background()); err == nil {
		t.Error("a closed loader gives batches")
	}
	idle, err := NewLoader(src, LoaderOptions{Batch: 3, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	idle.Close()
}

func TestLoaderErrors(t *testing.T) {
	endless := newGestures(t, Size{1, 2, 2}, GestureOptions{})
	for _, c := range []struct {
		src  Source
		opt  LoaderOptions
		want string
	}{
		{numbers{n: 0}, LoaderOptions{Batch: 1}, "no clips"},
		{numbers{n: 3}, LoaderOptions{Batch: 0}, "batches of 0"},
		{numbers{n: 3}, LoaderOptions{Batch: 1, Start: -1}, "nothing negative"},
		{numbers{n: 3}, LoaderOptions{Batch: 1, Split: 7}, "split 7"},
		{numbers{n: 3}, LoaderOptions{Batch: 1 << 16, Start: int(^uint(0) >> 1)}, "beyond the integers"},
		{endless, LoaderOptions{Batch: 1, Once: true}, "endless"},
	} {
		if _, err := NewLoader(c.src, c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.opt, err, c.want)
		}
	}
}

func BenchmarkLoader(b *testing.B) {
	l, err := NewLoader(newGestures(b, DefaultSize(), GestureOptions{}), LoaderOptions{Batch: 16})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for range b.N {
		if _, err := l.Next(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(16*float64(b.N)/b.Elapsed().Seconds(), "clips/s")
}

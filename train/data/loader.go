package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"
)

// Batch is some clips with their labels.
type Batch struct {
	N       int
	Clips   []uint8  // [N][3][T][H][W]
	Labels  []int    // [N]
	Index   []int    // [N], in the split
	Variant []uint64 // [N]; with Index it identifies the clip
}

// LoaderOptions say which batches a Loader makes.
type LoaderOptions struct {
	Split Split
	Batch int // clips a batch
	// Seed of order and variants. Every seed sees other clips of an endless split.
	Seed uint64
	// Goroutines that make clips, 0 = GOMAXPROCS, and batches made ahead, 0 = Workers + 1. Neither changes a batch.
	Workers, Prefetch int
	// The first batch: Pos of a loader that was stopped.
	Start int
	// Every Parts-th clip of the stream, from Part on, so that several loaders share it; 0 = all of them.
	Part, Parts int
	// Each clip of the split once, in order and as it is: for evaluation. The last batch may be smaller, and clips that
	// cannot be read are left out.
	Once bool
}

// Loader makes batches ahead of time. Without Once it goes on for ever: each epoch is a new order of all clips, in new
// variants, and one epoch runs into the next within a batch. A clip that cannot be read is replaced by the next one of
// the split that can.
//
// Batch k is a pure function of the source, the split, the batch size, the seed and k.
type Loader struct {
	src  Source
	opt  LoaderOptions
	n    int // clips of the split, or Endless
	pos  int
	err  error
	last *job // handed out
	next *job // the one waited for
	// Jobs in the order of their batches, made or not; and those to be used again.
	ordered chan *job
	free    chan *job
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// job is a batch in the making.
type job struct {
	Batch
	buffer  []uint8
	made    chan struct{}
	problem error
}

// NewLoader starts a loader. Close it.
func NewLoader(src Source, opt LoaderOptions) (*Loader, error) {
	if opt.Split < Train || opt.Split > Test {
		return nil, fmt.Errorf("loader: split %d is none of train, val, test", int(opt.Split))
	}
	n := src.Len(opt.Split)
	if n == 0 {
		return nil, fmt.Errorf("%s: the %s split has no clips", src.Name(), opt.Split)
	}
	if opt.Batch < 1 || opt.Batch > 1<<16 || opt.Start < 0 || opt.Workers < 0 || opt.Prefetch < 0 {
		return nil, fmt.Errorf("loader: batches of %d clips from batch %d on, with %d workers and %d batches ahead: expected 1 to %d clips and nothing negative",
			opt.Batch, opt.Start, opt.Workers, opt.Prefetch, 1<<16)
	}
	if opt.Parts == 0 {
		opt.Parts = 1
	}
	if opt.Part < 0 || opt.Part >= opt.Parts || opt.Parts > 1<<16 {
		return nil, fmt.Errorf("loader: part %d of %d, expected parts from 0 on, and at most %d", opt.Part, opt.Parts, 1<<16)
	}
	if opt.Start > (math.MaxInt-1<<20)/opt.Batch/opt.Parts {
		return nil, fmt.Errorf("loader: batch %d of %d clips is beyond the integers of this machine", opt.Start, opt.Batch)
	}
	if opt.Once && n == Endless {
		return nil, fmt.Errorf("%s: the %s split is endless: it cannot be read once", src.Name(), opt.Split)
	}
	if opt.Workers == 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	if opt.Prefetch == 0 {
		opt.Prefetch = opt.Workers + 1
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &Loader{src: src, opt: opt, n: n, pos: opt.Start, stop: stop}
	jobs := make(chan *job)
	l.ordered = make(chan *job, opt.Prefetch+1)
	l.free = make(chan *job, opt.Prefetch+1)
	for range opt.Prefetch + 1 {
		l.free <- new(job)
	}
	l.done.Add(1 + opt.Workers)
	go func() {
		defer l.done.Done()
		l.plan(ctx, jobs)
	}()
	for range opt.Workers {
		go func() {
			defer l.done.Done()
			for j := range jobs {
				j.problem = l.make(ctx, j)
				close(j.made)
			}
		}()
	}
	return l, nil
}

// plan decides what is in each batch and hands the batches out, in order.
func (l *Loader) plan(ctx context.Context, jobs chan<- *job) {
	defer close(jobs)
	defer close(l.ordered)
	order := order{seed: l.opt.Seed, n: l.n, once: l.opt.Once, epoch: -1}
	share := 0 // clips of this part, with Once
	if l.opt.Once {
		share = (l.n - l.opt.Part + l.opt.Parts - 1) / l.opt.Parts
	}
	for first := l.opt.Start * l.opt.Batch; ; first += l.opt.Batch {
		count := l.opt.Batch
		if l.opt.Once {
			if count = min(count, share-first); count <= 0 {
				return
			}
		}
		var j *job
		select {
		case j = <-l.free:
		case <-ctx.Done():
			return
		}
		*j = job{made: make(chan struct{}), buffer: j.buffer, Batch: Batch{N: count, Labels: j.Labels[:0], Index: j.Index[:0], Variant: j.Variant[:0]}}
		for k := range count {
			i, variant := order.at((first+k)*l.opt.Parts + l.opt.Part)
			j.Index, j.Variant = append(j.Index, i), append(j.Variant, variant)
		}
		l.ordered <- j // never blocks: there are no more jobs than room
		select {
		case jobs <- j:
		case <-ctx.Done():
			j.problem = ctx.Err()
			close(j.made)
			return
		}
	}
}

// order is the stream of clips: which clip and variant stands at each position.
type order struct {
	seed  uint64
	n     int
	once  bool
	epoch int
	perm  []int32
}

func (o *order) at(pos int) (index int, variant uint64) {
	if o.once {
		return pos, 0
	}
	if o.n == Endless {
		return pos, mix(o.seed+golden) | 1 // not 0
	}
	if epoch := pos / o.n; epoch != o.epoch {
		o.epoch = epoch
		o.perm = append(o.perm[:0], make([]int32, o.n)...)
		newRNG(o.seed, uint64(epoch), 'p').perm(o.perm)
	}
	return int(o.perm[pos%o.n]), newRNG(o.seed, uint64(o.epoch), 'v').next() | 1
}

// maxBadRun: so many clips in a row that cannot be read end the loader.
const maxBadRun = 100

// make fills a batch.
func (l *Loader) make(ctx context.Context, j *job) error {
	size := l.src.Size().Bytes()
	if len(j.buffer) < l.opt.Batch*size {
		j.buffer = make([]uint8, l.opt.Batch*size)
	}
	kept := 0
	for k := range j.N {
		i, variant, dst := j.Index[k], j.Variant[k], j.buffer[kept*size:][:size]
		var label int
		err := ctx.Err()
		if err == nil {
			label, err = l.src.Clip(l.opt.Split, i, variant, dst)
		}
		var bad *BadClip
		for try := 1; errors.As(err, &bad) && !l.opt.Once; try++ {
			if try == maxBadRun || try == l.n {
				return fmt.Errorf("%d clips in a row cannot be read, the last one: %w", try, err)
			}
			if i++; i == l.n {
				i = 0
			}
			label, err = l.src.Clip(l.opt.Split, i, variant, dst)
		}
		if errors.As(err, &bad) {
			continue
		}
		if err != nil {
			return err
		}
		j.Labels = append(j.Labels, label)
		j.Index[kept], j.Variant[kept] = i, variant
		kept++
	}
	j.N, j.Index, j.Variant, j.Clips = kept, j.Index[:kept], j.Variant[:kept], j.buffer[:kept*size]
	return nil
}

// Next returns the next batch, which is valid until the call after; io.EOF after the last one, with Once. It is not for
// several goroutines at a time. After an error it keeps returning that error, except one of ctx.
func (l *Loader) Next(ctx context.Context) (*Batch, error) {
	if l.last != nil {
		l.free <- l.last // never blocks: there are no more jobs than room
		l.last = nil
	}
	for l.err == nil {
		if l.next == nil {
			select {
			case j, ok := <-l.ordered:
				if !ok {
					l.err = io.EOF
					continue
				}
				l.next = j
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		select {
		case <-l.next.made:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		j := l.next
		l.next = nil
		if l.err = j.problem; l.err != nil {
			break
		}
		l.pos++
		l.last = j
		if j.N > 0 {
			return &j.Batch, nil
		}
		l.free <- j // nothing in it could be read
		l.last = nil
	}
	return nil, l.err
}

// Pos is the number of the next batch. A loader with it as Start goes on where this one stopped.
func (l *Loader) Pos() int { return l.pos }

// Close stops the loader. The last batch stays valid.
func (l *Loader) Close() {
	l.stop()
	l.done.Wait()
	l.next = nil
	if l.err == nil {
		l.err = errors.New("the loader is closed")
	}
}

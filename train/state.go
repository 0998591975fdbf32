package train

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// State is everything that a run needs to go on as if it had not stopped: the
// parameters with their moments and the counters that seed dropout. Extra is the
// caller's own, for example the stage and the place in the data.
type State struct {
	Seed      uint64
	Count     int // steps done
	Updates   int // since the moments were cleared
	Optimizer string
	Extra     json.RawMessage
	Params    []ParamState
}

// ParamState is one parameter of a State. Moments that do not exist yet are nil.
type ParamState struct {
	Name    string
	Data    []float32
	Moments [2][]float32
}

// State returns a copy of the trainer's state.
func (t *Trainer) State() *State {
	s := &State{Seed: t.graph.seed, Count: t.count, Updates: t.updates, Optimizer: t.opt.Name()}
	for _, p := range t.params {
		q := ParamState{Name: p.Name, Data: append([]float32{}, p.Data...)}
		for i, m := range p.moments {
			if m != nil {
				q.Moments[i] = append([]float32{}, m...)
			}
		}
		s.Params = append(s.Params, q)
	}
	return s
}

// SetState continues from a state, which must be of the same network and
// optimizer.
func (t *Trainer) SetState(s *State) error {
	if s.Optimizer != t.opt.Name() {
		return fmt.Errorf("the checkpoint is of optimizer %s, the trainer has %s: set the same optimizer first", s.Optimizer, t.opt.Name())
	}
	if len(s.Params) != len(t.params) {
		return fmt.Errorf("the checkpoint has %d parameters, the network has %d: it is of another network", len(s.Params), len(t.params))
	}
	for i, q := range s.Params {
		p := t.params[i]
		if q.Name != p.Name || len(q.Data) != len(p.Data) {
			return fmt.Errorf("parameter %d of the checkpoint is %q with %d numbers, expected %q with %d: it is of another network", i, q.Name, len(q.Data), p.Name, len(p.Data))
		}
		for _, m := range q.Moments {
			if m != nil && len(m) != len(p.Data) {
				return fmt.Errorf("parameter %q of the checkpoint has a moment of %d numbers, expected %d", q.Name, len(m), len(p.Data))
			}
		}
	}
	for i, q := range s.Params {
		p := t.params[i]
		copy(p.Data, q.Data)
		for j, m := range q.Moments {
			p.moments[j] = nil
			if m != nil {
				p.moments[j] = append([]float32{}, m...)
			}
		}
	}
	t.graph.seed, t.count, t.updates = s.Seed, s.Count, s.Updates
	return nil
}

// A checkpoint file is a magic word, the length of a JSON header, the header,
// the parameters' numbers as little-endian float32 in its order (data, then the
// moments that exist), and the CRC-32C of everything before it.
const stateMagic = "BNTRAIN1"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type stateHeader struct {
	Seed      uint64          `json:"seed"`
	Count     int             `json:"count"`
	Updates   int             `json:"updates"`
	Optimizer string          `json:"optimizer"`
	Extra     json.RawMessage `json:"extra,omitempty"`
	Params    []paramHeader   `json:"params"`
}

type paramHeader struct {
	Name    string  `json:"name"`
	Len     int     `json:"len"`
	Moments [2]bool `json:"moments"`
}

// Encode writes the state.
func (s *State) Encode(w io.Writer) error {
	h := stateHeader{Seed: s.Seed, Count: s.Count, Updates: s.Updates, Optimizer: s.Optimizer, Extra: s.Extra}
	for _, p := range s.Params {
		h.Params = append(h.Params, paramHeader{p.Name, len(p.Data), [2]bool{p.Moments[0] != nil, p.Moments[1] != nil}})
	}
	head, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("writing a checkpoint: %w", err)
	}
	out := append([]byte(stateMagic), binary.LittleEndian.AppendUint32(nil, uint32(len(head)))...)
	out = append(out, head...)
	for _, p := range s.Params {
		for _, x := range [][]float32{p.Data, p.Moments[0], p.Moments[1]} {
			for _, v := range x {
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
			}
		}
	}
	out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
	_, err = w.Write(out)
	return err
}

// DecodeState reads what Encode wrote. Damaged data gives an error.
func DecodeState(data []byte) (*State, error) {
	bad := func(format string, args ...any) (*State, error) {
		return nil, fmt.Errorf("not a checkpoint of training: "+format, args...)
	}
	const prefix = len(stateMagic) + 4
	if len(data) < prefix+4 || !bytes.HasPrefix(data, []byte(stateMagic)) {
		return bad("it does not begin with %s", stateMagic)
	}
	body := data[:len(data)-4]
	if want, got := binary.LittleEndian.Uint32(data[len(body):]), crc32.Checksum(body, castagnoli); want != got {
		return bad("its checksum is %08x, its contents have %08x: it is damaged or cut off", want, got)
	}
	size := int64(binary.LittleEndian.Uint32(data[len(stateMagic):]))
	if size > int64(len(body)-prefix) {
		return bad("its header has %d bytes, the file only %d", size, len(data))
	}
	var h stateHeader
	if err := json.Unmarshal(body[prefix:prefix+int(size)], &h); err != nil {
		return bad("its header: %v", err)
	}
	s := &State{Seed: h.Seed, Count: h.Count, Updates: h.Updates, Optimizer: h.Optimizer, Extra: h.Extra}
	rest := body[prefix+int(size):]
	take := func(n int) []float32 {
		if n < 0 || n > len(rest)/4 {
			return nil
		}
		x := make([]float32, n)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest[4*i:]))
		}
		rest = rest[4*n:]
		return x
	}
	for _, p := range h.Params {
		q := ParamState{Name: p.Name}
		places := []*[]float32{&q.Data}
		for i, there := range p.Moments {
			if there {
				places = append(places, &q.Moments[i])
			}
		}
		for _, x := range places {
			if *x = take(p.Len); *x == nil {
				return bad("parameter %q has %d numbers, the file ends before them", p.Name, p.Len)
			}
		}
		s.Params = append(s.Params, q)
	}
	if len(rest) != 0 {
		return bad("%d bytes follow the last parameter", len(rest))
	}
	return s, nil
}

package gosrc

import (
	"encoding/binary"
	"fmt"

	"github.com/billnet/billnet/runtime"
)

// Certified is the thresholds of a layer as its certificate has them.
type Certified struct {
	Layer      string
	Thresholds []int64
}

// certified is Certified and the constant that it speaks of.
type certified struct {
	Certified
	Constant int
}

// certify finds the constants of certified layers and writes the thresholds for
// the generated check. Those of the program must be the certified ones.
func (m *model) certify(list []Certified) ([]byte, error) {
	var out []byte
	used := map[int]bool{}
	for _, c := range list {
		id := -1
		for i, in := range m.img.Code {
			if k := in.Constant("t"); k >= 0 && in.Name == c.Layer && !used[i] {
				id, used[i] = k, true
				break
			}
		}
		if id < 0 {
			return nil, fmt.Errorf("model %q: layer %q has a certificate, but no instruction with its thresholds", m.img.Name, c.Layer)
		}
		k := m.img.Consts[id]
		switch width := k.Elem.Width(); {
		case k.Elem != runtime.I8 && k.Elem != runtime.I16 && k.Elem != runtime.I32 && k.Elem != runtime.I64:
			return nil, fmt.Errorf("BUG: model %q: layer %q has thresholds of type %s", m.img.Name, c.Layer, k.Elem)
		case len(k.Data) != width*len(c.Thresholds):
			return nil, fmt.Errorf("model %q: layer %q has %d thresholds, its certificate %d", m.img.Name, c.Layer, len(k.Data)/width, len(c.Thresholds))
		default:
			for i, t := range c.Thresholds {
				b := binary.LittleEndian.AppendUint64(nil, uint64(t))
				if string(b[:width]) != string(k.Data[i*width:(i+1)*width]) {
					return nil, fmt.Errorf("model %q: layer %q: channel %d does not have the threshold %d of its certificate", m.img.Name, c.Layer, i, t)
				}
				out = binary.AppendVarint(out, t)
			}
		}
		m.Certified = append(m.Certified, certified{c, id})
	}
	return out, nil
}

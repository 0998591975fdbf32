package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/billnet/billnet/frontend/normalize"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/runtime/clip"
	"github.com/billnet/billnet/verify"
)

// pixelFlags say what the numbers of a clip's pixels are to a network.
type pixelFlags struct {
	Mean   []float32 `help:"Normalization: a pixel x of channel c becomes (x/255 - mean[c])/std[c], as torchvision computes it; one value or one a channel. A network with an f32 input is compiled to take bytes and to compute this itself." placeholder:"M"`
	Std    []float32 `help:"See --mean." placeholder:"S"`
	Scale  string    `help:"Normalization: what x is multiplied by, a number or a fraction; 1/255 by default when --mean or --std are given." placeholder:"1/255"`
	Layout string    `help:"Order of the clip input's axes after the batch, as in CTHW; else the model's metadata or its shape says. With compile --emit=c also the build system that the folder is for: arduino, zephyr or esp-idf." placeholder:"AXES"`
}

func (f *pixelFlags) norm() (clip.Norm, error) {
	n := clip.Norm{Mean: f.Mean, Std: f.Std}
	if f.Scale == "" {
		return n, nil
	}
	var err error
	if n.Scale, err = clip.ParseScale(f.Scale); err != nil {
		return n, withCode(exitUsage, "--scale: %v", err)
	}
	return n, nil
}

// layoutOf is the order of the axes that a network's metadata gives, "" when it
// gives none.
func layoutOf(meta map[string]string) string {
	for _, key := range []string{"clip.layout", "onnx.clip.layout"} {
		if l := strings.TrimPrefix(strings.ToUpper(meta[key]), "N"); l != "" {
			return l
		}
	}
	return ""
}

// normOf is the normalization that was compiled into a network.
func normOf(meta map[string]string) clip.Norm {
	return clip.NormOf(func(key string) string { return cmp.Or(meta[key], meta["onnx."+key]) })
}

// spec sees an input as a clip: u8 or f32, a batch of one, then the axes that
// the layout names. Without a layout the axis of 3 channels, else of 1, decides.
// pictures is false for an input that cannot be a clip.
func (f *pixelFlags) spec(p verify.Port, meta map[string]string) (spec clip.Spec, pictures bool, err error) {
	t := p.Type
	if t.Rank() != 5 || t.Shape[0] != 1 || t.DType != ir.U8 && t.DType != ir.F32 {
		return spec, false, nil
	}
	layout := f.layout(t, meta)
	if layout == "" {
		return spec, false, nil
	}
	n, err := f.norm()
	if err != nil {
		return spec, false, err
	}
	spec = clip.Spec{C: 1, Layout: layout, DType: t.DType.String()}
	if t.DType == ir.F32 || !normOf(meta).Set() { // else it is compiled in already
		spec.Norm = n
	}
	if len(layout) == 4 {
		sizes := map[byte]*int{'C': &spec.C, 'T': &spec.T, 'H': &spec.H, 'W': &spec.W}
		for i := range layout {
			if size := sizes[layout[i]]; size != nil {
				*size = t.Shape[1+i]
			}
		}
	}
	if err := spec.Check(); err != nil {
		return spec, false, withCode(exitUsage, "input %q: %v", p.Name, err)
	}
	return spec, true, nil
}

// layout is the order of the axes behind the batch of an input of rank 4 (a
// picture) or 5 (a clip): as the flag says, the metadata, or the first layout
// whose axis of channels has 3, else 1; "" when none is known.
func (f *pixelFlags) layout(t ir.Type, meta map[string]string) string {
	if f.Layout != "" {
		return strings.ToUpper(f.Layout)
	}
	if l := layoutOf(meta); len(l) == t.Rank()-1 {
		return l
	}
	known := []string{"CTHW", "TCHW", "THWC"}
	if t.Rank() == 4 {
		known = []string{"CHW", "HWC"}
	}
	for _, channels := range []int{3, 1} {
		for _, l := range known {
			if t.Shape[1+strings.IndexByte(l, 'C')] == channels {
				return l
			}
		}
	}
	return ""
}

// floatPictures are the f32 inputs that look like pictures or clips: a batch, an
// axis of channels and maps of more than one pixel behind it.
func (f *pixelFlags) floatPictures(m *ir.Module) (names []string) {
	for _, p := range m.Main().Params {
		t := p.Value.Type
		if t.DType != ir.F32 || t.Rank() < 4 || t.Rank() > 5 {
			continue
		}
		l := f.layout(t, m.Meta)
		h, w := strings.IndexByte(l, 'H'), strings.IndexByte(l, 'W')
		if len(l) == t.Rank()-1 && strings.Contains(l, "C") && h >= 0 && w >= 0 && t.Shape[1+h] > 1 && t.Shape[1+w] > 1 {
			names = append(names, p.Name)
		}
	}
	return names
}

// bake compiles the normalization that the flags give into a network, and says so.
func (f *pixelFlags) bake(m *ir.Module) (notes []string, err error) {
	n, err := f.norm()
	if err != nil || !n.Set() {
		return nil, err
	}
	pictures := f.floatPictures(m)
	if len(pictures) == 0 && normOf(m.Meta).String() == n.String() {
		return nil, nil // compiled in already
	}
	if len(pictures) != 1 {
		return nil, withCode(exitUsage, "--mean, --std and --scale normalize the one f32 input that is a clip or a picture: the network has %s%s", portNames((&verify.Module{M: m}).Inputs()), bytesAlready(m))
	}
	if m.Level != ir.Source {
		return nil, withCode(exitUsage, "--mean, --std and --scale are for networks of level source: this text is of level %s", m.Level)
	}
	i := slices.IndexFunc(m.Main().Params, func(p ir.Port) bool { return p.Name == pictures[0] })
	axis := 1 + strings.IndexByte(f.layout(m.Main().Params[i].Value.Type, m.Meta), 'C')
	if err := normalize.Bake(m, pictures[0], axis, n); err != nil {
		return nil, withCode(exitUsage, "%v", err)
	}
	return []string{fmt.Sprintf("input %q takes bytes 0..255; the network itself computes %s", pictures[0], n)}, nil
}

// bytesAlready explains why a network with byte inputs needs no normalization.
func bytesAlready(m *ir.Module) string {
	for _, p := range m.Main().Params {
		if t := p.Value.Type; t.DType == ir.U8 && t.Rank() >= 4 {
			return fmt.Sprintf("; %q takes bytes, and what the network makes of them is part of it (for an ONNX model that divides by 255 itself, --input %s=f32 keeps the floats)", p.Name, p.Name)
		}
	}
	return ""
}

// adopt takes the normalization that was compiled into a network, unless flags
// give one: what it is compared with is then given the same.
func (f *pixelFlags) adopt(meta map[string]string) {
	if n := normOf(meta); len(f.Mean)+len(f.Std) == 0 && f.Scale == "" && n.Set() {
		f.Mean, f.Std, f.Scale = n.Mean, n.Std, n.Scale.String()
		f.Layout = cmp.Or(f.Layout, layoutOf(meta))
	}
}

// unstated warns of inputs whose pixels nobody said anything about.
func (f *modelFlags) unstated(m *ir.Module) (warnings []string) {
	for _, name := range f.floatPictures(m) {
		if _, said := f.Input[name]; !said {
			warnings = append(warnings, fmt.Sprintf("input %q takes floats, and nothing says how pixels become them: as it is, clips are given as 0..255. If the network was trained on that, say --input %s=u8; if it was trained on normalised pixels, say how: --mean=0.485,0.456,0.406 --std=0.229,0.224,0.225 (torchvision's for ImageNet), or --scale=1/255 alone; here and when it is compiled", name, name))
		}
	}
	return warnings
}

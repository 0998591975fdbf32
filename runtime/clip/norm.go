package clip

import (
	"strconv"
	"strings"
)

// Norm is a normalization of pixels. A byte x of channel c becomes
//
//	(x Mul/Div - Mean[c]) / Std[c]
//
// in float32, every operation rounded, in this order; with Mul/Div = 1/255 that is torchvision's ToTensor and Normalize.
// Nothing set means no normalization: x stays 0 to 255.
type Norm struct {
	Mean, Std []float32 // one value for all channels or one for each; nil = 0 and 1
	Scale     Scale
}

// Scale is a fraction; the zero value is 1/255.
type Scale struct{ Mul, Div float32 }

// Set reports whether n says anything.
//
//go:noinline
func (n Norm) Set() bool { return len(n.Mean)+len(n.Std) > 0 || n.Scale != Scale{} }

// Check reports the first thing wrong with n for pixels of some channels.
func (n Norm) Check(channels int) error {
	for _, v := range []struct {
		name string
		v    []float32
	}{{"mean", n.Mean}, {"std", n.Std}} {
		if k := len(v.v); k > 1 && k != channels {
			return errorf("%d values of %s for %d channels: give 1 or %d", k, v.name, channels, channels)
		}
		for _, x := range v.v {
			if x-x != 0 { // infinite or NaN
				return errorf("%s %v is not a finite number", v.name, x)
			}
		}
	}
	for _, v := range n.Std {
		if !(v > 0) {
			return errorf("std %v is not positive", v)
		}
	}
	if s := n.Scale; s != (Scale{}) && !(s.Mul > 0 && s.Div > 0 && s.Mul/s.Div > 0 && s.Mul/s.Div-s.Mul/s.Div == 0) {
		return errorf("scale %s is not a positive number", s)
	}
	return nil
}

// Byte is what a byte of a channel becomes.
func (n Norm) Byte(x uint8, channel int) float32 {
	v := float32(x)
	if !n.Set() {
		return v
	}
	s := n.Scale.OrDefault()
	v = float32(v*s.Mul) / s.Div
	return float32(v-at(n.Mean, channel, 0)) / at(n.Std, channel, 1)
}

// at is the value of a channel, none for an empty list.
func at(v []float32, channel int, none float32) float32 {
	switch len(v) {
	case 0:
		return none
	case 1:
		return v[0]
	}
	return v[channel]
}

// OrDefault is s, or 1/255 for the zero value.
func (s Scale) OrDefault() Scale {
	if s == (Scale{}) {
		return Scale{1, 255}
	}
	return s
}

// ParseScale reads a number, or a fraction as in 1/255.
func ParseScale(text string) (Scale, error) {
	a, b, fraction := strings.Cut(text, "/")
	s := Scale{1, 1}
	mul, err := strconv.ParseFloat(a, 32)
	if err == nil && fraction {
		var div float64
		div, err = strconv.ParseFloat(b, 32)
		s.Div = float32(div)
	}
	s.Mul = float32(mul)
	if err == nil {
		err = Norm{Scale: s}.Check(1)
	}
	if err != nil {
		return s, errorf("scale %q: expected a positive number or a fraction, as in 1/255", text)
	}
	return s, nil
}

func (s Scale) String() string {
	s = s.OrDefault()
	text := floatList([]float32{s.Mul})
	if s.Div != 1 {
		text += "/" + floatList([]float32{s.Div})
	}
	return text
}

// String writes the formula: (x*1/255 - mean)/std with mean 0.5 and std 0.25.
func (n Norm) String() string {
	if !n.Set() {
		return "0..255"
	}
	s := n.Scale.OrDefault()
	text := "x"
	if s.Mul != 1 {
		text += "*" + floatList([]float32{s.Mul})
	}
	if s.Div != 1 {
		text += "/" + floatList([]float32{s.Div})
	}
	tail := ""
	if len(n.Mean) > 0 {
		text = "(" + text + " - mean)"
		tail = ", mean " + floatList(n.Mean)
	}
	if len(n.Std) > 0 {
		text += "/std"
		tail += ", std " + floatList(n.Std)
	}
	return text + tail
}

func floatList(v []float32) string {
	var b []byte
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
	}
	return string(b)
}

// The names under which a network's metadata keeps the normalization that was compiled into it.
const (
	metaMean  = "clip.mean"
	metaStd   = "clip.std"
	metaScale = "clip.scale"
)

// Meta is n as metadata of a network.
func (n Norm) Meta() [][2]string {
	m := [][2]string{{metaScale, n.Scale.String()}}
	if len(n.Mean) > 0 {
		m = append(m, [2]string{metaMean, floatList(n.Mean)})
	}
	if len(n.Std) > 0 {
		m = append(m, [2]string{metaStd, floatList(n.Std)})
	}
	return m
}

// NormOf reads the normalization from a network's metadata; what cannot be read says nothing.
func NormOf(meta func(key string) string) (n Norm) {
	if s, err := ParseScale(meta(metaScale)); err == nil {
		n.Scale = s
	}
	for _, v := range []struct {
		key string
		to  *[]float32
	}{{metaMean, &n.Mean}, {metaStd, &n.Std}} {
		for word := range strings.SplitSeq(meta(v.key), ",") {
			if x, err := strconv.ParseFloat(word, 32); err == nil {
				*v.to = append(*v.to, float32(x))
			}
		}
	}
	return n
}

// Feeds says what the input of s is given; baked is the normalization that the network itself computes.
func (s Spec) Feeds(baked Norm) string {
	switch {
	case s.dtype() == "u8" && baked.Set():
		return "bytes 0..255; the network itself computes " + baked.String()
	case s.dtype() == "u8":
		return "bytes 0..255"
	case s.Set():
		return s.Norm.String()
	}
	return "floats 0..255, not normalised"
}

package verify

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/billnet/billnet/codegen/bytecode"
	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/report"
	"github.com/billnet/billnet/runtime/billb"
)

// CertificateReport is the result of checking an artifact against its source.
type CertificateReport struct {
	Artifact string              `json:"artifact"`
	Source   string              `json:"source"`
	Layers   []report.LayerCheck `json:"layers"` // every layer that applies thresholds, in order

	// Constants counts the other constants, weights above all: the accumulators
	// that a certificate speaks of are those of the source's weights.
	Constants int      `json:"constants"`
	Faults    []string `json:"faults,omitempty"` // of the constants and of the program as a whole
}

// Sound reports whether nothing is wrong.
func (r *CertificateReport) Sound() bool { return r.FirstFault() == "" }

// FirstFault names the first thing that is wrong, "" when nothing is.
func (r *CertificateReport) FirstFault() string {
	for _, l := range r.Layers {
		if len(l.Faults) == 0 {
			continue
		}
		f := l.Faults[0]
		if f.Channel < 0 {
			return fmt.Sprintf("layer %q: %s", l.Layer, f.Fault)
		}
		return fmt.Sprintf("layer %q, channel %d: %s", l.Layer, f.Channel, f.Fault)
	}
	if len(r.Faults) > 0 {
		return r.Faults[0]
	}
	return ""
}

// CheckCertificate lowers a clone of the source with a pipeline and checks the
// artifact against it. For every channel of every layer with thresholds, the
// artifact's own constant is compared with the stored certificate and with the
// source's float expression, evaluated at every accumulator value (or, where
// there are more than 2^16 and for class ideal, at the ends, beside the threshold
// and at samples); the ranges are those of the source's weights. All other
// constants must be those that the source gives.
func CheckCertificate(ctx context.Context, artifact *Program, source *ir.Module, steps []passes.Step, o passes.RunOptions) (*CertificateReport, error) {
	r := &CertificateReport{Artifact: artifact.Name(), Source: source.Name, Layers: []report.LayerCheck{}}
	claims, err := report.DecodeCertificates(artifact.img.Certificate)
	if len(artifact.img.Certificate) == 0 {
		claims, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", artifact.Name(), err)
	}
	m := source.Clone()
	lowered, err := passes.Run(ctx, m, steps, o)
	if err != nil {
		return nil, err
	}
	fresh, _, err := bytecode.Generate(m, nil)
	if err != nil {
		return nil, err
	}
	found, expected := thresholdsOf(artifact.img), thresholdsOf(fresh)
	own := report.Certificates(m, lowered.Records)
	for i := range own {
		own := &own[i]
		claim := takeClaim(&claims, own.Layer)
		have, want := takeThresholds(&found, own.Layer), takeThresholds(&expected, own.Layer)
		l, err := checkLayer(own, claim, have, want)
		if err != nil {
			return nil, err
		}
		r.Layers = append(r.Layers, *l)
	}
	for _, c := range claims {
		r.Faults = append(r.Faults, fmt.Sprintf("layer %q has a certificate, the source gives no such layer", c.Layer))
	}
	for _, t := range found {
		r.Faults = append(r.Faults, fmt.Sprintf("layer %q applies thresholds without a certificate", t.layer))
	}
	r.compareConstants(artifact.img, fresh)
	return r, nil
}

// checkLayer checks one layer: own is the certificate that the source gives,
// claim what the artifact stores, have and want the constants of both programs.
func checkLayer(own, claim *report.Certificate, have, want *thresholds) (*report.LayerCheck, error) {
	missing := func(format string, args ...any) (*report.LayerCheck, error) {
		l := &report.LayerCheck{Layer: own.Layer, Class: own.Class.String(), Channels: len(own.Channels)}
		l.Report(-1, format, args...)
		return l, nil
	}
	switch {
	case claim == nil:
		return missing("the artifact has no certificate for it")
	case have == nil:
		return missing("the artifact has no instruction that applies its thresholds")
	case want == nil:
		return nil, fmt.Errorf("BUG: layer %q: the lowered source applies no thresholds", own.Layer)
	case len(claim.Channels) != len(own.Channels) || len(have.t) != len(own.Channels) || len(want.t) != len(own.Channels):
		return missing("%d channels in the certificate and %d in the artifact, the source gives %d", len(claim.Channels), len(have.t), len(own.Channels))
	}
	actual := *claim
	actual.Channels = slices.Clone(claim.Channels)
	for i := range actual.Channels {
		// Where the direction is applied behind the comparison, the program's flip
		// is not the certificate's: what counts is whether it is the lowered source's.
		p := &actual.Channels[i]
		p.T = have.t[i]
		p.Flip = p.Flip != (have.flip[i] != want.flip[i])
	}
	l, err := own.Check(&actual)
	if err != nil {
		return nil, err
	}
	for i, p := range claim.Channels {
		if q := actual.Channels[i]; p.T != q.T || p.Flip != q.Flip {
			l.Report(i, "the artifact compares with z >= %d (flip %v), its certificate says z >= %d (flip %v)", q.T, q.Flip, p.T, p.Flip)
		}
	}
	slices.SortStableFunc(l.Faults, func(a, b report.ChannelFault) int { return a.Channel - b.Channel })
	return l, nil
}

// takeClaim removes the first certificate of a layer from a list.
func takeClaim(list *[]report.Certificate, layer string) *report.Certificate {
	i := slices.IndexFunc(*list, func(c report.Certificate) bool { return c.Layer == layer })
	if i < 0 {
		return nil
	}
	c := (*list)[i]
	*list = slices.Delete(slices.Clone(*list), i, i+1)
	return &c
}

// thresholds are the constants of one instruction.
type thresholds struct {
	layer string
	t     []int64
	flip  []bool
}

// thresholdsOf lists what a program compares with, in order.
func thresholdsOf(img *billb.Image) []thresholds {
	var list []thresholds
	for _, in := range img.Code {
		t := in.Constant("t")
		if t < 0 {
			continue
		}
		th := thresholds{layer: in.Name, t: constInts(img, t)}
		th.flip = make([]bool, len(th.t))
		if f := in.Constant("flip"); f >= 0 {
			for i, v := range constInts(img, f) {
				th.flip[i] = v != 0
			}
		}
		list = append(list, th)
	}
	return list
}

// constInts reads a constant of integers or bits.
func constInts(img *billb.Image, id int) []int64 {
	c := img.Consts[id]
	t, err := ir.TensorFromData(elemType(c.Elem, c.Shape), c.Data)
	if err != nil {
		return nil // the loader has checked its form
	}
	return t.Ints()
}

func takeThresholds(list *[]thresholds, layer string) *thresholds {
	i := slices.IndexFunc(*list, func(t thresholds) bool { return t.layer == layer })
	if i < 0 {
		return nil
	}
	t := (*list)[i]
	*list = slices.Delete(slices.Clone(*list), i, i+1)
	return &t
}

// compareConstants compares all constants but the thresholds, instruction by
// instruction. The first instruction that does not correspond ends it.
func (r *CertificateReport) compareConstants(have, want *billb.Image) {
	for i := range max(len(have.Code), len(want.Code)) {
		if i >= len(have.Code) || i >= len(want.Code) || have.Code[i].Op != want.Code[i].Op || have.Code[i].Name != want.Code[i].Name {
			r.Faults = append(r.Faults, fmt.Sprintf("instruction %d is %s, the source gives %s: the artifact is from another model, pipeline or compiler",
				i, instruction(have, i), instruction(want, i)))
			return
		}
		a, b := have.Code[i], want.Code[i]
		if !billb.SameParams(a.Params, b.Params) || !slices.Equal(a.In, b.In) || !slices.Equal(a.Out, b.Out) {
			r.Faults = append(r.Faults, fmt.Sprintf("layer %q (%s): its operands or parameters are not those that the source gives", a.Name, a.Op))
		}
		x, y := constOperands(a), constOperands(b)
		if len(x) != len(y) {
			r.Faults = append(r.Faults, fmt.Sprintf("layer %q (%s): %d constants, the source gives %d", a.Name, a.Op, len(x), len(y)))
			continue
		}
		for k := range x {
			c, d := have.Consts[x[k]], want.Consts[y[k]]
			r.Constants++
			if c.Elem != d.Elem || !slices.Equal(c.Shape, d.Shape) || !bytes.Equal(c.Data, d.Data) {
				r.Faults = append(r.Faults, fmt.Sprintf("layer %q (%s): constant %d of %d is not the one that the source gives", a.Name, a.Op, k+1, len(x)))
			}
		}
	}
}

func instruction(img *billb.Image, i int) string {
	if i >= len(img.Code) {
		return "missing"
	}
	return fmt.Sprintf("%s of layer %q", img.Code[i].Op, img.Code[i].Name)
}

// constOperands lists the constants of an instruction without its thresholds.
func constOperands(in billb.Instr) []int {
	var ids []int
	for _, id := range in.In {
		if id < -1 {
			ids = append(ids, -2-id)
		}
	}
	t, flip := in.Constant("t"), in.Constant("flip")
	for _, id := range in.Const {
		if id >= 0 && id != t && id != flip {
			ids = append(ids, id)
		}
	}
	return ids
}

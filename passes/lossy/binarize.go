package lossy

import (
	"math/rand/v2"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/passes"
	"github.com/billnet/billnet/passes/report"
)

// Binarize is the pass binarize.
var Binarize = &passes.Pass{
	Name: "binarize",
	Doc: "Float networks become binary: ReLUs and other activations become steps, weights become signs of the float weights, which stay in the graph, and a batch norm behind every such layer takes the mean and variance of its integer sums. " +
		"The network is gone through once, from inputs to outputs, beside the source and on the same clips: every norm is given the mean and the deviation that its result has in the source, under activations that are bits already. " +
		"Values that reach a layer without an activation are compared with their mean; layers whose weights stay float are rescaled to what bits stand for. " +
		"The last layers keep float weights, and recurrent layers are left to quantize-lstm, with bits as their input. Without clips, two random inputs are taken.",
	Class: passes.Lossy,
	Options: []passes.Option{
		{Name: "activations", Kind: passes.OptWord, Words: []string{"heaviside", "sign"}, Default: "heaviside", Doc: "0 and 1, or -1 and +1"},
		{Name: "weights", Kind: passes.OptWord, Words: []string{"binary", "ternary", "float"}, Default: "binary", Doc: "-1 and +1, also 0 where a weight is below 0.7 times its channel's mean magnitude, or as they are: only activations become bits"},
		{Name: "mid", Kind: passes.OptWord, Words: []string{"linear", "bits"}, Default: "linear", Doc: "between layers with neither norm nor activation between them, and behind means: integer sums as they are, or a norm and bits"},
		{Name: "last", Kind: passes.OptWord, Words: []string{"float", "binary"}, Default: "float", Doc: "weights of the layers behind which there is no other; binary ones get a scale and a bias for every output"},
		{Name: "cut", Kind: passes.OptWord, Words: []string{cutShare, cutLevels, cutStart}, Default: cutShare, Doc: "where the step of an activation is, in every channel: where a share of ones is above (option ones), where two levels stand best for the source's numbers, or where the source's activation starts, which keeps the norms' meaning"},
		{Name: "ones", Kind: passes.OptRatio, Doc: "share of ones that a step gives, max pools behind it included; 10% if not set"},
		{Name: "layers", Kind: passes.OptNames, Doc: "only these layers; * stands for any letters"},
		{Name: "keep", Kind: passes.OptNames, Doc: "not these layers; activations that only such layers read stay too"},
	},
	After: []string{"fold-constants", "factorize-conv3d", "insert-mux-or"},
	Run: func(c *passes.Context, m *ir.Module) error {
		f := m.Main()
		plan, err := planBinarization(c, m)
		if err != nil {
			return err
		}
		if len(m.Funcs) > 1 {
			c.Note("only the first of %d functions is binarized", len(m.Funcs))
		}
		b := &binarizer{
			c: c, plan: plan, weights: c.Word("weights"), signed: c.Word("activations") == "sign", linear: c.Word("mid") == "linear",
			lastFloat: c.Word("last") == "float", cut: c.Word("cut"), ones: c.Ratio("ones"), now: map[*ir.Value]*twin{}, forms: map[*ir.Value]form{},
		}
		switch {
		case b.cut != cutShare && b.ones > 0:
			return passes.BadOption("ones", "cut=%s fixes the steps; leave one of the two out", b.cut)
		case b.ones == 0:
			b.ones = defaultOnes
		}
		b.clips = c.Clips()[:min(len(c.Clips()), clipsAtOnce(f))]
		switch {
		case len(b.clips) == 0:
			rng := rand.New(rand.NewPCG(1, 0x62696e6172))
			b.clips = [][]*ir.Tensor{ir.RandomInputs(f, rng, 2), ir.RandomInputs(f, rng, 2)}
			c.Note("binarize has no calibration clips: norms have the statistics of two random inputs; give real ones (--clips)")
		case len(b.clips) < len(c.Clips()):
			c.Note("binarize takes its statistics from the first %d of %d clips", len(b.clips), len(c.Clips()))
		}
		if err := b.run(f); err != nil {
			return err
		}
		c.Note("binarize: fine-tuning should follow")
		return nil
	},
}

// defaultOnes is the share of ones of an activation where nothing else is asked
// for. With half of the bits set, as ReLUs start, pools and ORs fill the maps
// with ones.
const defaultOnes = 0.1

// recordBinarized records a report.
func recordBinarized(c *passes.Context, r report.Binarization) {
	c.Record(&r)
	c.Note("%s", r.String())
}

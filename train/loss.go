package train

import "math"

// Loss weighs what a step minimizes, the mean over the clips and the sum over
// the heads of
//
//	(1 - Distill)*CE + Distill*T^2*KL(teacher || head at temperature T)
//
// with cross entropy CE against the labels. The main head has weight 1, every
// auxiliary head Auxiliary.
type Loss struct {
	Distill     float64 // share of the teacher, in a batch that has one
	Temperature float64 // T; 0: 1
	Auxiliary   float64 // weight of results named aux...
}

// head is a result that is trained.
type head struct {
	name   string
	logits *value
	weight func(l Loss) float64
}

// loss returns the weighted sum of a head's losses over n clips of the batch and
// sets grad to its gradient, both divided by the batch's number of clips.
func (l Loss) loss(logits, grad []float32, classes int, labels []int, teacher []float32, weight float64) float64 {
	total := 0.0
	n := len(labels)
	scale := weight / float64(n)
	t := l.Temperature
	if t == 0 {
		t = 1
	}
	share := l.Distill
	if teacher == nil {
		share = 0
	}
	p, q := make([]float64, classes), make([]float64, classes)
	for i, label := range labels {
		z, g := logits[i*classes:(i+1)*classes], grad[i*classes:(i+1)*classes]
		logNorm := softmaxOf(p, z, 1)
		total += scale * (1 - share) * (logNorm - float64(z[label]))
		for c := range g {
			d := p[c]
			if c == label {
				d--
			}
			g[c] += float32(scale * (1 - share) * d)
		}
		if share == 0 {
			continue
		}
		own, other := softmaxOf(p, z, t), softmaxOf(q, teacher[i*classes:(i+1)*classes], t)
		for c := range g {
			gap := (float64(teacher[i*classes+c])/t - other) - (float64(z[c])/t - own)
			total += scale * share * t * t * q[c] * gap
			g[c] += float32(scale * share * t * (p[c] - q[c]))
		}
	}
	return total
}

// softmaxOf sets p to the softmax of z/t and returns the logarithm of its
// denominator, so that log p[c] = z[c]/t minus it.
func softmaxOf(p []float64, z []float32, t float64) float64 {
	top := math.Inf(-1)
	for _, v := range z {
		top = max(top, float64(v)/t)
	}
	s := 0.0
	for c, v := range z {
		p[c] = math.Exp(float64(v)/t - top)
		s += p[c]
	}
	for c := range p {
		p[c] /= s
	}
	return top + math.Log(s)
}

// Argmax returns the index of the largest element, the first of several.
func Argmax(z []float32) int {
	best := 0
	for c, v := range z {
		if v > z[best] {
			best = c
		}
	}
	return best
}

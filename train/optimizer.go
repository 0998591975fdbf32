package train

import (
	"fmt"
	"math"
)

// Optimizer updates parameters from their gradients. It keeps its moments in
// the parameters, so that a checkpoint holds them.
type Optimizer interface {
	// Name is stored in checkpoints.
	Name() string
	// update applies one step with learning rate and weight decay; n counts the
	// steps since the moments were cleared, from 1; scale multiplies gradients.
	update(p *Param, rate, decay float64, n int, scale float32)
}

// Adam is the optimizer of Kingma and Ba, with bias correction:
//
//	g += decay*w;  m = b1*m + (1-b1)*g;  v = b2*v + (1-b2)*g^2
//	w -= rate * (m/(1-b1^n)) / (sqrt(v/(1-b2^n)) + eps)
//
// Decoupled, the decay is w -= rate*decay*w instead. Zero fields mean 0.9, 0.999
// and 1e-8.
type Adam struct {
	Beta1, Beta2, Epsilon float64
	Decoupled             bool
}

// Name returns "adam".
func (Adam) Name() string { return "adam" }

func orDefault(v, d float64) float64 {
	if v == 0 {
		return d
	}
	return v
}

func (a Adam) update(p *Param, rate, decay float64, n int, scale float32) {
	b1, b2, eps := orDefault(a.Beta1, 0.9), orDefault(a.Beta2, 0.999), orDefault(a.Epsilon, 1e-8)
	m, v := p.moment(0), p.moment(1)
	c1, c2 := 1-math.Pow(b1, float64(n)), 1-math.Pow(b2, float64(n))
	step, norm := float32(rate/c1), float32(1/math.Sqrt(c2))
	keep1, keep2, small := float32(b1), float32(b2), float32(eps)
	l2, shrink := float32(decay), float32(1)
	if a.Decoupled {
		l2, shrink = 0, float32(1-rate*decay)
	}
	for i, w := range p.Data {
		g := p.Grad[i]*scale + l2*w
		m[i] = keep1*m[i] + (1-keep1)*g
		v[i] = keep2*v[i] + (1-keep2)*g*g
		p.Data[i] = shrink*w - step*m[i]/(float32(math.Sqrt(float64(v[i])))*norm+small)
	}
}

// SGD is stochastic gradient descent with momentum: m = Momentum*m + g + decay*w,
// w -= rate*m; with Nesterov, w -= rate*(g + decay*w + Momentum*m).
type SGD struct {
	Momentum float64
	Nesterov bool
}

// Name returns "sgd".
func (SGD) Name() string { return "sgd" }

func (s SGD) update(p *Param, rate, decay float64, _ int, scale float32) {
	m := p.moment(0)
	keep, r, l2 := float32(s.Momentum), float32(rate), float32(decay)
	for i, w := range p.Data {
		g := p.Grad[i]*scale + l2*w
		m[i] = keep*m[i] + g
		if s.Nesterov {
			g += keep * m[i]
		} else {
			g = m[i]
		}
		p.Data[i] = w - r*g
	}
}

// moment returns a moment of the parameter, zeros at first.
func (p *Param) moment(i int) []float32 {
	if p.moments[i] == nil {
		p.moments[i] = make([]float32, len(p.Data))
	}
	return p.moments[i]
}

// Schedule is a learning rate over the steps of a stage: it rises linearly over
// the first Warmup steps and then falls from Rate to Final by its Decay.
type Schedule struct {
	Rate   float64
	Final  float64
	Warmup int
	Steps  int   // of the stage
	Decay  Decay // constant by default

	Every  int     // step: multiply by Factor every so many steps
	Factor float64 // step
}

// Decay is the form of a schedule.
type Decay string

// The forms of schedules.
const (
	Constant Decay = ""
	Linear   Decay = "linear" // to Final at the end
	Cosine   Decay = "cosine" // half a wave down to Final at the end
	Stairs   Decay = "step"   // times Factor every Every steps
)

// ParseDecay returns the form with the given name: constant, linear, cosine or step.
func ParseDecay(s string) (Decay, error) {
	switch d := Decay(s); d {
	case "constant":
		return Constant, nil
	case Constant, Linear, Cosine, Stairs:
		return d, nil
	}
	return "", fmt.Errorf("unknown schedule %q, expected constant, linear, cosine or step", s)
}

// At returns the rate of step i, counted from 0.
func (s Schedule) At(i int) float64 {
	if i < s.Warmup {
		return s.Rate * float64(i+1) / float64(s.Warmup)
	}
	i -= s.Warmup
	left := 1.0
	if total := s.Steps - s.Warmup; total > 0 {
		left = 1 - min(1, float64(i)/float64(total))
	}
	switch s.Decay {
	case Linear:
		return s.Final + (s.Rate-s.Final)*left
	case Cosine:
		return s.Final + (s.Rate-s.Final)*(1-math.Cos(math.Pi*left))/2
	case Stairs:
		if s.Every > 0 {
			return max(s.Final, s.Rate*math.Pow(s.Factor, float64(i/s.Every)))
		}
	}
	return s.Rate
}

package train

import (
	"fmt"
	"math"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train/vec"
)

// Role is what a binary operation is for. It decides how it is trained.
type Role uint8

// The roles.
const (
	Activation Role = iota // of a feature map
	Weight                 // of a convolution or a matrix product
	CellWeight             // of a matrix product that is applied at every time step
	Select                 // of a multiplexer, from a mean: thresholded global average pooling
	Gate                   // input, forget and output gate of a recurrent cell
	Candidate              // the sign written into a cell
	Cell                   // the sign of the cell state

	numRoles
)

var roleNames = [numRoles]string{"activation", "weight", "cell-weight", "select", "gate", "candidate", "cell"}

func (r Role) String() string {
	if r < numRoles {
		return roleNames[r]
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// ParseRole returns the role with the given name.
func ParseRole(s string) (Role, error) {
	for r, name := range roleNames {
		if s == name {
			return Role(r), nil
		}
	}
	return 0, fmt.Errorf("unknown role %q, expected one of %v", s, roleNames)
}

// Surrogate is the function whose value stands for the derivative of the unit
// step. Its integral is 1; signs, which jump by 2, take it twice.
type Surrogate struct {
	Shape Shape
	Width float64 // where triangle and box end; of logistic the slope k
}

// Shape is the form of a surrogate.
type Shape string

// The forms of surrogates.
const (
	Triangle Shape = "triangle" // (w-|x|)/w^2 for |x| < w
	Box      Shape = "box"      // 1/(2w) for |x| <= w
	Logistic Shape = "logistic" // k*s(kx)*(1-s(kx)) with s the logistic function
)

func (s Surrogate) check() error {
	switch s.Shape {
	case Triangle, Box, Logistic:
	default:
		return fmt.Errorf("unknown surrogate %q, expected triangle, box or logistic", s.Shape)
	}
	if !(s.Width > 0) || math.IsInf(s.Width, 0) {
		return fmt.Errorf("the width of surrogate %s is %v, expected a positive number", s.Shape, s.Width)
	}
	return nil
}

// DefaultSurrogate returns the surrogate of a role unless it is set otherwise.
func DefaultSurrogate(r Role) Surrogate {
	switch r {
	case Weight, CellWeight:
		return Surrogate{Box, 1}
	case Select:
		return Surrogate{Triangle, 0.3}
	case Gate:
		return Surrogate{Logistic, 2}
	case Candidate:
		return Surrogate{Triangle, 1.5}
	case Cell:
		return Surrogate{Triangle, 3}
	}
	return Surrogate{Triangle, 1}
}

// derivative adds scale * g * surrogate(x) to gx.
func (s Surrogate) derivative(gx, g, x []float32, scale float32) {
	w := float32(s.Width)
	switch s.Shape {
	case Triangle:
		vec.Triangle(gx, g, x, scale/(w*w), w)
	case Box:
		vec.Box(gx, g, x, scale/(2*w), w)
	case Logistic:
		for i, v := range x {
			p := logistic(w * v)
			gx[i] += scale * w * g[i] * p * (1 - p)
		}
	}
}

func logistic(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

// Soft says how the binary operations of a role compute when they are soft: an
// activation to {0,1} is max(x, 0) and one to {-1,+1} is x cut off at -1 and 1;
// weights are the latent weights themselves; everything else is 1/(1+exp(-k*x))
// to {0,1} and tanh(k*x) to {-1,+1}, with k the Slope.
type Soft struct {
	On    bool
	Slope float64
}

// slope is the slope of a soft role unless it is set otherwise.
func (r Role) slope() float64 {
	if r == Select {
		return 8
	}
	return 1
}

// smooth sets y to the soft form of the step of x from low to 1.
func (r Role) smooth(y, x []float32, low, slope float32) {
	if r == Activation && low == 0 {
		vec.Relu(y, x)
		return
	}
	for i, v := range x {
		switch {
		case r == Activation:
			y[i] = low + (1-low)*max(0, min(1, (v+1)/2))
		case r == Weight || r == CellWeight:
			y[i] = low + (1-low)*(v+1)/2
		default:
			y[i] = low + (1-low)*logistic((1-low)*slope*v)
		}
	}
}

// smoothGradient adds the derivative of smooth, times g, to gx.
func (r Role) smoothGradient(gx, g, x, y []float32, low, slope float32) {
	if r == Activation && low == 0 {
		vec.AddWhere(gx, g, x)
		return
	}
	for i, v := range x {
		var d float32
		switch {
		case r == Activation:
			if v > -1 && v < 1 {
				d = (1 - low) / 2
			}
		case r == Weight || r == CellWeight:
			d = (1 - low) / 2
		default:
			p := (y[i] - low) / (1 - low)
			d = (1 - low) * (1 - low) * slope * p * (1 - p)
		}
		gx[i] += g[i] * d
	}
}

// hardActivations reports whether feature maps are bits.
func (g *graph) hardActivations() bool { return !g.soft[Activation].On && !g.soft[Select].On }

// roleOf recognises what a binary operation of x is for. sign says that it
// gives -1 and +1.
func (b *builder) roleOf(n *ir.Node, x *ir.Value, sign bool) Role {
	if r, ok := b.opts.Roles[n.Loc.Name]; ok {
		return r
	}
	if !b.batched[x] {
		if b.products(n.Result(), map[*ir.Value]bool{}) > 1 {
			return CellWeight
		}
		return Weight
	}
	if fromMean(x) {
		return Select
	}
	if d := ir.Def(x); x.Type.Rank() <= 2 {
		switch {
		case (d.Is(ir.Slice) || d.Is(ir.Split)) && sign:
			return Candidate
		case d.Is(ir.Slice) || d.Is(ir.Split):
			return Gate
		case d.Is(ir.Add) && sign && ir.Def(d.Args[0]).Is(ir.Mul) && ir.Def(d.Args[1]).Is(ir.Mul):
			return Cell
		}
	}
	return Activation
}

// products counts the products with data that a weight gets into.
func (b *builder) products(v *ir.Value, seen map[*ir.Value]bool) int {
	if seen[v] {
		return 0
	}
	seen[v] = true
	count := 0
	for _, n := range b.uses[v] {
		switch {
		case n == nil:
		case b.batched[n.Results[0]]:
			count++
		default:
			count += b.products(n.Results[0], seen)
		}
	}
	return count
}

// fromMean reports whether v is a mean over a map, or over its frames so far, less or
// plus something.
func fromMean(v *ir.Value) bool {
	for range 8 {
		d := ir.Def(v)
		switch {
		case d.Is(ir.ReduceMean) || d.Is(ir.GlobalAveragePool) || d.Is(ir.Div) && ir.Def(d.Args[0]).Is(ir.CumSum):
			return true
		case d.Is(ir.Reshape) || d.Is(ir.Squeeze) || d.Is(ir.Unsqueeze) || d.Is(ir.Neg):
			v = d.Args[0]
		case d.Is(ir.Sub) || d.Is(ir.Add):
			v = d.Args[0]
			if p := ir.Def(v); p == nil || p.Const != nil {
				v = d.Args[1]
			}
		default:
			return false
		}
	}
	return false
}

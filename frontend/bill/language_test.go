package bill

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
)

const language = `bill 1
module "m" level=source
let width = 2*3-2
let seed = 7
block @layer(%x, from, to) {
  %w = const he : f32[to, from]
  %y = gemm %x, %w, _ {trans_b=true}
  return %y
}
block @two(%x, n) {
  %a = @layer %x {from=n, to=n*2}
  %b = @layer %a {from=n*2, to=n/2} loc("last")
  return %b
}
func @main(%x "x": f32[1, width]) {
  %y = @two %x {n=width} loc("net")
  %h = const splat 0.5 : f32[1, width/2]
  repeat i = 1 to 3
    %h = add %h, %y loc("sum")
    %h = relu %h
  end
  return %h "y"
}
`

// Blocks and loops expand to plain statements whose names tell where they come
// from; types are inferred; numbers are computed.
func TestLanguage(t *testing.T) {
	m, err := Parse("m.bill", []byte(language), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range m.Main().Nodes {
		names = append(names, n.Loc.Name+" "+n.Op.Name+" "+n.Result().Type.String())
	}
	want := []string{
		"net.a.w const f32[8,4]", "net.a.y gemm f32[1,8]", "net.last.w const f32[2,8]", "net.last.y gemm f32[1,2]", "h const f32[1,2]",
		"sum.1 add f32[1,2]", "h.1 relu f32[1,2]", "sum.2 add f32[1,2]", "h.2 relu f32[1,2]", "sum.3 add f32[1,2]", "h.3 relu f32[1,2]",
	}
	if got := strings.Join(names, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("nodes:\n%s\nwanted:\n%s", got, strings.Join(want, "\n"))
	}
	text, data := ir.Print(m, "m.data")
	back, err := Parse("m.bill", []byte(text), func(string) ([]byte, error) { return data, nil })
	if err != nil {
		t.Fatal(err)
	}
	if d := Equal(m, back); d != "" {
		t.Error(d)
	}
}

// A parameter depends on the seed and its own name alone, and has the spread
// that its initializer promises.
func TestParameters(t *testing.T) {
	parse := func(body string, lets map[string]float64) []float32 {
		t.Helper()
		m, err := ParseWith("m.bill", []byte("bill 1\nmodule \"m\" level=source\nfunc @main(%x \"x\": f32[1]) {\n"+body+"\n return %w \"y\"}"), nil, lets)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range m.Main().Nodes {
			if n.Loc.Name == "w" {
				return n.Const.Floats()
			}
		}
		t.Fatal("no parameter w")
		return nil
	}
	a := parse("%w = const he : f32[64, 50]", nil)
	b := parse("%v = const he : f32[3]\n%w = const he : f32[64, 50]", nil)
	c := parse("%w = const he : f32[64, 50]", map[string]float64{"seed": 2})
	same := 0
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("element %d is %v, and %v behind another parameter", i, a[i], b[i])
		}
		if a[i] == c[i] {
			same++
		}
	}
	if same > len(a)/100 {
		t.Errorf("%d of %d elements are the same with another seed", same, len(a))
	}
	for _, c := range []struct {
		init      string
		mean, std float64
	}{{"he", 0, 0.2}, {"glorot", 0, math.Sqrt(1.0 / 50)}, {"normal(3)", 0, 3}, {"uniform(1, 3)", 2, 2 / math.Sqrt(12)}, {"ones", 1, 0}, {"zeros", 0, 0}} {
		x := parse("%w = const "+c.init+" : f32[64, 50]", nil)
		var sum, sq float64
		for _, v := range x {
			sum += float64(v)
			sq += float64(v) * float64(v)
		}
		mean := sum / float64(len(x))
		std := math.Sqrt(math.Max(0, sq/float64(len(x))-mean*mean))
		if math.Abs(mean-c.mean) > 0.1*math.Max(c.std, 1e-9) || math.Abs(std-c.std) > 0.05*math.Max(c.std, 1e-9) {
			t.Errorf("%s: mean %v and deviation %v, expected %v and %v", c.init, mean, std, c.mean, c.std)
		}
	}
	if a[0] != -0.056042627 {
		t.Errorf("the first element is %v", a[0])
	}
}

func TestLets(t *testing.T) {
	m, err := ParseWith("m.bill", []byte(language), nil, map[string]float64{"width": 8})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Main().Params[0].Value.Type; got.Shape[1] != 8 {
		t.Errorf("the input is %s", got)
	}
	if _, err := ParseWith("m.bill", []byte(language), nil, map[string]float64{"widht": 8}); err == nil || !strings.Contains(err.Error(), "widht") {
		t.Errorf("a number that is not declared: %v", err)
	}
}

// The example of the language's documentation parses.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, part := range strings.Split(string(text), "```bill\n")[1:] {
		example, _, _ := strings.Cut(part, "```")
		if _, err := Parse("language.md", []byte(example), nil); err != nil {
			t.Error(err)
		}
		n++
	}
	if n == 0 {
		t.Error("no example found")
	}
}

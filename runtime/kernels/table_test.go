package kernels

import (
	"testing"
)

// checks are the tests that exercise the kernels of a row.
var checks = map[string][]func(*testing.T, *Set){
	"bit":        {func(t *testing.T, s *Set) { checkBitConv(t, s, cases(24)) }},
	"bitdot":     {checkBitDot, checkBitDotLong},
	"signs":      {checkSigns},
	"levels":     {checkLevels},
	"intconv":    {func(t *testing.T, s *Set) { checkIntConv(t, s, cases(24)) }},
	"convert":    {func(t *testing.T, s *Set) { checkIntConv(t, s, cases(24)) }},
	"threshold":  {checkThresholdMap},
	"pool":       {checkPool},
	"gate":       {checkGate},
	"count":      {checkCount},
	"split2":     {checkLayouts},
	"interleave": {checkDot},
	"dot":        {checkDot},
	"fewdot":     {checkDot, checkDotFew},
	"vec":        {checkVec},
	"turn":       {checkTurn},
	"depth":      {checkDepthConv},
	"depthpool":  {checkDepthPool},
	"planeconv":  {checkPlaneConv},
}

// Every row of the table works by itself, among generic kernels.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range table() {
		if seen[k.String()] {
			t.Errorf("%v is listed twice", k)
		}
		seen[k.String()] = true
		if len(checks[k.name]) == 0 {
			t.Errorf("no test exercises %v", k)
		}
		if k.isa == Generic {
			continue
		}
		t.Run(k.String(), func(t *testing.T) {
			if !Available(k.isa) {
				t.Skipf("%v is not available on this machine", k.isa)
			}
			s := Select(Generic)
			k.install(s)
			for _, f := range checks[k.name] {
				f(t, s)
			}
		})
	}
}

func TestSelect(t *testing.T) {
	for _, i := range ISAs() {
		if got, err := ParseISA(i.String()); err != nil || got != i {
			t.Errorf("ParseISA(%q) is %v, %v", i, got, err)
		}
		if s := Select(i); !i.Includes(s.ISA()) || Available(i) && s.ISA() != i {
			t.Errorf("Select(%v) is for %v", i, s.ISA())
		}
	}
	if _, err := ParseISA("sse"); err == nil {
		t.Error("ParseISA accepts sse")
	}
	if got := Select(ISA(200)).ISA(); got != Generic {
		t.Errorf("Select of no instruction set is %v, want %v", got, Generic)
	}
	if !Available(Best()) {
		t.Errorf("the best, %v, is not available", Best())
	}
}

// Instruction sets are ordered within their family only, plain Go is below all,
// and the list has every one after those that it includes.
func TestISA(t *testing.T) {
	list := ISAs()
	for n, i := range list {
		if !i.Includes(i) || !i.Includes(Generic) || i != Generic && Generic.Includes(i) {
			t.Errorf("%v and generic are not in order", i)
		}
		if i.Includes(ISA(200)) || ISA(200).Includes(i) {
			t.Errorf("%v and no instruction set are in order", i)
		}
		for m, j := range list {
			if i.Includes(j) && m > n {
				t.Errorf("%v includes %v, which stands behind it", i, j)
			}
			if both := i.Includes(j) && j.Includes(i); both != (i == j) {
				t.Errorf("%v and %v include each other: %v", i, j, both)
			}
			if i != Generic && j != Generic && isas[i].family != isas[j].family && i.Includes(j) {
				t.Errorf("%v includes %v of another family", i, j)
			}
		}
	}
	for _, name := range Machine() {
		if i, err := ParseISA(name); err != nil || !Available(i) {
			t.Errorf("Machine lists %s: %v", name, err)
		}
	}
}

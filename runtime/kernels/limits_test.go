package kernels

import (
	"slices"
	"testing"
	"time"
)

// Every instruction set has a rate for every kind of work.
func TestLimits(t *testing.T) {
	eachISA(t, func(t *testing.T, s *Set) {
		var works []string
		for _, l := range s.Limits(time.Microsecond) {
			works = append(works, l.Work)
			if !(l.Rate > 0) {
				t.Errorf("%s: %v", l.Work, l.Rate)
			}
		}
		if want := []string{"bits", "sums", "bytes", "floats", "16K", "256K", "4M", "64M"}; !slices.Equal(works, want) {
			t.Errorf("limits of %v, expected %v", works, want)
		}
	})
}

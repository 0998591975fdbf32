package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// parseSize reads a number of bytes, such as 400KB, 64KiB or 419430; "" is 0.
func parseSize(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	unit := 1.0
	for _, u := range []struct {
		name  string
		bytes float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"KB", 1e3}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}} {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = strings.TrimSpace(number), u.bytes
			break
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if bytes := v * unit; err == nil && bytes >= 1 && bytes <= math.MaxInt32 {
		return int(bytes), nil
	}
	return 0, errors.New("expected a number of bytes from 1 to 2147483647, as in 400KB, 64KiB or 2MB")
}

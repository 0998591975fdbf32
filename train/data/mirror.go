package data

import (
	"slices"
	"strings"
)

// jesterMirror says which of Jester's 27 gestures each becomes in a mirror. What goes up, down, in or out, and a hand
// that rolls about a horizontal axis, stays what it is.
var jesterMirror = map[string]string{
	"Swiping Left":                  "Swiping Right",
	"Swiping Right":                 "Swiping Left",
	"Swiping Down":                  "Swiping Down",
	"Swiping Up":                    "Swiping Up",
	"Pushing Hand Away":             "Pushing Hand Away",
	"Pulling Hand In":               "Pulling Hand In",
	"Sliding Two Fingers Left":      "Sliding Two Fingers Right",
	"Sliding Two Fingers Right":     "Sliding Two Fingers Left",
	"Sliding Two Fingers Down":      "Sliding Two Fingers Down",
	"Sliding Two Fingers Up":        "Sliding Two Fingers Up",
	"Pushing Two Fingers Away":      "Pushing Two Fingers Away",
	"Pulling Two Fingers In":        "Pulling Two Fingers In",
	"Rolling Hand Forward":          "Rolling Hand Forward",
	"Rolling Hand Backward":         "Rolling Hand Backward",
	"Turning Hand Clockwise":        "Turning Hand Counterclockwise",
	"Turning Hand Counterclockwise": "Turning Hand Clockwise",
	"Zooming In With Full Hand":     "Zooming In With Full Hand",
	"Zooming Out With Full Hand":    "Zooming Out With Full Hand",
	"Zooming In With Two Fingers":   "Zooming In With Two Fingers",
	"Zooming Out With Two Fingers":  "Zooming Out With Two Fingers",
	"Thumb Up":                      "Thumb Up",
	"Thumb Down":                    "Thumb Down",
	"Shaking Hand":                  "Shaking Hand",
	"Stop Sign":                     "Stop Sign",
	"Drumming Fingers":              "Drumming Fingers",
	"No gesture":                    "No gesture",
	"Doing other things":            "Doing other things",
}

// notMirrored marks a class whose mirror image is not known.
const notMirrored = -1

// mirrorLabels returns, for each class, the class of its mirror image, or notMirrored.
func mirrorLabels(classes []string, mirrored func(string) string) []int {
	labels := make([]int, len(classes))
	for i, c := range classes {
		labels[i] = slices.Index(classes, mirrored(c)) // -1 = notMirrored
	}
	return labels
}

// sides are the words that a mirror exchanges, in lower case.
var sides = map[string]string{
	"left": "right", "right": "left",
	"clockwise": "counterclockwise", "counterclockwise": "clockwise",
	"cw": "ccw", "ccw": "cw",
}

// swapSides exchanges the words of sides in a name, and keeps the case of their first letters.
func swapSides(name string) string {
	isLetter := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
	var b strings.Builder
	for name != "" {
		end := strings.IndexFunc(name, func(r rune) bool { return !isLetter(r) })
		if end < 0 {
			end = len(name)
		}
		word := name[:end]
		if s, ok := sides[strings.ToLower(word)]; ok {
			switch {
			case word == strings.ToUpper(word):
				s = strings.ToUpper(s)
			case word[0] < 'a':
				s = strings.ToUpper(s[:1]) + s[1:]
			}
			word = s
		}
		b.WriteString(word)
		name = name[end:]
		if name != "" { // the separator, one byte of it: bytes of other runes are no letters either
			b.WriteByte(name[0])
			name = name[1:]
		}
	}
	return b.String()
}

//go:build !race

package script

// race says whether the race detector watches, under which some scripts take
// too long.
const race = false

// Package analysis finds out what values of a module are without changing it: which
// constants are binary weights, between which bounds an integer lies over the actual
// weights, which floats are whole numbers, which operations act on every channel by
// itself, and what a convolution costs. Passes ask it; it knows no pass.
package analysis

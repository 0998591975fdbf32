// Package hardcell writes recurrent cells with hard gates as elementary operations,
// step by step: what quantize-lstm makes of a float layer, and what a binary LSTM
// without a kernel becomes.
package hardcell

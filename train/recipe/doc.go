// Package recipe trains a BILLNET in stages, from a float network to one of bits
// and integers.
//
// The network is written in its binary form (billc new --form binary, or an
// import of a binary model). A stage makes some roles of its binary operations
// hard and leaves the others soft (train.Trainer.SetSoft): with everything soft
// the network is the float one, with everything hard it is what gets compiled.
// Each stage goes on from the parameters of the one before, and may learn from
// the float network as a teacher.
//
// Run does the stages, measures every one of them (accuracy, and the density of
// its residual gates once they are bits), writes checkpoints and a log into a
// folder, and goes on from there when it was interrupted: to the same bits as if
// it had not been.
package recipe

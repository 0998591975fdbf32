// Package runner is the command line that runs networks: of billrun, which reads
// them from .billb files, and of the executables that the compiler builds, which
// hold one.
//
// A network is a Model, and what is around it a Program: its name, its version
// and its commands. ForFiles and ForModel make the two kinds. The commands read
// clips and tensors, print scores and JSON, compare outputs with recorded ones
// and measure; they know a network by its Model only. So both kinds of programs
// read and print the same.
//
// Executables are built from copies of this package's files. That is why it
// imports nothing but the standard library, the clip reader and some types of
// package runtime, and why it is written to be small: package context, encoding/json
// and the flag package would each cost more than all of it.
//
// Exit codes: 0 done, 1 failed, 2 bad usage, 3 outputs differ from the recorded
// ones, 70 a fault of the program, 124 timed out.
package runner

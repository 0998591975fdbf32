//go:build !unix

package clip

// notWaiting does nothing where opening a pipe does not wait for a writer.
const notWaiting = 0

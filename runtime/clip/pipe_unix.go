//go:build unix

package clip

import "syscall"

// notWaiting opens a pipe whether or not somebody writes to it.
const notWaiting = syscall.O_NONBLOCK

//go:build unix

package clip

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps the signals of the terminal from a program.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

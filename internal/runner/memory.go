package runner

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/billnet/billnet/runtime"
)

// writeMemory writes the memory of a session.
func writeMemory(w *jsonWriter, m runtime.Memory) {
	w.key("memory").object(func() {
		w.key("arena").int(m.Arena)
		w.key("scratch").int(m.Scratch)
		w.key("ports").int(m.Ports)
		w.key("total").int(m.Total())
	})
}

func memoryText(m runtime.Memory) string {
	return fmt.Sprintf("memory %d bytes: arena %d, scratch %d, ports %d", m.Total(), m.Arena, m.Scratch, m.Ports)
}

// peakBytes is the most memory that this process has had at once, 0 where the
// system does not tell.
func peakBytes() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, "\n")
	kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(line, "kB")))
	if err != nil {
		return 0
	}
	return kb << 10
}

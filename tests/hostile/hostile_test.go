package hostile

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

// few is how many mutants are tried when BILLNET_MUTANTS does not say.
const few = 600

func number(t *testing.T, name string, def uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return def
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: expected a number", name, text)
	}
	return n
}

// TestMutants tries mutants and counts how far they come.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	seeds, err := Seeds(filepath.Join("..", "golden", "models"))
	if err != nil {
		t.Fatal(err)
	}
	first, count := number(t, "BILLNET_FIRST_MUTANT", 0), number(t, "BILLNET_MUTANTS", few)
	if os.Getenv("BILLNET_MUTANT") != "" {
		first, count = number(t, "BILLNET_MUTANT", 0), 1
	}
	// The number of the mutant under way, for when the process itself is killed.
	mark, err := os.Create(filepath.Join(os.TempDir(), fmt.Sprintf("mutant.%d", os.Getpid())))
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(mark.Name())
	defer mark.Close()
	stages, faults, start := map[string]int{}, 0, time.Now()
	for i := first; i < first+count; i++ {
		mark.WriteAt(binary.LittleEndian.AppendUint64(nil, i), 0)
		data, err := proto.Marshal(Mutate(seeds[i%uint64(len(seeds))], i))
		if err != nil {
			t.Fatal(err)
		}
		v := Try(data)
		if stages[v.Stage]++; v.Fault != "" {
			t.Errorf("mutant %d (%d bytes, %s): %s", i, len(data), v.Stage, v.Fault)
			if faults++; faults > 20 {
				break
			}
		}
		if count == 1 {
			t.Logf("%+v", v)
			os.WriteFile(filepath.Join(os.TempDir(), fmt.Sprintf("mutant.%d.onnx", i)), data, 0o600)
		}
	}
	t.Logf("%d mutants of %d models, %.0f a second; where they ended: %v", count, len(seeds), float64(count)/time.Since(start).Seconds(), stages)
}

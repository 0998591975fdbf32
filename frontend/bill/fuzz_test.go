package bill

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/billnet/billnet/ir"
)

// FuzzParse: no text makes the parser panic, and what it accepts is printed and
// parsed back to itself.
func FuzzParse(f *testing.F) {
	data := make([]byte, 256)
	for i := range data {
		data[i] = byte(i * 37)
	}
	sum := ir.Checksum(data)
	for _, op := range ir.Ops() {
		for _, l := range []ir.Level{ir.Source, ir.Logic, ir.Packed} {
			if op.Levels&l != 0 {
				f.Add(fmt.Sprintf("bill 1\nmodule \"m\" level=%s\nfunc @main() {%s\n}\n", l, op.Example))
			}
		}
	}
	for d := ir.F32; d <= ir.Tern; d++ {
		f.Add(fmt.Sprintf("bill 1\nmodule \"m\" level=source\ndata \"d\" size=256 crc32c=%d\nmeta \"a\" \"b\"\nlabels \"a\"\n"+
			"func @f(%%0 \"x\": %s[17]) {\n%%1 = const @8 : %s[17] loc(\"c\")\nreturn %%1 \"y\"}", sum, d, d))
	}
	files, _ := filepath.Glob("testdata/errors/*.bill")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parse("fuzz.bill", []byte(text), func(string) ([]byte, error) { return data, nil }, nil, nil, 1<<16)
		if err != nil {
			return
		}
		printed, side := ir.Print(m, "side")
		back, err := parse("printed.bill", []byte(printed), func(string) ([]byte, error) { return side, nil }, nil, nil, 1<<20)
		if err != nil {
			t.Fatalf("%v\n%s", err, printed)
		}
		if d := Equal(m, back); d != "" {
			t.Fatalf("%s\n%s", d, printed)
		}
	})
}

package main

import (
	"strings"
	"testing"
)

const run = `{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Test":"TestX","Output":"=== RUN   TestX\n"}
{"Action":"output","Package":"m/a","Test":"TestX","Output":"--- PASS: TestX (0.00s)\n"}
{"Action":"pass","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Test":"TestY","Output":"=== RUN   TestY\n"}
{"Action":"output","Package":"m/a","Test":"TestY","Output":"    y_test.go:3: no camera\n"}
{"Action":"skip","Package":"m/a","Test":"TestY"}
{"Action":"output","Package":"m/a","Output":"PASS\n"}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.1s\n"}
{"Action":"pass","Package":"m/a"}
{"Action":"output","Package":"m/b/c","Output":"?   \tm/b/c\t[no test files]\n"}
{"Action":"skip","Package":"m/b/c"}
{"Action":"output","Package":"m/d","Test":"TestZ","Output":"    z_test.go:3: 1 is not 2\n"}
{"Action":"fail","Package":"m/d","Test":"TestZ"}
{"Action":"output","Package":"m/d","Output":"FAIL\tm/d\t0.1s\n"}
{"Action":"fail","Package":"m/d"}
not an event
`

func TestRead(t *testing.T) {
	var out strings.Builder
	r, err := read(strings.NewReader(run), &out)
	if err != nil {
		t.Fatal(err)
	}
	want := "    y_test.go:3: no camera\nok  \tm/a\t0.1s\n?   \tm/b/c\t[no test files]\n    z_test.go:3: 1 is not 2\nFAIL\tm/d\t0.1s\nnot an event\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	if r.passed["m/a"] != 1 || r.skipped != 1 {
		t.Errorf("counted %v and %d skipped, want one of m/a and one", r.passed, r.skipped)
	}
	for args, want := range map[string]string{
		"-race ./a":  "",
		"./...":      "",
		"./a/...":    "",
		"./b/...":    "./b/...: no test has run",
		"./a ./b/c":  "./b/c: no test has run",
		"./a ./d":    "./d: no test has run",
		"./missing":  "./missing: no test has run",
		"-run=X ./b": "./b: no test has run",
	} {
		err := r.check(strings.Fields(args))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", args, err, want)
		}
	}
}

package c_test

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billnet/billnet/codegen/c"
)

// TestLayouts: the folders for build systems have all files, and their examples, compiled with a host's stand-ins for
// the systems' headers, print the same labels.
func TestLayouts(t *testing.T) {
	cc := compiler(t)
	m := lower(t, gestures(t))
	random := rand.NewChaCha8([32]byte{17})
	clip := make([]byte, 2*16*3*48*64)
	random.Read(clip)
	labels := map[string]string{}
	for _, layout := range []struct{ name, example, sources, component string }{
		{"arduino", "examples/gesture/gesture.ino", "src", ""},
		{"zephyr", "samples/gesture/src/main.c", ".", "zephyr/CMakeLists.txt"},
		{"esp-idf", "examples/gesture/main/main.c", ".", "CMakeLists.txt"},
	} {
		t.Run(layout.name, func(t *testing.T) {
			files, _, err := c.Generate(m, c.Options{Name: "gesture", Layout: layout.name})
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			writeFiles(t, dir, files)
			in := func(name string) string { return filepath.Join(dir, layout.sources, name) }
			run := func(stdin []byte, name string, args ...string) string {
				cmd := exec.Command(name, args...)
				cmd.Stdin = bytes.NewReader(stdin)
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, head(out))
				}
				return string(out)
			}
			example := filepath.Join(dir, "example.o")
			flags := []string{"-O1", "-Wall", "-Wextra", "-Wno-unused-function", "-Werror", "-I", in(""), "-I", "testdata/layouts", "-c", filepath.Join(dir, layout.example), "-o", example}
			if layout.name == "arduino" {
				if _, err := exec.LookPath("g++"); err != nil {
					t.Skip("no g++: install it")
				}
				run(nil, "g++", append([]string{"-include", "Arduino.h", "-x", "c++"}, flags...)...)
			} else {
				run(nil, cc, append([]string{"-std=gnu99"}, flags...)...)
			}
			exe := filepath.Join(dir, "example")
			run(nil, cc, "-std=c99", "-O1", example, in("gesture.c"), in("gesture_weights.c"), "-o", exe)
			if labels[layout.name] = run(clip, exe); strings.Count(labels[layout.name], "\n") != 2 {
				t.Errorf("two clips give %q", labels[layout.name])
			}
			if _, err := exec.LookPath("cmake"); err != nil || layout.component == "" {
				return
			}
			said := run(nil, "cmake", "-DCONFIG_GESTURE=1", "-DFILE="+filepath.Join(dir, layout.component), "-P", "testdata/layouts/component.cmake")
			if !strings.Contains(said, "gesture.c;") || !strings.Contains(said, "gesture_weights.c") {
				t.Errorf("the component has %q", said)
			}
		})
	}
	for name, text := range labels {
		if text != labels["zephyr"] {
			t.Errorf("%s prints %q, zephyr %q", name, text, labels["zephyr"])
		}
	}
	if len(labels) < 2 {
		t.Errorf("%d layouts ran", len(labels))
	}
}

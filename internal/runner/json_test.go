package runner

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/billnet/billnet/runtime"
)

// What jsonWriter writes, the standard package reads back as it was.
func TestJSONWriter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type object struct {
			Text    string
			Names   []string
			Shape   []int
			Number  float64
			Nothing struct{}
		}
		want := object{rapid.String().Draw(t, "text"), rapid.SliceOf(rapid.String()).Draw(t, "names"), rapid.SliceOf(rapid.Int()).Draw(t, "shape"), rapid.Float64().Draw(t, "number"), struct{}{}}
		w := &jsonWriter{}
		w.object(func() {
			w.key("Text").string(want.Text)
			w.key("Names").array(len(want.Names), func(i int) { w.string(want.Names[i]) })
			w.key("Shape").ints(want.Shape)
			w.key("Number").float(want.Number)
			w.key("Nothing").object(func() {})
		})
		var got object
		dec := json.NewDecoder(bytes.NewReader(w.b))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil || bytes.ContainsAny(w.b, "\n\r") {
			t.Fatalf("%v: %s", err, w.b)
		}
		if got.Text != want.Text || !slices.Equal(got.Names, want.Names) || !slices.Equal(got.Shape, want.Shape) || got.Number != want.Number {
			t.Fatalf("%s is read as %+v, want %+v", w.b, got, want)
		}
	})
	w := &jsonWriter{}
	w.string("a\xffb")
	if got := string(w.b); got != "\"a\ufffdb\"" {
		t.Errorf("what is not UTF-8 is written as %q", got)
	}
}

// Recordings are read back as they were written, and also from the forms that
// other programs give the same JSON.
func TestGoldenRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var clips [][]values
		var want [][]recorded
		for range rapid.IntRange(0, 3).Draw(t, "clips") {
			var outs []values
			var records []recorded
			for range rapid.IntRange(0, 3).Draw(t, "outputs") {
				v := f32s(rapid.SliceOfN(rapid.Float32(), 0, 4).Draw(t, "values")...)
				v.name = rapid.String().Draw(t, "name")
				r := recorded{name: v.name, elem: "f32", shape: v.shape}
				for i := range v.len() {
					r.values = append(r.values, v.text(i))
				}
				outs, records = append(outs, v), append(records, r)
			}
			clips, want = append(clips, outs), append(want, records)
		}
		text := []byte(encodeGolden(rapid.String().Draw(t, "model"), clips))
		var any any
		if err := json.Unmarshal(text, &any); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		escaped, err := json.Marshal(any) // other order, escapes and number forms
		if err != nil {
			t.Fatal(err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, text, " ", "\t"); err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{text, indented.Bytes()} {
			if got, err := decodeGolden(text); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%v: %s\ngot  %+v\nwant %+v", err, text, got, want)
			}
		}
		got, err := decodeGolden(escaped)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%v: %s", err, escaped)
		}
		for i := range got {
			if !slices.EqualFunc(got[i], want[i], func(a, b recorded) bool { return a.name == b.name && slices.Equal(a.shape, b.shape) }) {
				t.Fatalf("%s\ngot  %+v\nwant %+v", escaped, got[i], want[i])
			}
		}
	})
}

func TestJSONStrings(t *testing.T) {
	for text, want := range map[string]string{
		`"\"\\\/\b\f\n\r\t"`: "\"\\/\b\f\n\r\t",
		`"\u00e9\u4e2D é"`:   "é中 é",
		`"\ud83d\ude00"`:     "😀",
		`"\ud83d"`:           "\ufffd",
		`"\ud83dx"`:          "\ufffdx",
		`"\ude00\ud83d"`:     "\ufffd",
		` "a" `:              "a",
	} {
		r := &jsonReader{text: []byte(text)}
		got := r.string()
		r.end()
		if r.err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", text, got, r.err, want)
		}
	}
}

// Faults name the line.
func TestGoldenFaults(t *testing.T) {
	const head = `{"format": "billrun golden 1", "model": "m", "clips": [`
	for text, want := range map[string]string{
		"":                                     `line 1: expected '{', the text ends`,
		"{}":                                   `format "", expected "billrun golden 1"`,
		`{"format": "other"}`:                  `format "other", expected`,
		head:                                   "the text ends",
		head + "]} x":                          `expected the end of the text, got 'x'`,
		head + "]}\x00":                        "expected the end of the text",
		head + "]\n\n, \"Clips\": []}":         `line 3: unknown member "Clips"`,
		head + "{\"output\": []}]}":            `unknown member "output" of a clip`,
		head + "{\"outputs\": [{\"x\": 1}]}]}": `unknown member "x" of an output`,
		head + "{}, ]}":                        `expected '{', got ']'`,
		head + "null]}":                        `expected '{', got 'n'`,
		head + "{\"outputs\": [{\"shape\": [1.5]}]}]}":   "expected a whole number, got 1.5",
		head + "{\"outputs\": [{\"values\": [true]}]}]}": "expected a number",
		head + "{\"outputs\": [{\"name\": \"a\n\"}]}]}":  `control character '\n' in a string`,
		head + "{\"outputs\": [{\"name\": \"a":           "the text ends within a string",
		head + "{\"outputs\": [{\"name\": \"\\":          "the text ends within a string",
		head + `{"outputs": [{"name": "\x41"}]}]}`:       `unknown escape \x`,
		head + `{"outputs": [{"name": "\u00g0"}]}]}`:     "four hexadecimal digits",
		head + `{"outputs": [{"name": "\u00`:             "four hexadecimal digits",
	} {
		if _, err := decodeGolden([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

// No text upsets the reader, and what it accepts has the structure that it says.
func FuzzDecodeGolden(f *testing.F) {
	f.Add([]byte(encodeGolden("m", [][]values{{f32s(1, 2.5, float32(math.NaN()))}, {}, {{"n", runtime.I8, []int{2}, []byte{1, 255}}}})))
	f.Add([]byte(`{"format":"billrun golden 1","clips":[{"outputs":[{"name":"\ud83d\ude00","values":["NaN",-1e-5]}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		clips, err := decodeGolden(text)
		if err == nil && len(clips) > len(text) {
			t.Fatalf("%d clips in %d bytes", len(clips), len(text))
		}
	})
}

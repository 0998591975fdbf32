package spec

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"a":                                "a",
		" a , b{} ":                        "a|b",
		"a{x=1}, b{y=[c, d],\n z=\"e f\"}": `a{x=1}|b{y=[c,d],z="e f"}`,
		`a{x="[b]", y="\"", z="a,b"}`:      `a{x="[b]",y="\"",z="a,b"}`,
		"a{x=-1e-3, y=5%, z=/p/q:1}":       "a{x=-1e-3,y=5%,z=/p/q:1}",
		"é{ü=ß}":                           "é{ü=ß}",
	} {
		items, err := Parse("test", "items", text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var got []string
		for _, it := range items {
			got = append(got, Format(it.Name, it.Options))
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%q is read as %s, want %s", text, s, want)
		}
	}
}

// The name of the one item is any text, and positions count its letters.
func TestParseOne(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"my clips, 2 (new)":         "my clips, 2 (new)",
		`C:\clips {mode=crop}`:      `C:\clips{mode=crop}`,
		"a = b{x=1, y=[2,3]}":       "a = b{x=1,y=[2,3]}",
		"{x=1}":                     "{x=1}",
		" ~/über alles {frame=2}  ": "~/über alles{frame=2}",
	} {
		it, err := ParseOne("test", "one item", text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := Format(it.Name, it.Options); got != want {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	one := func(source, expected, text string) ([]*Item, error) {
		it, err := ParseOne(source, expected, text)
		return []*Item{it}, err
	}
	for _, c := range []struct {
		parse      func(source, expected, text string) ([]*Item, error)
		text, want string
	}{
		{Parse, "", "test:1:1: found the end of the text; expected items"},
		{Parse, "a b", `test:1:3: found "b"; expected items`},
		{Parse, "a,\n  b{x}", `test:2:6: found "}"; expected items`},
		{Parse, "a{x=[]}", `test:1:6: found "]"`},
		{Parse, "a{x=1,y=2,x=3}", "test:1:11: option x of a is given twice"},
		{Parse, `a{x="b`, "test:1:5: "},
		{Parse, "a{x=;}", "test:1:5: "},
		{one, "é f{x=1,x=2}", "test:1:9: option x of é f is given twice"},
		{one, "a{x=1", "test:1:6: found the end of the text; expected items"},
		{one, "a{x=1}b", `test:1:7: found "b"`},
		{one, "a}{x", `test:1:4: found "x"`},
	} {
		_, err := c.parse("test", "items", c.text)
		var at *Error
		if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %s", c.text, err, c.want)
		}
	}
}

// What is read is written so that it reads back.
func FuzzParse(f *testing.F) {
	f.Add(`a{x=1}, b{y=["c d", e]}`)
	f.Add(`a{x=[" ", b, ""]}`)
	f.Fuzz(func(t *testing.T, text string) {
		items, err := Parse("fuzz", "items", text)
		if err != nil {
			return
		}
		for _, it := range items {
			s := Format(it.Name, it.Options)
			again, err := Parse("fuzz", "items", s)
			if err != nil || len(again) != 1 || Format(again[0].Name, again[0].Options) != s {
				t.Fatalf("%q is written as %q, which reads as %v, %v", text, s, again, err)
			}
		}
	})
}

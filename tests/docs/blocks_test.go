package docs_test

import (
	"slices"
	"strings"
	"testing"
)

const text = "Text, with `code`.\n" +
	"\n" +
	"    billc passes   # all\n" +
	"    billc ops\n" +
	"\n" +
	"- a list\n" +
	"    whose line goes on\n" +
	"\n" +
	"```sh\n" +
	"cd examples\n" +
	"\n" +
	"ls\n" +
	"```\n" +
	"```go\n" +
	"    x := 1\n" +
	"```\n"

func TestBlocks(t *testing.T) {
	all, err := blocks(text)
	if err != nil {
		t.Fatal(err)
	}
	want := []block{{3, []string{"billc passes   # all", "billc ops"}}, {10, []string{"cd examples", "", "ls"}}}
	if !slices.EqualFunc(all, want, func(a, b block) bool { return a.line == b.line && slices.Equal(a.lines, b.lines) }) {
		t.Errorf("blocks are %v, want %v", all, want)
	}
	for _, bad := range []string{"```\nbillc\n```", "```fish\nbillc\n```"} {
		if _, err := blocks(bad); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: error %v, want one of line 1", bad, err)
		}
	}
}

// Every block of the documents can be read, and every rule applies to a command.
func TestRules(t *testing.T) {
	used := make([]bool, len(rules))
	for _, name := range documents(t) {
		all, err := blocks(string(read(t, repository+"/"+name)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, b := range all {
			for _, line := range b.lines {
				for i, r := range rules {
					used[i] = used[i] || match(r.when, line) && (r.unless == "" || !match(r.unless, line))
				}
			}
		}
	}
	for i, r := range rules {
		if !used[i] {
			t.Errorf("no command of a document matches the rule %q (%s); leave it out", r.when, r.why)
		}
	}
}

func TestApplied(t *testing.T) {
	for command, want := range map[string]string{
		"billc ops":     "billc ops",
		"go test ./...": "go test ./internal/suggest",
		"billc train a.bill -o b.bill --data 'gestures{classes=4}' --stages 'all{steps=700}'": "billc train a.bill -o b.bill --data 'gestures{val=16,test=16,classes=4}' --stages 'all{steps=7}'",
		"billc train a.bill -o b.bill":           "billc train a.bill --data 'gestures{val=16,test=16}' --stages 'float{steps=2}, all{steps=2}' -o b.bill",
		"billc eval b.bill --clips 2000":         "billc eval b.bill --clips 8",
		"billc verify a b [--random=N]":          "",
		"billc compile model.onnx --dim time=16": "billc compile open.onnx --dim time=16",
	} {
		if run, _, _ := applied(command); run != want {
			t.Errorf("%s\n\tis run as %s\n\twant      %s", command, run, want)
		}
	}
}

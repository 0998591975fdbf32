package release

import (
	"runtime"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	defer func() { version, commit = "", "" }()
	version, commit = "v1.2.3", "abc"
	got := Text("billc")
	if !strings.HasPrefix(got, "billc v1.2.3 (commit abc) ") || !strings.HasSuffix(got, runtime.GOOS+"/"+runtime.GOARCH+" "+runtime.Version()) {
		t.Errorf("a release's text is %q", got)
	}
	version = ""
	if v := Version(); v == "" {
		t.Error("what is no release has no version")
	}
}

package main

import (
	"slices"
	"testing"
)

// A list of labels may hold what is no folder's name.
func TestFolderNames(t *testing.T) {
	plain := []string{"Swiping Left", "Stop Sign", "c"}
	if got := folderNames(plain); !slices.Equal(got, plain) {
		t.Errorf("%q become %q", plain, got)
	}
	for _, bad := range []string{"../up", "/etc", "", "a/b", `a\b`, ".", "..", ".hidden", "C:x"} {
		got := folderNames([]string{"left", bad})
		if got[0] != "left" || got[1] == bad || got[1] == "" || folderNames(got)[1] != got[1] {
			t.Errorf("%q becomes %q", bad, got[1])
		}
	}
}

// Package release knows which release a program is, from what the Go command wrote
// into it.
package release

import (
	"runtime"
	"runtime/debug"
)

// version and commit are set by the linker in the archives of a release:
// -ldflags "-X github.com/billnet/billnet/internal/release.version=v1.2.3".
var version, commit string

// Version is the release, or what the Go command knows of the module: a version
// where "go install ...@version" built it, one made of the commit in a clone.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// Commit is the commit that the program was built from, with "-dirty" where files
// had changed since, or "".
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if commit != "" || !ok {
		return commit
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + dirty
}

// Text is the line that a program's version command prints.
func Text(program string) string {
	s := program + " " + Version()
	if c := Commit(); c != "" {
		s += " (commit " + c + ")"
	}
	return s + " " + runtime.GOOS + "/" + runtime.GOARCH + " " + runtime.Version()
}

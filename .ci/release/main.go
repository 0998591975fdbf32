// Command release builds what a release consists of: an archive a platform with
// both programs, the licence and the README; a software bill of materials beside
// it; and SHA256SUMS. The same commit, version and Go give the same bytes, wherever
// the sources lie.
//
//	go -C .ci run ./release [-version v1.2.3] [-source ..] -o FOLDER [OS/ARCH ...]
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platforms are those of a release.
var platforms = []string{"linux/amd64", "linux/arm64", "linux/riscv64", "darwin/arm64", "windows/amd64"}

var programs = []string{"billc", "billrun"}

// documents go into every archive.
var documents = []string{"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"}

const modulePath = "github.com/billnet/billnet"

// files are the permissions of what a release writes.
const files = 0o644

func main() {
	version := flag.String("version", "", "the release; by default the tag of the commit, or a description of it")
	source := flag.String("source", "..", "root of the repository")
	out := flag.String("o", "", "folder to write to; it is made, and must be empty")
	flag.Parse()
	targets := flag.Args()
	if len(targets) == 0 {
		targets = platforms
	}
	is, err := stampOf(*source, *version)
	if err == nil {
		err = run(*source, *out, is, targets)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run writes a release of the targets.
func run(source, out string, is stamp, targets []string) error {
	if out == "" {
		return fmt.Errorf("-o names the folder to write to; it must be given")
	}
	if old, err := os.ReadDir(out); err == nil && len(old) > 0 {
		return fmt.Errorf("%s is not empty", out)
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	var written []string
	for _, target := range targets {
		names, err := release(source, out, is, target)
		if err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		written = append(written, names...)
	}
	return writeSums(out, written)
}

// stamp is what a release says of itself; sources without version control know no
// commit.
type stamp struct{ version, commit string }

// stampOf asks git for the commit, and for the version if it is not given.
func stampOf(source, version string) (stamp, error) {
	commit, err := git(source, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
	if version == "" && err == nil {
		version, err = git(source, "describe", "--tags", "--always", "--dirty")
	}
	if version == "" {
		return stamp{}, fmt.Errorf("%w; give -version", err)
	}
	return stamp{version, commit}, nil
}

// git returns what git prints.
func git(dir string, args ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// release builds the programs for a platform and writes the archive and the bill of
// materials; it returns their names.
func release(source, out string, is stamp, target string) ([]string, error) {
	goos, goarch, ok := strings.Cut(target, "/")
	if !ok {
		return nil, fmt.Errorf("a platform is OS/ARCH, like %s", platforms[0])
	}
	work, err := os.MkdirTemp("", "release")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	contents, err := build(source, work, is, goos, goarch)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("billnet-%s-%s-%s", is.version, goos, goarch)
	bill, err := materials(is.version, contents)
	if err != nil {
		return nil, err
	}
	for _, d := range documents {
		contents = append(contents, entry{d, filepath.Join(source, d), files})
	}
	archive, pack := name+".tar.gz", writeTar
	if goos == "windows" {
		archive, pack = name+".zip", writeZip
	}
	if err := pack(filepath.Join(out, archive), name, contents); err != nil {
		return nil, err
	}
	return []string{archive, name + ".cdx.json"}, os.WriteFile(filepath.Join(out, name+".cdx.json"), bill, files)
}

// build compiles the programs into a folder.
func build(source, dir string, is stamp, goos, goarch string) ([]entry, error) {
	exe := ""
	if goos == "windows" {
		exe = ".exe"
	}
	var built []entry
	for _, p := range programs {
		file := filepath.Join(dir, p+exe)
		const names = modulePath + "/internal/release"
		flags := fmt.Sprintf("-s -w -buildid= -X %s.version=%s -X %s.commit=%s", names, is.version, names, is.commit)
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", file, "./cmd/"+p)
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
		built = append(built, entry{p + exe, file, 0o755})
	}
	return built, nil
}

// writeSums writes SHA256SUMS, as sha256sum --check reads it.
func writeSums(dir string, names []string) error {
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(b), name)
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(text.String()), files)
}

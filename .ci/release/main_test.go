package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const root = "../.."

// TestRelease: the archives of this machine's platform are the same wherever the
// sources lie, and hold programs that run.
func TestRelease(t *testing.T) {
	host := runtime.GOOS + "/" + runtime.GOARCH
	if runtime.GOOS == "windows" {
		t.Skip("reads the archive of a POSIX system")
	}
	copied := filepath.Join(t.TempDir(), "elsewhere")
	copyTree(t, root, copied)
	is := stamp{"v1.2.3", "0123abcd"}
	var outs []string
	for _, source := range []string{root, copied} {
		out := filepath.Join(t.TempDir(), "out")
		if err := run(source, out, is, []string{host}); err != nil {
			t.Fatal(err)
		}
		outs = append(outs, out)
	}
	name := "billnet-v1.2.3-" + strings.Replace(host, "/", "-", 1)
	if one, other := read(t, outs[0], "SHA256SUMS"), read(t, outs[1], "SHA256SUMS"); one != other {
		t.Errorf("a copy of the sources gives other sums:\n%s\n%s", one, other)
	}
	dir := unpack(t, filepath.Join(outs[0], name+".tar.gz"))
	for _, p := range programs {
		out, err := exec.Command(filepath.Join(dir, name, p), "version").CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), p+" v1.2.3 (commit 0123abcd) ") {
			t.Errorf("%s version: %v, %q, expected v1.2.3 (commit 0123abcd)", p, err, out)
		}
	}
	for _, d := range documents {
		if read(t, dir, name, d) == "" {
			t.Errorf("%s is empty", d)
		}
	}
	checkMaterials(t, []byte(read(t, outs[0], name+".cdx.json")))
	if err := run(root, outs[0], is, []string{host}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a release over another gives %v", err)
	}
	if err := run(root, filepath.Join(t.TempDir(), "out"), is, []string{"plan9"}); err == nil || !strings.Contains(err.Error(), "OS/ARCH") {
		t.Errorf("platform plan9 gives %v", err)
	}
}

// checkMaterials: billc links modules, each with the checksum of go.sum; billrun
// links the standard library only; every reference is to a component.
func checkMaterials(t *testing.T, text []byte) {
	var b bom
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{b.Metadata.Component.Ref: true}
	sums := read(t, root, "go.sum")
	for _, c := range b.Components {
		known[c.Ref] = true
		if c.Type != "library" || c.Name == "std" {
			continue
		}
		if len(c.Properties) != 1 || !strings.Contains(sums, c.Name+" "+c.Version+" "+c.Properties[0].Value) {
			t.Errorf("%s %s: %v is not in go.sum", c.Name, c.Version, c.Properties)
		}
	}
	for _, d := range b.Dependencies {
		for _, ref := range append(d.DependsOn, d.Ref) {
			if !known[ref] {
				t.Errorf("%s refers to %s, which is no component", d.Ref, ref)
			}
		}
		n := len(d.DependsOn)
		if d.Ref == modulePath+"/cmd/billrun" && n != 1 || d.Ref == modulePath+"/cmd/billc" && n < 5 {
			t.Errorf("%s links %v", d.Ref, d.DependsOn)
		}
	}
}

// TestInstall: "go install ...@version" builds both programs. The version is served
// from a folder; everything else comes from the module cache.
func TestInstall(t *testing.T) {
	const version = "v1.2.3"
	proxy, cache := t.TempDir(), goEnv(t, "GOMODCACHE")
	serve(t, filepath.Join(proxy, modulePath, "@v"), version)
	bin := t.TempDir()
	for _, p := range programs {
		cmd := exec.Command("go", "install", modulePath+"/cmd/"+p+"@"+version)
		cmd.Dir = bin
		cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOMODCACHE="+filepath.Join(proxy, "cache"), "GOPROXY=file://"+proxy+",file://"+filepath.Join(cache, "cache", "download"),
			"GOSUMDB=off", "GONOSUMDB=", "GOPRIVATE=", "GONOPROXY=", "GOFLAGS=-trimpath -modcacherw", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
		out, err := exec.Command(filepath.Join(bin, p), "version").CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), p+" "+version+" ") {
			t.Errorf("%s version: %v, %q", p, err, out)
		}
	}
}

// serve writes the module as a proxy has it.
func serve(t *testing.T, dir, version string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := zip.CreateFromDir(f, module.Version{Path: modulePath, Version: version}, root); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"list":            version + "\n",
		version + ".info": `{"Version":"` + version + `"}`,
		version + ".mod":  read(t, root, "go.mod"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func read(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// unpack unpacks a .tar.gz and returns the folder.
func unpack(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, fs.FileMode(h.Mode)); err != nil {
			t.Fatal(err)
		}
	}
}

// copyTree copies the sources, without version control.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == ".git":
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o777); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), []byte(read(t, path)), 0o666)
	})
	if err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billnet/billnet/codegen/c"
	"github.com/billnet/billnet/codegen/gosrc"
	"github.com/billnet/billnet/frontend/bill"
	"github.com/billnet/billnet/internal/atomicfile"
	"github.com/billnet/billnet/ir"
)

// replaces is the rule for all outputs, as help says it.
const replaces = "An output replaces an earlier one of its kind and nothing else: a file whose name has the kind's ending (.bill and .onnx also must have been written by billc, since people have such files too), an executable, a generated package. What a command reads is never replaced."

// kind is a kind of output file.
type kind struct {
	name string
	ext  string
	ours func(head []byte) bool // whether billc wrote what begins so; nil: the ending says enough
}

var (
	bytecodeFile   = kind{"bytecode", ".billb", nil}
	textFile       = kind{"text that billc wrote", ".bill", ownText}
	onnxFile       = kind{"ONNX model that billc wrote", ".onnx", func(head []byte) bool { return bytes.Contains(head[:min(64, len(head))], []byte("\x12\x07billnet")) }}
	executableFile = kind{"executable", "", ownExecutable}
)

// ownText reports whether a text has what billc notes in all that it writes, and
// what no architecture has that a person wrote.
func ownText(head []byte) bool {
	return bytes.HasPrefix(head, []byte("bill 1\n")) && bytes.Contains(head, []byte("\nmeta \"compiler\" "))
}

// signModule notes in a module that billc wrote it.
func signModule(m *ir.Module) {
	if m.Meta == nil {
		m.Meta = map[string]string{}
	}
	m.Meta["compiler"] = version
}

func ownExecutable(head []byte) bool {
	return slices.ContainsFunc([]string{"\x7fELF", "MZ", "\xcf\xfa\xed\xfe", "\x00asm"}, func(magic string) bool { return strings.HasPrefix(string(head), magic) })
}

// mayWrite reports an output that would replace something else than an earlier
// one of its kind. inputs are the files that the command reads, the model first;
// empty names are passed over.
func mayWrite(out string, k kind, inputs ...string) error {
	if toStandardOutput(out) {
		return nil
	}
	info, err := os.Stat(out)
	if err != nil {
		return nil
	}
	for n, in := range inputs {
		i, err := os.Stat(in)
		switch {
		case in == "" || err != nil || !os.SameFile(i, info):
		case n == 0:
			return withCode(exitUsage, "the output %s is the model itself; name another with -o", out)
		default:
			return withCode(exitUsage, "the output %s is a file that this command reads; name another with -o", out)
		}
	}
	switch {
	case info.IsDir():
		return withCode(exitUsage, "the output %s is a folder; name a file in it with -o", out)
	case !info.Mode().IsRegular() || info.Size() == 0: // a device, a pipe, or nothing to lose
		return nil
	case k.ext != "" && filepath.Ext(out) != k.ext:
		return withCode(exitUsage, "the output %s exists, and its name does not end in %s: it may be a file of yours; remove it, or name another with -o", out, k.ext)
	case k.ours != nil && !k.ours(fileHead(out)):
		return withCode(exitUsage, "the output %s exists and is no %s: it may be yours; remove it, or name another with -o", out, k.name)
	}
	return nil
}

// pictureFormat is the format of a picture that a flag names by the ending of a
// file, if the file may be written; inputs are as for mayWrite.
func pictureFormat(flag, out string, inputs ...string) (string, error) {
	format := strings.TrimPrefix(filepath.Ext(out), ".")
	if format != "png" && format != "svg" {
		return "", withCode(exitUsage, "%s %s: expected a name that ends in .png or .svg", flag, out)
	}
	return format, mayWrite(out, kind{"picture", "." + format, nil}, inputs...)
}

// fileHead is the beginning of a file.
func fileHead(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	head := make([]byte, 1<<16)
	n, _ := io.ReadFull(f, head)
	return head[:n]
}

// write writes an output, or prints it when its name is -.
func (s *streams) write(path string, data []byte) error {
	if toStandardOutput(path) {
		return s.out.Raw(data)
	}
	return atomicfile.WriteBytes(path, data)
}

// writeFrom is write for data that write gives to a writer.
func (s *streams) writeFrom(path string, write func(io.Writer) error) error {
	if toStandardOutput(path) {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return err
		}
		return s.out.Raw(b.Bytes())
	}
	return atomicfile.Write(path, write)
}

// writeText writes a module as text. On standard output all constants are in the
// text.
func (s *streams) writeText(path string, m *ir.Module) error {
	if !toStandardOutput(path) {
		return bill.WriteFile(path, m)
	}
	return s.out.Raw([]byte(ir.PrintWhole(m)))
}

// writeExecutable is write for a program.
func (s *streams) writeExecutable(path string, data []byte) error {
	if toStandardOutput(path) {
		return s.out.Raw(data)
	}
	return atomicfile.WriteProgram(path, data)
}

// wrote says what was written, unless it was printed.
func (s *streams) wrote(path, format string, args ...any) {
	if !toStandardOutput(path) {
		fmt.Fprintf(s.err, "wrote %s"+format+"\n", append([]any{path}, args...)...)
	}
}

// replacePackage makes a folder of a generated package, in place of one that
// holds nothing else than what was generated before.
func replacePackage(dir string, files map[string][]byte) error {
	if err := onlyGenerated(dir); err != nil {
		return err
	}
	return atomicfile.WriteFolder(dir, files)
}

// onlyGenerated reports a folder with a file that is not of a generated package.
func onlyGenerated(dir string) error {
	info, err := os.Stat(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return withCode(exitUsage, "the output %s is a file, expected a folder to make", dir)
	}
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !isGenerated(path, e) {
			name, _ := filepath.Rel(dir, path)
			err = withCode(exitUsage, "the folder %s holds %s, which billc did not generate: it may be yours; remove it, or name another folder with -o", dir, name)
		}
		return err
	})
}

func isGenerated(path string, e fs.DirEntry) bool {
	if !e.Type().IsRegular() {
		return false
	}
	if slices.Contains([]string{"weights.bin", "golden.bin", "certificate.bin"}, e.Name()) {
		return true
	}
	head := fileHead(path)
	return bytes.HasPrefix(head, []byte(gosrc.Header)) || bytes.Contains(head[:min(len(head), 512)], []byte(c.Header))
}

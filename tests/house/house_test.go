// Package house_test checks which packages may import which.
package house_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/billnet/billnet/"

// exactPasses are the exact passes with what they stand on: the engine, analyses,
// cells and reports.
var exactPasses = []string{"passes", "passes/analysis", "passes/hardcell", "passes/report", "passes/exact"}

// allowed lists, for every room, the rooms of ours that it may import, and
// whether it may import anything but the standard library besides.
var allowed = map[string]struct {
	rooms  []string
	others []string // prefixes of other modules; nil: none, "": any
}{
	"ir":                   {nil, nil},
	"internal/plain":       {nil, nil},
	"internal/infile":      {nil, nil},
	"internal/atomicfile":  {nil, nil},
	"internal/suggest":     {nil, nil},
	"internal/release":     {nil, nil},
	"internal/spec":        {nil, []string{"github.com/alecthomas/participle/v2"}},
	"frontend/bill":        {[]string{"ir"}, []string{"github.com/alecthomas/participle/v2"}},
	"frontend/onnx":        {[]string{"ir", "frontend/onnx/onnxpb"}, []string{""}},
	"frontend/onnx/onnxpb": {nil, []string{"google.golang.org/protobuf"}},
	"passes":               {[]string{"internal/spec", "ir"}, []string{"github.com/alecthomas/participle/v2"}},
	"passes/analysis":      {[]string{"ir"}, nil},
	"passes/hardcell":      {[]string{"ir"}, nil},
	"passes/report":        {[]string{"internal/spec", "ir", "passes", "passes/analysis"}, []string{"github.com/alecthomas/participle/v2"}},
	"passes/exact":         {[]string{"internal/spec", "ir", "passes", "passes/analysis", "passes/hardcell", "passes/report"}, []string{"github.com/alecthomas/participle/v2"}},
	"passes/lossy":         {[]string{"internal/spec", "ir", "passes", "passes/analysis", "passes/hardcell", "passes/report"}, []string{"gonum.org/v1/gonum", "github.com/alecthomas/participle/v2"}},
	"passes/packed":        {[]string{"internal/spec", "ir", "passes", "passes/analysis", "passes/report"}, []string{"github.com/alecthomas/participle/v2"}},
	"passes/streaming":     {append([]string{"internal/spec", "ir", "passes/packed"}, exactPasses...), []string{"github.com/alecthomas/participle/v2"}},
	"passes/pipeline":      {append([]string{"internal/spec", "ir", "passes/lossy", "passes/packed"}, exactPasses...), []string{"gonum.org/v1/gonum", "github.com/alecthomas/participle/v2"}},
	"verify":               {[]string{"internal/spec", "ir", "passes", "passes/analysis", "passes/report", "codegen/bytecode", "runtime", "runtime/billb", "runtime/kernels", "runtime/clip"}, []string{""}},
	"codegen/bytecode":     {[]string{"ir", "runtime", "runtime/billb", "runtime/kernels"}, nil},
	"codegen/c":            {[]string{"ir", "codegen/bytecode", "runtime", "runtime/billb", "runtime/kernels"}, nil},
	"codegen/gosrc":        {[]string{"internal/runner", "runtime", "runtime/billb", "runtime/kernels", "runtime/clip"}, nil}, // whose sources it copies
	"internal/runner":      {[]string{"runtime", "runtime/billb", "runtime/kernels", "runtime/clip"}, nil},
	"runtime":              {[]string{"runtime/billb", "runtime/kernels"}, nil},
	"runtime/billb":        {[]string{"runtime/kernels"}, nil},
	"runtime/kernels":      {nil, nil},
	"runtime/clip":         {nil, nil},
	"train/data":           {[]string{"internal/spec", "runtime/clip", "train/picture"}, []string{""}}, // fonts and plots
	"train/picture":        {nil, []string{""}},
	"train":                {append([]string{"internal/spec", "ir", "train/gemm", "train/vec"}, exactPasses...), []string{"gonum.org/v1/gonum", "github.com/alecthomas/participle/v2", "golang.org/x/sys/cpu"}},
	"train/gemm":           {nil, []string{"golang.org/x/sys/cpu"}},
	"train/vec":            {nil, []string{"golang.org/x/sys/cpu"}},
	"train/recipe":         {append([]string{"internal/spec", "ir", "passes/lossy", "passes/packed", "passes/pipeline", "runtime/clip", "train", "train/data", "train/gemm", "train/picture", "train/vec"}, exactPasses...), []string{""}}, // plots
	"cmd/billrun":          {[]string{"internal/release", "internal/runner", "runtime", "runtime/billb", "runtime/kernels", "runtime/clip"}, nil},
}

// leaves may be imported by every room but the runtime and ir.
var leaves = []string{"internal/atomicfile", "internal/infile", "internal/plain", "internal/suggest"}

func TestImports(t *testing.T) {
	for room, may := range allowed {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", module+room).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", room, err)
		}
		for dep := range strings.FieldsSeq(string(out)) {
			ours, isOurs := strings.CutPrefix(dep, module)
			switch {
			case dep == module+room:
			case isOurs && slices.Contains(leaves, ours) && room != "ir" && !strings.HasPrefix(room, "runtime"):
			case isOurs && !contains(may.rooms, func(r string) bool { return r == ours }):
				t.Errorf("%s imports %s, it may import %v of ours", room, ours, may.rooms)
			case !isOurs && !contains(may.others, func(p string) bool { return strings.HasPrefix(dep, p) }):
				t.Errorf("%s imports %s, it may import %v besides the standard library", room, dep, may.others)
			}
		}
	}
}

func contains(list []string, ok func(string) bool) bool {
	for _, s := range list {
		if ok(s) {
			return true
		}
	}
	return false
}

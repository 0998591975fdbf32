package shared

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// ErrNoChecker says that there is no Python with the onnx package.
var ErrNoChecker = errors.New("no Python with onnx (set BILLNET_PYTHON to one)")

// checkScript reads a model, checks it with shape inference, and prints nothing.
const checkScript = `
import sys, onnx
for path in sys.argv[1:]:
    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as e:
        print(path + ": " + " ".join(str(e).split()))
`

// python returns the Python that has onnx: BILLNET_PYTHON, or python3.
var python = sync.OnceValue(func() string {
	name := os.Getenv("BILLNET_PYTHON")
	if name == "" {
		name = "python3"
	}
	if exec.Command(name, "-c", "import onnx").Run() != nil {
		return ""
	}
	return name
})

// HasChecker reports whether CheckONNX can check anything.
func HasChecker() bool { return python() != "" }

// CheckONNX asks the official checker, with full shape inference, whether ONNX
// files are well formed; ErrNoChecker where it is not there.
func CheckONNX(ctx context.Context, paths ...string) error {
	name := python()
	if name == "" {
		return ErrNoChecker
	}
	out, err := exec.CommandContext(ctx, name, append([]string{"-c", checkScript}, paths...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("onnx.checker: %w: %s", err, out)
	}
	if text := strings.TrimSpace(string(out)); text != "" {
		return fmt.Errorf("onnx.checker: %s", text)
	}
	return nil
}

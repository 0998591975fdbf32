package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/billnet/billnet/ir"
)

// byName are the rooms and files in which operations have names: the text form,
// which reads and prints them, the runtime, whose instructions have names of
// their own, and the register.
var byName = []string{"frontend/bill/", "runtime/", "codegen/gosrc/", "ir/op.go"}

// instructionCalls are the functions of code generation that take the name of an
// instruction first.
var instructionCalls = []string{"emit", "instruction"}

// TestOperationNames: Go code names an operation by its handle, so that the
// compiler knows a wrong name. Names of operations are not compared, looked up or
// used as keys; a literal that can be nothing but a name is one in the
// operation's own file only.
func TestOperationNames(t *testing.T) {
	fset := token.NewFileSet()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		if slices.ContainsFunc(byName, func(room string) bool { return strings.HasPrefix(name, room) }) {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		c := &nameCheck{file: name}
		ast.Inspect(f, c.visit)
		for _, at := range c.found {
			t.Errorf("%s:%d: an operation is named by a string, expected its handle such as ir.Conv", name, fset.Position(at).Line)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNameCheck: the check finds what it is there for.
func TestNameCheck(t *testing.T) {
	for body, want := range map[string]int{
		`_ = n.Op.Name == "conv"`:                           1,
		`_ = op.Name != "nothing_of_the_kind"`:              1,
		`switch n.Op.Name { case "flatten", "conv": }`:      2,
		`_ = ir.Lookup("conv")`:                             1,
		`_ = table[n.Op.Name]`:                              1,
		`_ = map[string]bool{"add": true, "sub": true}`:     1,
		`_ = []string{"reduce_mean"}`:                       1,
		`e.instruction("reduce_mean", y)`:                   0,
		`_ = fmt.Sprint(n.Op.Name)`:                         0,
		`_ = n.Ints("pad")`:                                 0,
		`_ = map[string]any{"pad": 1}`:                      0,
		`_ = map[string]int{"relu": 0, "scaledtanh": 1}`:    0,
		`switch n.Op { case ir.Conv: }; _ = n.Op == ir.Add`: 0,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc f() {\n"+body+"\n}", 0)
		if err != nil {
			t.Fatal(err)
		}
		c := &nameCheck{file: "passes/x.go"}
		ast.Inspect(f, c.visit)
		if len(c.found) != want {
			t.Errorf("%s: found %d names, expected %d", body, len(c.found), want)
		}
	}
}

// nameCheck collects the places where a file names operations by strings.
type nameCheck struct {
	file    string
	found   []token.Pos
	allowed map[*ast.BasicLit]bool
}

func (c *nameCheck) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CompositeLit:
		c.composite(n)
	case *ast.BinaryExpr:
		if n.Op == token.EQL || n.Op == token.NEQ {
			c.compared(n.X, n.Y)
			c.compared(n.Y, n.X)
		}
	case *ast.SwitchStmt:
		if n.Tag == nil || !isOpName(n.Tag) {
			break
		}
		for _, s := range n.Body.List {
			for _, e := range s.(*ast.CaseClause).List {
				c.found = append(c.found, e.Pos())
			}
		}
	case *ast.IndexExpr:
		if isOpName(n.Index) {
			c.found = append(c.found, n.Pos())
		}
	case *ast.CallExpr:
		c.call(n)
	case *ast.BasicLit:
		// A word of its own such as "pad" may be an attribute; one made of several is a name.
		if s := literal(n); strings.Contains(s, "_") && ir.Lookup(s) != nil && !c.allowed[n] {
			c.found = append(c.found, n.Pos())
		}
	}
	return true
}

func (c *nameCheck) allow(e ast.Expr) {
	if l, ok := e.(*ast.BasicLit); ok {
		if c.allowed == nil {
			c.allowed = map[*ast.BasicLit]bool{}
		}
		c.allowed[l] = true
	}
}

func (c *nameCheck) compared(name, with ast.Expr) {
	if isOpName(name) && literal(with) != "" {
		c.allow(with)
		c.found = append(c.found, name.Pos())
	}
}

func (c *nameCheck) call(n *ast.CallExpr) {
	f, ok := n.Fun.(*ast.SelectorExpr)
	if !ok || len(n.Args) == 0 {
		return
	}
	switch pkg, _ := f.X.(*ast.Ident); {
	case f.Sel.Name == "Lookup" && pkg != nil && pkg.Name == "ir" && literal(n.Args[0]) != "":
		c.found = append(c.found, n.Pos())
		c.allow(n.Args[0])
	case slices.Contains(instructionCalls, f.Sel.Name):
		c.allow(n.Args[0])
	}
}

// composite looks at an operation's own literal, a table of code generation
// whose instructions have names, and maps that are keyed by operations alone.
func (c *nameCheck) composite(n *ast.CompositeLit) {
	inOp := strings.HasPrefix(c.file, "ir/op_") // whose attributes may have such values
	names := 0
	for _, e := range n.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return
		}
		if inOp && isIdent(n.Type, "Op") && isIdent(kv.Key, "Name") || strings.HasPrefix(c.file, "codegen/bytecode/") && isIdent(kv.Key, "op") {
			c.allow(kv.Value)
		}
		if ir.Lookup(literal(kv.Key)) != nil {
			names++
			c.allow(kv.Key)
		}
	}
	if m, ok := n.Type.(*ast.MapType); ok && !inOp && names > 1 && names == len(n.Elts) && !isIdent(m.Value, "any") {
		c.found = append(c.found, n.Pos())
	}
}

// isOpName reports whether an expression is the name of an operation: x.Op.Name
// or op.Name.
func isOpName(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Name" {
		return false
	}
	if x, ok := s.X.(*ast.SelectorExpr); ok {
		return x.Sel.Name == "Op"
	}
	return isIdent(s.X, "op")
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(l.Value)
	return s
}

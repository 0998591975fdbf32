package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/billnet/billnet/runtime/billb"
)

// eachSource calls f for the Go files of the repository.
func eachSource(t *testing.T, f func(path string, set *token.FileSet, file *ast.File)) {
	t.Helper()
	const root = "../.."
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err == nil {
			f(filepath.ToSlash(rel), set, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestExportedVariables checks that no package can change another's variables.
// What is exported is an error that others compare with, or a handle: an operation
// or a pass, which is registered once and read.
func TestExportedVariables(t *testing.T) {
	handle := func(v ast.Expr) bool {
		switch v := v.(type) {
		case *ast.CallExpr:
			f, ok := v.Fun.(*ast.Ident)
			return ok && f.Name == "register"
		case *ast.UnaryExpr:
			c, ok := v.X.(*ast.CompositeLit)
			if !ok {
				return false
			}
			s, ok := c.Type.(*ast.SelectorExpr)
			return ok && s.Sel.Name == "Pass"
		}
		return false
	}
	seen := 0
	eachSource(t, func(path string, set *token.FileSet, file *ast.File) {
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".pb.go") || file.Name.Name == "main" {
			return
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for i, n := range v.Names {
					if !n.IsExported() {
						continue
					}
					seen++
					if !strings.HasPrefix(n.Name, "Err") && (i >= len(v.Values) || !handle(v.Values[i])) {
						t.Errorf("%s: %s is a variable that every package can change: make it a constant or a function", set.Position(n.Pos()), n.Name)
					}
				}
			}
		}
	})
	if seen == 0 {
		t.Error("no exported variable was found, not even the kinds of errors")
	}
}

// TestNamedParameters checks that instructions are read by the names of their
// parameters and operands. They hold no list of numbers that could be indexed, only
// the schema makes parameters of numbers, and what stands where among constants is
// asked for by name outside of the package that executes them.
func TestNamedParameters(t *testing.T) {
	for f := range reflect.TypeFor[billb.Instr]().Fields() {
		if k := f.Type.Kind(); k == reflect.Slice && f.Name != "In" && f.Name != "Out" && f.Name != "Const" {
			t.Errorf("billb.Instr has a list %s: parameters have names", f.Name)
		}
	}
	eachSource(t, func(path string, set *token.FileSet, file *ast.File) {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "runtime/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "billb" && n.Sel.Name == "NewParams" {
					t.Errorf("%s: parameters are made of numbers: use the operation's struct", set.Position(n.Pos()))
				}
			case *ast.IndexExpr:
				list, ok := n.X.(*ast.SelectorExpr)
				index, isLit := n.Index.(*ast.BasicLit)
				if ok && isLit && (list.Sel.Name == "Ints" || list.Sel.Name == "Floats" || list.Sel.Name == "Const") {
					t.Errorf("%s: %s[%s]: ask for it by its name", set.Position(n.Pos()), list.Sel.Name, index.Value)
				}
			}
			return true
		})
	})
}

// TestOperationsDescribed checks that every operation of the machine has its
// contract and equation above its literal.
func TestOperationsDescribed(t *testing.T) {
	described := 0
	eachSource(t, func(path string, set *token.FileSet, file *ast.File) {
		if filepath.Dir(path) != "runtime/billb" {
			return
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if v.Names[0].Name != "_" || len(v.Values) != 1 {
					continue
				}
				if v.Doc == nil || len(v.Doc.Text()) < 10 {
					t.Errorf("%s: an operation without a description", set.Position(v.Pos()))
				}
				described++
			}
		}
	})
	if n := len(billb.Ops()); described != n {
		t.Errorf("%d literals for %d operations", described, n)
	}
}

package gosrc

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A library is the source of some packages, cut into units that can be copied
// into one package together.
//
// It knows the syntax of its packages only: no types, and no build
// configuration, so that all files of a package are one whatever they are for.
// An identifier counts as a mention of the package-level name it is spelled
// like, unless it stands where only a field, a method or a label can stand.
// Where a local variable is spelled like such a name, a unit is copied that
// would not be needed, and both are renamed, which changes nothing.
type library struct {
	packages []*sourcePackage
	spelled  map[string]bool // all identifiers
}

type sourcePackage struct {
	path    string // import path
	name    string
	prefix  string // of new names
	files   []*sourceFile
	decls   map[string][]*unit // package-level names; several where build constraints choose
	methods map[string][]*unit // of a type
	fields  map[string]bool    // names of fields, of all structs
	rename  map[string]string
}

// sourceFile is a file of Go or assembly.
type sourceFile struct {
	pkg        *sourcePackage
	name       string
	src        []byte
	constraint string            // the line of the build constraint, or ""
	imports    map[string]string // local name to path
	units      []*unit
}

// unit is a declaration, or one line of a grouped declaration that has a
// meaning of its own; or a function or the data of a name in assembly.
type unit struct {
	file       *sourceFile
	start, end int
	keyword    string   // "var", "const", "type" for a line of a group
	names      []string // package-level names that it declares; "_" for a blank variable
	method     string   // the name, of a method
	mentions   []mention
	selectors  map[string]bool // names after a dot
	imports    map[string]bool // local names of packages that are none of ours
}

// mention is an identifier of a package-level name, with its qualifier.
type mention struct {
	start, end int
	pkg        *sourcePackage
	name       string
}

// add reads the files of a package, without tests. It may import those added
// before it.
func (l *library) add(importPath, prefix string, files fs.FS) error {
	p := &sourcePackage{path: importPath, name: path.Base(importPath), prefix: prefix,
		decls: map[string][]*unit{}, methods: map[string][]*unit{}, fields: map[string]bool{}, rename: map[string]string{}}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	var parsed []*ast.File
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		src, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return err
		}
		f := &sourceFile{pkg: p, name: e.Name(), src: src, imports: map[string]string{}}
		if strings.HasSuffix(e.Name(), ".s") {
			f.readAssembly()
			p.files = append(p.files, f)
			continue
		}
		tree, err := parser.ParseFile(set, e.Name(), src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f.readHead(tree)
		p.files = append(p.files, f)
		parsed = append(parsed, tree)
		f.cut(set, tree)
		l.spell(p, tree)
	}
	for _, f := range p.files {
		for _, u := range f.units {
			for _, n := range u.names {
				p.decls[n] = append(p.decls[n], u)
			}
		}
	}
	i := 0
	for _, f := range p.files {
		if strings.HasSuffix(f.name, ".s") {
			continue
		}
		l.findMentions(f, set, parsed[i])
		i++
	}
	l.packages = append(l.packages, p)
	return nil
}

// readHead reads the build constraint and the imports.
func (f *sourceFile) readHead(tree *ast.File) {
	for _, g := range tree.Comments {
		for _, c := range g.List {
			if c.Pos() < tree.Package && constraint.IsGoBuild(c.Text) {
				f.constraint = c.Text
			}
		}
	}
	for _, s := range tree.Imports {
		importPath, _ := strconv.Unquote(s.Path.Value)
		name := path.Base(importPath)
		if name == "v2" { // math/rand/v2
			name = path.Base(path.Dir(importPath))
		}
		if s.Name != nil {
			name = s.Name.Name
		}
		f.imports[name] = importPath
	}
}

// cut makes the units of a file.
func (f *sourceFile) cut(set *token.FileSet, tree *ast.File) {
	at := func(p token.Pos) int { return set.Position(p).Offset }
	add := func(n ast.Node, doc *ast.CommentGroup, u *unit) *unit {
		u.file, u.start, u.end = f, at(n.Pos()), at(n.End())
		if doc != nil {
			u.start = at(doc.Pos())
		}
		u.selectors, u.imports = map[string]bool{}, map[string]bool{}
		f.units = append(f.units, u)
		return u
	}
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			u := add(d, d.Doc, &unit{})
			if d.Recv == nil {
				u.names = []string{d.Name.Name}
				continue
			}
			u.method = d.Name.Name
			t := receiver(d)
			f.pkg.methods[t] = append(f.pkg.methods[t], u)
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				continue
			}
			if !d.Lparen.IsValid() || !separable(d) {
				u := add(d, d.Doc, &unit{})
				for _, s := range d.Specs {
					u.names = append(u.names, specNames(s)...)
				}
				continue
			}
			for _, s := range d.Specs {
				u := add(s, specDoc(s), &unit{keyword: d.Tok.String(), names: specNames(s)})
				if c := specComment(s); c != nil {
					u.end = at(c.End())
				}
			}
		}
	}
}

// separable reports whether every line of a group means the same alone: not
// where constants count or repeat.
func separable(d *ast.GenDecl) bool {
	if d.Tok != token.CONST {
		return true
	}
	alone := true
	for _, s := range d.Specs {
		alone = alone && s.(*ast.ValueSpec).Values != nil
	}
	ast.Inspect(d, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "iota" {
			alone = false
		}
		return true
	})
	return alone
}

func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch e := t.(type) {
		case *ast.StarExpr:
			t = e.X
		case *ast.IndexExpr:
			t = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

func specNames(s ast.Spec) []string {
	switch s := s.(type) {
	case *ast.TypeSpec:
		return []string{s.Name.Name}
	case *ast.ValueSpec:
		var names []string
		for _, id := range s.Names {
			names = append(names, id.Name)
		}
		return names
	}
	return nil
}

func specDoc(s ast.Spec) *ast.CommentGroup {
	switch s := s.(type) {
	case *ast.TypeSpec:
		return s.Doc
	case *ast.ValueSpec:
		return s.Doc
	}
	return nil
}

func specComment(s ast.Spec) *ast.CommentGroup {
	switch s := s.(type) {
	case *ast.TypeSpec:
		return s.Comment
	case *ast.ValueSpec:
		return s.Comment
	}
	return nil
}

// spell notes the identifiers of a file, and which of them are fields.
func (l *library) spell(p *sourcePackage, tree *ast.File) {
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			l.spelled[n.Name] = true
		case *ast.StructType:
			for _, f := range n.Fields.List {
				for _, id := range f.Names {
					p.fields[id.Name] = true
				}
			}
		}
		return true
	})
}

// findMentions fills in what the units of a file mention. The names of its
// package must be known.
func (l *library) findMentions(f *sourceFile, set *token.FileSet, tree *ast.File) {
	m := &mentioner{l: l, f: f, set: set}
	for _, d := range tree.Decls {
		ast.Walk(m, d)
	}
}

// mentioner is a visitor of a file's syntax.
type mentioner struct {
	l   *library
	f   *sourceFile
	set *token.FileSet
}

// unit is the unit that holds a node, nil for imports.
func (m *mentioner) unit(n ast.Node) *unit {
	at := m.set.Position(n.Pos()).Offset
	i := slices.IndexFunc(m.f.units, func(u *unit) bool { return u.start <= at && at < u.end })
	if i < 0 {
		return nil
	}
	return m.f.units[i]
}

func (m *mentioner) mention(n ast.Node, p *sourcePackage, name string) {
	if u := m.unit(n); u != nil {
		u.mentions = append(u.mentions, mention{m.set.Position(n.Pos()).Offset, m.set.Position(n.End()).Offset, p, name})
	}
}

func (m *mentioner) walk(nodes ...ast.Node) {
	for _, n := range nodes {
		ast.Walk(m, n)
	}
}

// Visit notes an identifier, and walks around those that are fields, methods,
// labels or qualified.
func (m *mentioner) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.Ident:
		if m.f.pkg.decls[n.Name] != nil && n.Name != "_" && n.Name != "init" {
			m.mention(n, m.f.pkg, n.Name)
		}
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && m.f.imports[x.Name] != "" {
			if p := m.l.lookup(m.f.imports[x.Name]); p != nil {
				m.mention(n, p, n.Sel.Name)
			} else if u := m.unit(n); u != nil {
				u.imports[x.Name] = true
			}
			return nil
		}
		if u := m.unit(n); u != nil {
			u.selectors[n.Sel.Name] = true
		}
		m.walk(n.X)
		return nil
	case *ast.StructType:
		for _, f := range n.Fields.List {
			m.walk(f.Type)
		}
		return nil
	case *ast.InterfaceType:
		for _, f := range n.Methods.List {
			if u := m.unit(n); u != nil && len(f.Names) == 1 {
				u.selectors[f.Names[0].Name] = true
			}
			m.walk(f.Type)
		}
		return nil
	case *ast.FuncDecl:
		if n.Recv == nil {
			m.walk(n.Name)
		} else {
			m.walk(n.Recv)
		}
		m.walk(n.Type)
		if n.Body != nil {
			m.walk(n.Body)
		}
		return nil
	case *ast.KeyValueExpr:
		// The key is a field, of a struct of this package or of one that it
		// imports, or an index that is a constant.
		isField := func(name string) bool {
			return m.f.pkg.fields[name] || slices.ContainsFunc(m.l.packages, func(p *sourcePackage) bool { return p.fields[name] })
		}
		if id, ok := n.Key.(*ast.Ident); !ok || !isField(id.Name) {
			m.walk(n.Key)
		}
		m.walk(n.Value)
		return nil
	case *ast.BranchStmt:
		return nil
	case *ast.LabeledStmt:
		m.walk(n.Stmt)
		return nil
	}
	return m
}

func (l *library) lookup(importPath string) *sourcePackage {
	for _, p := range l.packages {
		if p.path == importPath {
			return p
		}
	}
	return nil
}

// need is a package-level name that a copy must have.
type need struct {
	pkg  *sourcePackage
	name string
}

// reach returns all units that the needed names lead to. A method is reached
// when its type is, and its name stands after a dot in a unit or in selectors,
// or is one that package fmt looks for. keep says which blank variables and
// functions init are needed.
func (l *library) reach(needs []need, selectors map[string]bool, keep func(u *unit) bool) (map[*unit]bool, error) {
	kept := map[*unit]bool{}
	done := map[need]bool{}
	selected := map[string]bool{"Error": true, "String": true, "Unwrap": true}
	maps.Copy(selected, selectors)
	var types []need
	var take func(u *unit)
	visit := func(n need) {
		if done[n] {
			return
		}
		done[n] = true
		types = append(types, n)
		for _, u := range n.pkg.decls[n.name] {
			take(u)
		}
	}
	take = func(u *unit) {
		if kept[u] {
			return
		}
		kept[u] = true
		for s := range u.selectors {
			selected[s] = true
		}
		for _, m := range u.mentions {
			visit(need{m.pkg, m.name})
		}
	}
	for _, n := range needs {
		if n.pkg.decls[n.name] == nil {
			return nil, fmt.Errorf("BUG: package %s has no %s", n.pkg.name, n.name)
		}
		visit(n)
	}
	for _, p := range l.packages {
		for _, u := range slices.Concat(p.decls["_"], p.decls["init"]) {
			if keep(u) {
				take(u)
			}
		}
	}
	for before := -1; before < len(kept); {
		before = len(kept)
		for _, t := range types {
			for _, u := range t.pkg.methods[t.name] {
				if selected[u.method] {
					take(u)
				}
			}
		}
	}
	return kept, nil
}

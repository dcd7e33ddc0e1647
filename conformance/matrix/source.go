package matrix

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Source is the tree of files that rows name. It parses each Go file once.
type Source struct {
	root  string
	files map[string]*file
}

// file is a source file: the text, and for Go the extent of each declaration
// with its comments.
type file struct {
	text  string
	decls map[string]extent
}

type extent struct{ from, to, line int }

var errMissing = errors.New("not there")

// NewSource reads files below a root folder, which holds go.mod.
func NewSource(root string) *Source { return &Source{root, map[string]*file{}} }

// Module is the module's path, from go.mod.
func (s *Source) Module() (string, error) {
	b, err := os.ReadFile(filepath.Join(s.root, "go.mod"))
	if err != nil {
		return "", fmt.Errorf("matrix: run it in the source tree: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	name, ok := strings.CutPrefix(line, "module ")
	if !ok {
		return "", errors.New("matrix: go.mod does not begin with its module")
	}
	return strings.TrimSpace(name), nil
}

func (s *Source) file(path string) (*file, error) {
	if f, ok := s.files[path]; ok {
		return f, nil
	}
	if !filepath.IsLocal(path) {
		return nil, fmt.Errorf("%s: outside the tree", path)
	}
	b, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(path)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, errMissing)
	}
	f := &file{text: string(b), decls: map[string]extent{}}
	if strings.HasSuffix(path, ".go") {
		if err := f.parse(path, b); err != nil {
			return nil, err
		}
	}
	s.files[path] = f
	return f, nil
}

func (f *file) parse(path string, b []byte) error {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, path, b, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	put := func(name string, node ast.Node, docs ...*ast.CommentGroup) {
		e := extent{set.Position(node.Pos()).Offset, set.Position(node.End()).Offset, set.Position(node.Pos()).Line}
		for _, d := range docs {
			if d != nil {
				e.from, e.to = min(e.from, set.Position(d.Pos()).Offset), max(e.to, set.Position(d.End()).Offset)
			}
		}
		f.decls[name] = e
	}
	if tree.Doc != nil {
		put("package", tree.Name, tree.Doc)
	}
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			put(funcName(d), d, d.Doc)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				putSpec(put, d, spec)
			}
		}
	}
	return nil
}

func putSpec(put func(string, ast.Node, ...*ast.CommentGroup), d *ast.GenDecl, spec ast.Spec) {
	var outer *ast.CommentGroup
	if len(d.Specs) == 1 {
		outer = d.Doc // of a group it tells of all and proves nothing of one
	}
	switch s := spec.(type) {
	case *ast.TypeSpec:
		put(s.Name.Name, s, s.Doc, s.Comment, outer)
	case *ast.ValueSpec:
		for _, n := range s.Names {
			put(n.Name, s, s.Doc, s.Comment, outer)
		}
	}
}

func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	t := d.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	switch g := t.(type) { // receivers of generic types
	case *ast.IndexExpr:
		t = g.X
	case *ast.IndexListExpr:
		t = g.X
	}
	if n, ok := t.(*ast.Ident); ok {
		return n.Name + "." + d.Name.Name
	}
	return d.Name.Name
}

// Cites finds a place and checks that what stands there names the id. It
// returns the line.
func (s *Source) Cites(p Place, id string) (int, error) {
	text, line, err := s.find(p)
	if err == nil && !names(text, id) {
		err = fmt.Errorf("%s does not cite %s", p, id)
	}
	return line, err
}

// Has checks that a place exists.
func (s *Source) Has(p Place) error {
	_, _, err := s.find(p)
	return err
}

// find returns the text that stands for a place: of a Go declaration its own
// extent, of another file the whole.
func (s *Source) find(p Place) (text string, line int, err error) {
	f, err := s.file(p.File)
	if err != nil {
		return "", 0, err
	}
	if !strings.HasSuffix(p.File, ".go") {
		at := strings.Index(f.text, p.Symbol)
		if at < 0 {
			return "", 0, fmt.Errorf("%s: %w", p, errMissing)
		}
		return f.text, 1 + strings.Count(f.text[:at], "\n"), nil
	}
	e, ok := f.decls[p.Symbol]
	if !ok {
		return "", 0, fmt.Errorf("%s: %w", p, errMissing)
	}
	return f.text[e.from:e.to], e.line, nil
}

// names tells whether a text has the id, with or without its dash (as in names
// of tests), and not as the beginning of something longer.
func names(text, id string) bool {
	short := strings.Replace(id, "-", "", 1)
	return regexp.MustCompile(`(?:` + id + `|` + short + `)(?:[^0-9]|$)`).MatchString(text)
}

// TestCites finds the function of a test among the test files of its package
// and checks that it names the id. It returns file and line.
func (s *Source) TestCites(t Test, id string) (string, int, error) {
	dir := filepath.Join(s.root, filepath.FromSlash(t.Package))
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		return "", 0, fmt.Errorf("%s: package has no tests", t)
	}
	for _, path := range files {
		rel := t.Package + "/" + filepath.Base(path)
		f, err := s.file(rel)
		if err != nil {
			return "", 0, err
		}
		e, ok := f.decls[t.Func()]
		if !ok {
			continue
		}
		if !names(f.text[e.from:e.to], id) {
			return rel, e.line, fmt.Errorf("%s (%s:%d) does not cite %s", t, rel, e.line, id)
		}
		return rel, e.line, nil
	}
	return "", 0, fmt.Errorf("%s: %w", t, errMissing)
}

var (
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	notSlug = regexp.MustCompile(`[^a-z0-9 -]`)
	target  = regexp.MustCompile(`^make ([a-z]+)$`)
)

// Evidence checks that a document section or command exists. Commands of
// assent are not looked at here: the documents' own test runs them.
func (s *Source) Evidence(e Evidence) error {
	if e.Kind == "cmd" {
		m := target.FindStringSubmatch(e.Text)
		if m == nil {
			if strings.HasPrefix(e.Text, "assent ") {
				return nil
			}
			return fmt.Errorf("%s: want a make target or a command of assent", e)
		}
		f, err := s.file("Makefile")
		if err != nil || !strings.Contains(f.text, "\n"+m[1]+":") {
			return fmt.Errorf("%s: %w", e, errMissing)
		}
		return nil
	}
	path, section, _ := strings.Cut(e.Text, "#")
	f, err := s.file(path)
	if err != nil {
		return err
	}
	for _, m := range heading.FindAllStringSubmatch(f.text, -1) {
		if slug(m[1]) == section {
			return nil
		}
	}
	return fmt.Errorf("%s: the document has no such section", e)
}

// slug is the anchor that a heading gets where Markdown is shown.
func slug(title string) string {
	return strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}

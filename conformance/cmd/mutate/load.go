package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// pack is the package that is mutated, with its types.
type pack struct {
	root    string // of the module
	dir     string
	path    string
	imports types.Importer
	fset    *token.FileSet
	files   []*source
	info    *types.Info
	types   *types.Package
	mutants []*mutant
	broken  int // mutants that do not compile
}

// source is one file of it.
type source struct {
	name  string // full path
	short string // below the module's root
	text  []byte
	ast   *ast.File
	sites map[span]*site
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath, Dir, Name, Export string
	GoFiles                       []string
	DepOnly                       bool
	ImportMap                     map[string]string
	Module                        *struct{ Dir string }
}

// load parses and type-checks a package; what it imports is read from the
// compiler's export data.
func load(ctx context.Context, target string) (*pack, error) {
	all, err := goList(ctx, target)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	var own *listed
	for i, l := range all {
		exports[l.ImportPath] = l.Export
		if !l.DepOnly && !slices.Contains(switchImports, l.ImportPath) {
			if own != nil {
				return nil, fmt.Errorf("%s is more than one package", target)
			}
			own = &all[i]
		}
	}
	if own == nil || own.Module == nil || len(own.GoFiles) == 0 {
		return nil, fmt.Errorf("%s is no package of a module", target)
	}
	p := &pack{root: own.Module.Dir, dir: own.Dir, path: own.ImportPath, fset: token.NewFileSet()}
	p.imports = importer.ForCompiler(p.fset, "gc", func(path string) (io.ReadCloser, error) {
		if mapped, ok := own.ImportMap[path]; ok {
			path = mapped
		}
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	for _, name := range own.GoFiles {
		s := &source{name: filepath.Join(own.Dir, name), sites: map[span]*site{}}
		s.short = relative(p.root, s.name)
		if s.text, err = os.ReadFile(s.name); err != nil {
			return nil, err
		}
		p.files = append(p.files, s)
	}
	return p, p.check()
}

// switchImports is what the switches need besides the package's own imports.
var switchImports = []string{"os", "strconv", "sync/atomic"}

func goList(ctx context.Context, target string) ([]listed, error) {
	args := append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Name,Export,GoFiles,DepOnly,ImportMap,Module", target}, switchImports...)
	cmd := exec.CommandContext(ctx, "go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w\n%s", target, err, stderr.Bytes())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
}

// check parses and type-checks the sources as they are.
func (p *pack) check() error {
	p.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	var files []*ast.File
	for _, s := range p.files {
		f, err := parser.ParseFile(p.fset, s.name, s.text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.ast = f
		files = append(files, f)
	}
	conf := types.Config{Importer: p.imports}
	var err error
	p.types, err = conf.Check(p.path, p.fset, files, p.info)
	return err
}

// compiles tells whether the package type-checks with the switches of some
// mutants in it.
func (p *pack) compiles(in func(*mutant) bool) bool {
	fset := token.NewFileSet()
	var files []*ast.File
	add := func(name string, text []byte) bool {
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		files = append(files, f)
		return err == nil
	}
	for _, s := range p.files {
		if !add(s.name, s.render(in)) {
			return false
		}
	}
	if !add("switch.go", p.switchSource()) {
		return false
	}
	conf := types.Config{Importer: p.imports}
	_, err := conf.Check(p.path, fset, files, nil)
	return err == nil
}

// dropBroken takes out the mutants that do not compile: all are tried together,
// then halves, so that a few bad ones are found quickly.
func (p *pack) dropBroken() {
	bad := map[*mutant]bool{}
	var try func(part []*mutant)
	try = func(part []*mutant) {
		in := map[*mutant]bool{}
		for _, m := range part {
			in[m] = true
		}
		if len(part) == 0 || p.compiles(func(m *mutant) bool { return in[m] }) {
			return
		}
		if len(part) == 1 {
			bad[part[0]] = true
			return
		}
		try(part[:len(part)/2])
		try(part[len(part)/2:])
	}
	try(p.mutants)
	var good []*mutant
	for _, m := range p.mutants {
		if bad[m] {
			m.broken = true
			p.broken++
			continue
		}
		good = append(good, m)
	}
	p.mutants = good
}

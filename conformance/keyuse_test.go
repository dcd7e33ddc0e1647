package conformance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// keyUses is every place of the sources, tests and test suites aside, that leads
// to the use of a signer's key. A new line is a decision: read it against SAP-10.
var keyUses = map[string][]string{
	// What asks a token to sign with a wrapped key: the activation, and the proof of
	// possession at a key's generation. The others are no way to a signer's key: the
	// gate that shuts the token off in the secure state, a recorder in front of the
	// token of test builds, benchmarks of tokens, and the holes that a test of PRV-01
	// plants in its own build to see that they are found.
	"SignWrapped": {
		"cmd/samd/recorder_on.go:recorder.SignWrapped", "conformance/bench/floor.go:tokenAlone",
		"sam/activate.go:Module.sign", "sam/condition.go:gate.SignWrapped", "sam/credential.go:popSigner.Sign",
		"sam/hole.go:planted", "sam/hole.go:redemption.again",
	},
	// The signer of one certification request (KEY-07), and the permission to use a
	// key for approved digests, with the one way that leads to it.
	"popSigner{}":             {"sam/credential.go:Module.prove"},
	"activation{}":            {"sam/activate.go:redemption.reserve"},
	"redemption.reserve":      {"sam/redeem.go:redemption.authorise"},
	"redemption.authorise":    {"sam/redeem.go:redemption.run"},
	"Module.sign":             {"sam/activate.go:Module.activate"},
	"Module.activate":         {"sam/redeem.go:redemption.run"},
	"redemption.rebuild":      {"sam/hole.go:redemption.again", "sam/redeem.go:redemption.authorise"}, // the first in no delivered program
	"redemption.authenticate": {"sam/redeem.go:redemption.authorise"},                                 // the first is another type's
}

// bytesIn is every exported function and method of the module and of the ways to
// it that takes bytes, with the names of those parameters. None is a digest.
var bytesIn = map[string]string{
	// The assertion over an offer of a one-time key: no digest is in it.
	"sam.Module.ApproveOneTime":  "statement proof",
	"sam.Module.FinishChange":    "answer",
	"sam.Module.FinishEnrolment": "registration", "sam.Module.LinkCertificate": "chain", "sam.Module.Propose": "args",
	"sam.Module.Redeem": "sad proof evidence",
}

// goFile is a parsed source file of the project.
type goFile struct {
	path string // slashes, from the root
	tree *ast.File
}

// sources parses the project's Go files, without tests and test suites, for all
// build tags.
func sources(t *testing.T, below ...string) []goFile {
	t.Helper()
	var out []goFile
	root := testenv.Root()
	for _, dir := range below {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			rel = filepath.ToSlash(rel)
			if d.IsDir() {
				if n := d.Name(); n == "testdata" || n == "node_modules" || n == "var" || n == "bin" || n != "." && strings.HasPrefix(n, ".") && rel != "." || suite(rel) {
					return filepath.SkipDir
				}
				return nil
			}
			if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
				return nil
			}
			tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			out = append(out, goFile{rel, tree})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// receiver is the name of a method's type, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	name := types.ExprString(d.Recv.List[0].Type)
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "*"), "[")
	return name
}

func fullName(d *ast.FuncDecl) string {
	if r := receiver(d); r != "" {
		return r + "." + d.Name.Name
	}
	return d.Name.Name
}

// usesIn finds in one file who names what: any selector of a name (a call, a
// method value), and composite literals of the permission.
func usesIn(f goFile, found map[string][]string) {
	inSam := strings.HasPrefix(f.path, "sam/") && strings.Count(f.path, "/") == 1
	short := map[string]string{"SignWrapped": "SignWrapped"}
	if inSam {
		for name := range keyUses {
			if _, method, ok := strings.Cut(name, "."); ok {
				short[method] = name
			}
		}
	}
	for _, decl := range f.tree.Decls {
		where := f.path
		if d, ok := decl.(*ast.FuncDecl); ok {
			where += ":" + fullName(d)
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			what := ""
			switch n := n.(type) {
			case *ast.SelectorExpr:
				what = short[n.Sel.Name]
			case *ast.CompositeLit:
				if id, ok := n.Type.(*ast.Ident); ok && inSam && keyUses[id.Name+"{}"] != nil {
					what = id.Name + "{}"
				}
			case *ast.CallExpr: // new(activation)
				if id, ok := n.Fun.(*ast.Ident); ok && inSam && id.Name == "new" && len(n.Args) == 1 && keyUses[types.ExprString(n.Args[0])+"{}"] != nil {
					what = types.ExprString(n.Args[0]) + "{}"
				}
			}
			if what != "" && !slices.Contains(found[what], where) {
				found[what] = append(found[what], where)
			}
			return true
		})
	}
}

// SAP-10: at build time: a signer's key is used in one place, which takes a
// permission that one other place makes, after the approval has been verified and
// reserved. No other source of the project, whatever its build tags, asks a token
// to sign with a wrapped key.
func TestSAP10KeyUseHasOneWay(t *testing.T) {
	found := map[string][]string{}
	for _, f := range sources(t, ".") {
		usesIn(f, found)
	}
	for what, want := range keyUses {
		got := found[what]
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s is named in\n\t%s\nreviewed are\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	}
}

// onlyTagged are the reviewed files that no delivered program contains, with the
// tag of the builds that do.
var onlyTagged = map[string]string{"sam/hole.go": "planted_hole", "cmd/samd/recorder_on.go": "failpoint"}

// SAP-10: what is reviewed because it is in test builds only is in no other: the
// file begins with its tag, and without tags the Go tool leaves it out.
func TestSAP10TestBuildsAreNotDelivered(t *testing.T) {
	for path, tag := range onlyTagged {
		text, err := os.ReadFile(filepath.Join(testenv.Root(), path))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "//go:build "+tag+"\n") {
			t.Errorf("%s does not begin with the tag %s", path, tag)
		}
		cmd := exec.CommandContext(t.Context(), testenv.Need(t, "go"), "list", "-f", "{{.GoFiles}} {{.IgnoredGoFiles}}", "./"+filepath.Dir(path))
		cmd.Dir = testenv.Root()
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		built, ignored, _ := strings.Cut(string(out), "] [")
		if name := filepath.Base(path); strings.Contains(built, name) || !strings.Contains(ignored, name) {
			t.Errorf("%s is built: %s", path, out)
		}
	}
}

// SAP-10: the last step of the authorisation is the reservation, and before it
// come, in this order, the request that was issued, the approval's signature, and
// the digests that follow from the approved documents; each may end it.
func TestSAP10ReservationComesLast(t *testing.T) {
	var steps []string
	for _, f := range sources(t, "sam") {
		for _, decl := range f.tree.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || fullName(d) != "redemption.authorise" {
				continue
			}
			for _, s := range d.Body.List {
				switch s := s.(type) {
				case *ast.IfStmt: // if err := r.x(...); err != nil { return nil, err }
					if call := assigned(s.Init); call != "" && types.ExprString(s.Cond) == "err != nil" {
						steps = append(steps, call)
					}
				case *ast.ReturnStmt:
					steps = append(steps, "return "+types.ExprString(s.Results[0]))
				}
			}
		}
	}
	want := []string{"r.look", "r.authenticate", "r.rebuild", "return r.reserve(ctx)"}
	if !slices.Equal(steps, want) {
		t.Errorf("authorise does %v, want %v", steps, want)
	}
}

func assigned(s ast.Stmt) string {
	if a, ok := s.(*ast.AssignStmt); ok && len(a.Rhs) == 1 {
		if c, ok := a.Rhs[0].(*ast.CallExpr); ok {
			return types.ExprString(c.Fun)
		}
	}
	return ""
}

// SAP-10: no exported function of the module, or on the way to it, takes a key and
// a digest: none takes a wrapped key or options of a signature, and those that
// take bytes are a reviewed list.
func TestSAP10NoAPITakesKeyAndDigest(t *testing.T) {
	got := map[string]string{}
	for _, f := range sources(t, "sam", "cryptotoken/samtoken", "sap/sapclient", "signapp", "workers") {
		for _, decl := range f.tree.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || !d.Name.IsExported() || receiver(d) != "" && !ast.IsExported(receiver(d)) {
				continue
			}
			name := f.tree.Name.Name + "." + fullName(d)
			var list []string
			for _, p := range d.Type.Params.List {
				typ := types.ExprString(p.Type)
				if strings.Contains(typ, "Wrapped") || strings.Contains(typ, "SignerOpts") {
					t.Errorf("%s (%s) takes a %s", name, f.path, typ)
				}
				if typ == "[]byte" || typ == "[][]byte" {
					for _, n := range p.Names {
						list = append(list, n.Name)
					}
				}
			}
			if f.tree.Name.Name == "sam" && receiver(d) == "Module" && len(list) > 0 {
				got[name] = strings.Join(list, " ")
			}
		}
	}
	for name, params := range got {
		if bytesIn[name] != params {
			t.Errorf("%s takes the bytes %q, reviewed is %q", name, params, bytesIn[name])
		}
	}
	for name := range bytesIn {
		if got[name] == "" {
			t.Errorf("%s is in the list and not in the sources", name)
		}
	}
}

// The check notices a second way to a key.
func TestSAP10CheckNoticesASecondWay(t *testing.T) {
	for name, text := range map[string]string{
		"a call":           "package sam\nfunc (m *Module) Debug(d []byte) { m.wrapper.SignWrapped(nil, k, a, d) }",
		"a method value":   "package sam\nvar f = token.SignWrapped",
		"a permission":     "package sam\nfunc grant() *activation { return &activation{} }",
		"a new permission": "package sam\nfunc grant() *activation { return new(activation) }",
		"the inner step":   "package sam\nfunc (m *Module) Fast(a *activation) { m.sign(nil, a) }",
		"the reservation":  "package sam\nfunc (m *Module) Skip(r *redemption) { r.reserve(nil) }",
	} {
		tree, err := parser.ParseFile(token.NewFileSet(), "x.go", text, 0)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string][]string{}
		usesIn(goFile{"sam/x.go", tree}, found)
		if len(found) == 0 {
			t.Errorf("%s: not noticed", name)
		}
	}
}

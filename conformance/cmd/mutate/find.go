package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// ops are the operators, as they stand in ids.
var ops = map[string]string{
	"boundary":   "< and <=, > and >= exchanged",
	"negate":     "a condition says the opposite",
	"drop":       "an if or case that ends the function or loop never does",
	"logic":      "&& and || exchanged",
	"arithmetic": "+ and -, * and /, & and |, << and >>, += and -=, ++ and -- exchanged",
	"more":       "a constant is one larger (a duration: twice)",
	"less":       "a constant is one smaller (a duration: half)",
	"flip":       "true and false exchanged",
	"nilerr":     "an error that is returned is nil",
	"remove":     "a call, an assignment or a defer is left out",
}

// find lists the mutants of a package, in the order of files and lines.
func (p *pack) find() error {
	slices.SortFunc(p.files, func(a, b *source) int { return strings.Compare(a.short, b.short) })
	for _, s := range p.files {
		for _, d := range s.ast.Decls {
			f := &finder{pack: p, source: s, counts: map[string]int{}}
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Body == nil {
					continue
				}
				f.name, f.node = functionName(d), d
				f.walk(d.Body)
			case *ast.GenDecl:
				if d.Tok != token.VAR {
					continue
				}
				for _, spec := range d.Specs {
					v := spec.(*ast.ValueSpec)
					f := &finder{pack: p, source: s, counts: map[string]int{}, name: v.Names[0].Name, node: v}
					for _, x := range v.Values {
						f.walk(x)
					}
				}
			}
		}
	}
	seen := map[string]bool{}
	for _, m := range p.mutants {
		if seen[m.ID] {
			return fmt.Errorf("two mutants have the id %s", m.ID)
		}
		seen[m.ID] = true
	}
	p.dropBroken()
	return nil
}

func functionName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "." + d.Name.Name
	}
	return d.Name.Name
}

// finder looks through one function or package-level variable.
type finder struct {
	*pack
	source *source
	name   string
	node   ast.Node
	counts map[string]int // of each operator
}

func (f *finder) offset(p token.Pos) int { return f.fset.Position(p).Offset }

func (f *finder) text(n ast.Node) string {
	return string(f.source.text[f.offset(n.Pos()):f.offset(n.End())])
}

// add notes a mutant of a node.
func (f *finder) add(n ast.Node, k kind, typ, op, text string) {
	at := span{f.offset(n.Pos()), f.offset(n.End())}
	x := f.source.sites[at]
	if x == nil {
		x = &site{span: at, kind: k, typ: typ}
		f.source.sites[at] = x
	}
	if x.kind != k || x.typ != typ {
		return // an expression that is also the result: the first kind stays
	}
	f.counts[op]++
	whole := sha256.Sum256([]byte(f.text(f.node)))
	to := text
	switch {
	case k == result:
		to = "nil"
	case text == "":
		to = "(left out)"
	}
	m := &mutant{
		ID:   fmt.Sprintf("%s:%s:%s:%d", f.source.short, f.name, op, f.counts[op]),
		File: f.source.short, Func: f.name, Op: op, Line: f.fset.Position(n.Pos()).Line,
		Change: oneLine(f.text(n)) + " => " + oneLine(to),
		Print:  hex.EncodeToString(whole[:6]),
		number: len(f.mutants) + 1, text: text,
	}
	x.mutants = append(x.mutants, m)
	f.mutants = append(f.mutants, m)
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 120 {
		return string(r[:117]) + "..."
	}
	return s
}

func (f *finder) walk(root ast.Node) {
	ast.PreorderStack(root, []ast.Node{f.node}, func(n ast.Node, stack []ast.Node) bool {
		parent := stack[len(stack)-1]
		if f.fixed(n, parent, stack) {
			return false
		}
		f.statement(n, parent)
		switch n := n.(type) {
		case *ast.IfStmt:
			f.condition(n.Cond, ends(n.Body.List))
		case *ast.CaseClause:
			for _, c := range n.List { // of a switch without a tag: fixed sees to the others
				if isSwitchOfConditions(stack) {
					f.condition(c, ends(n.Body))
				}
			}
		case *ast.ReturnStmt:
			f.returns(n, stack)
		case *ast.UnaryExpr:
			if n.Op == token.NOT && f.plainBool(n) {
				f.add(n, expression, "bool", "negate", f.text(n.X))
			}
		case *ast.BinaryExpr:
			f.binary(n)
		}
		if e, ok := n.(ast.Expr); ok && f.constant(e, parent) {
			return false
		}
		return true
	})
}

// fixed tells of nodes in which nothing may be changed, because they must be
// constant: declarations, lengths of arrays, keys, the values of a tagged switch.
func (f *finder) fixed(n, parent ast.Node, stack []ast.Node) bool {
	switch p := parent.(type) {
	case *ast.ArrayType:
		return n == p.Len
	case *ast.KeyValueExpr:
		return n == p.Key
	case *ast.CaseClause:
		e, ok := n.(ast.Expr)
		return ok && slices.Contains(p.List, e) && !isSwitchOfConditions(stack[:len(stack)-1])
	}
	d, ok := n.(*ast.GenDecl)
	return ok && d.Tok != token.VAR
}

// isSwitchOfConditions: the stack ends with the body of a switch without a tag.
func isSwitchOfConditions(stack []ast.Node) bool {
	if len(stack) < 2 {
		return false
	}
	s, ok := stack[len(stack)-2].(*ast.SwitchStmt)
	return ok && s.Tag == nil
}

// ends tells whether a list of statements leaves the function or the loop.
func ends(list []ast.Stmt) bool {
	if len(list) == 0 {
		return false
	}
	switch s := list[len(list)-1].(type) {
	case *ast.ReturnStmt:
		return true
	case *ast.BranchStmt:
		return s.Tok != token.FALLTHROUGH
	}
	return false
}

func (f *finder) condition(c ast.Expr, ends bool) {
	if !f.plainBool(c) {
		return
	}
	if ends {
		f.add(c, expression, "bool", "drop", "("+f.text(c)+") && false")
	}
	f.operand(c)
}

// operand negates a condition that is no operator itself.
func (f *finder) operand(c ast.Expr) {
	switch x := c.(type) {
	case *ast.BinaryExpr, *ast.ParenExpr:
		return
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			return
		}
	}
	if f.plainBool(c) {
		f.add(c, expression, "bool", "negate", "!("+f.text(c)+")")
	}
}

// plainBool: a value of type bool that is no constant.
func (f *finder) plainBool(e ast.Expr) bool {
	tv := f.info.Types[e]
	if tv.Type == nil || tv.Value != nil {
		return false
	}
	b, ok := tv.Type.(*types.Basic)
	return ok && (b.Kind() == types.Bool || b.Kind() == types.UntypedBool)
}

var (
	negated    = map[token.Token]token.Token{token.EQL: token.NEQ, token.NEQ: token.EQL, token.LSS: token.GEQ, token.LEQ: token.GTR, token.GTR: token.LEQ, token.GEQ: token.LSS}
	moved      = map[token.Token]token.Token{token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR}
	swapped    = map[token.Token]token.Token{token.LAND: token.LOR, token.LOR: token.LAND}
	calculated = map[token.Token]token.Token{token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL, token.AND: token.OR, token.OR: token.AND, token.XOR: token.AND, token.SHL: token.SHR, token.SHR: token.SHL}
	assigned   = map[token.Token]token.Token{token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN, token.OR_ASSIGN: token.AND_ASSIGN, token.AND_ASSIGN: token.OR_ASSIGN}
)

func (f *finder) binary(n *ast.BinaryExpr) {
	with := func(op token.Token) string { return f.text(n.X) + " " + op.String() + " " + f.text(n.Y) }
	if f.plainBool(n) {
		if op, ok := moved[n.Op]; ok {
			f.add(n, expression, "bool", "boundary", with(op))
		}
		if op, ok := negated[n.Op]; ok {
			f.add(n, expression, "bool", "negate", with(op))
		}
		if op, ok := swapped[n.Op]; ok {
			f.add(n, expression, "bool", "logic", with(op))
			f.operand(n.X)
			f.operand(n.Y)
		}
		return
	}
	tv := f.info.Types[n]
	if op, ok := calculated[n.Op]; ok && tv.Value == nil && isInteger(tv.Type) {
		if typ, ok := f.typeText(tv.Type); ok {
			f.add(n, expression, typ, "arithmetic", with(op))
		}
	}
}

func isInteger(t types.Type) bool {
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsInteger != 0
}

// typeText spells a type as this file can.
func (f *finder) typeText(t types.Type) (string, bool) {
	ok := true
	text := types.TypeString(t, func(of *types.Package) string {
		if of == f.types {
			return ""
		}
		for _, i := range f.source.ast.Imports {
			if path, err := strconv.Unquote(i.Path.Value); err == nil && path == of.Path() {
				if i.Name != nil {
					return i.Name.Name
				}
				return of.Name()
			}
		}
		ok = false
		return of.Name()
	})
	return text, ok && !strings.HasPrefix(text, "untyped")
}

package main

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
)

// constant changes constants of integer types where they are used: a whole constant
// expression by one; a duration by the number before its unit, or by twice and half.
// Values of enumerations (integers with a type of their own) are left alone: "negate"
// asks the same question. It tells whether the node is done with.
func (f *finder) constant(e ast.Expr, parent ast.Node) bool {
	tv := f.info.Types[e]
	if tv.Value == nil {
		return false
	}
	if id, ok := e.(*ast.Ident); ok {
		if c, isConst := f.info.Uses[id].(*types.Const); isConst && c.Parent() == types.Universe {
			f.flip(id, parent, tv)
			return true
		}
	}
	if tv.Value.Kind() != constant.Int || !isInteger(tv.Type) || isRune(e) {
		return true
	}
	typ, ok := f.typeText(tv.Type)
	if !ok {
		return true
	}
	if typ == "time.Duration" {
		return f.duration(e, typ)
	}
	if _, plain := types.Unalias(tv.Type).(*types.Basic); !plain {
		return true
	}
	if sel, ok := parent.(*ast.SelectorExpr); ok && sel.Sel == e {
		return true
	}
	f.add(e, expression, typ, "more", f.text(e)+" + 1")
	if unsigned := tv.Type.Underlying().(*types.Basic).Info()&types.IsUnsigned != 0; !unsigned || constant.Sign(tv.Value) > 0 {
		f.add(e, expression, typ, "less", f.text(e)+" - 1")
	}
	return true
}

func isRune(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Kind == token.CHAR
}

func (f *finder) duration(e ast.Expr, typ string) bool {
	switch x := e.(type) {
	case *ast.BinaryExpr:
		return false // go down to the number
	case *ast.BasicLit:
		if x.Value == "0" {
			return true
		}
		f.add(e, expression, typ, "more", f.text(e)+" + 1")
		f.add(e, expression, typ, "less", f.text(e)+" - 1")
	case *ast.Ident, *ast.SelectorExpr:
		f.add(e, expression, typ, "more", "2 * "+f.text(e))
		f.add(e, expression, typ, "less", f.text(e)+" / 2")
	}
	return true
}

func (f *finder) flip(id *ast.Ident, parent ast.Node, tv types.TypeAndValue) {
	b, ok := tv.Type.(*types.Basic)
	if !ok || b.Info()&types.IsBoolean == 0 {
		return
	}
	if _, isValue := parent.(*ast.ValueSpec); isValue && tv.Value == nil {
		return
	}
	to := "true"
	if constant.BoolVal(tv.Value) {
		to = "false"
	}
	f.add(id, expression, "bool", "flip", to)
}

// returns: the last result, if it is an error, becomes nil after it was computed.
func (f *finder) returns(n *ast.ReturnStmt, stack []ast.Node) {
	sig := f.signature(stack)
	if sig == nil || sig.Results().Len() == 0 || len(n.Results) != sig.Results().Len() {
		return
	}
	last := n.Results[len(n.Results)-1]
	t := sig.Results().At(sig.Results().Len() - 1).Type()
	errorType := types.Universe.Lookup("error").Type().Underlying().(*types.Interface)
	if !types.Implements(t, errorType) || f.info.Types[last].IsNil() {
		return
	}
	if _, ok := f.info.Types[last].Type.(*types.Tuple); ok {
		return
	}
	switch t.Underlying().(type) {
	case *types.Interface, *types.Pointer:
	default:
		return // a value that is an error has no nil
	}
	if typ, ok := f.typeText(t); ok {
		f.add(last, result, typ, "nilerr", "")
	}
}

// signature is that of the innermost function.
func (f *finder) signature(stack []ast.Node) *types.Signature {
	for _, n := range slices.Backward(stack) {
		switch n := n.(type) {
		case *ast.FuncLit:
			sig, _ := f.info.Types[n].Type.(*types.Signature)
			return sig
		case *ast.FuncDecl:
			if o := f.info.Defs[n.Name]; o != nil {
				sig, _ := o.Type().(*types.Signature)
				return sig
			}
		}
	}
	return nil
}

// statement: calls, assignments and defers that are left out, sums that become
// differences. Locks are not left out: the pair would have to go together. Nor is
// what only logs.
func (f *finder) statement(n, parent ast.Node) {
	s, ok := n.(ast.Stmt)
	if !ok || !inList(s, parent) {
		return
	}
	switch s := s.(type) {
	case *ast.ExprStmt:
		if call, ok := s.X.(*ast.CallExpr); ok && !f.uninteresting(call) {
			f.add(s, statement, "", "remove", "")
		}
	case *ast.DeferStmt:
		if !f.uninteresting(s.Call) {
			f.add(s, statement, "", "remove", "")
		}
	case *ast.AssignStmt:
		f.assignment(s)
	case *ast.IncDecStmt:
		to := map[token.Token]string{token.INC: "--", token.DEC: "++"}[s.Tok]
		f.add(s, statement, "", "arithmetic", f.text(s.X)+to)
	}
}

func (f *finder) assignment(s *ast.AssignStmt) {
	if op, ok := assigned[s.Tok]; ok && isInteger(f.info.Types[s.Lhs[0]].Type) {
		f.add(s, statement, "", "arithmetic", f.text(s.Lhs[0])+" "+op.String()+" "+f.text(s.Rhs[0]))
	}
	if s.Tok == token.DEFINE {
		return
	}
	for _, l := range s.Lhs {
		if id, ok := l.(*ast.Ident); !ok || id.Name != "_" {
			f.add(s, statement, "", "remove", "")
			return
		}
	}
}

func inList(s ast.Stmt, parent ast.Node) bool {
	switch p := parent.(type) {
	case *ast.BlockStmt:
		return slices.Contains(p.List, s)
	case *ast.CaseClause:
		return slices.Contains(p.Body, s)
	case *ast.CommClause:
		return slices.Contains(p.Body, s)
	}
	return false
}

func (f *finder) uninteresting(call *ast.CallExpr) bool {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name == "panic"
	case *ast.SelectorExpr:
		switch fun.Sel.Name {
		case "Lock", "Unlock", "RLock", "RUnlock":
			return true
		}
		if id, ok := fun.X.(*ast.Ident); ok {
			if of, ok := f.info.Uses[id].(*types.PkgName); ok && path.Base(of.Imported().Path()) == "failpoint" {
				return true
			}
		}
		t := f.info.Types[fun.X].Type
		return t != nil && strings.HasSuffix(t.String(), "log/slog.Logger")
	}
	return false
}

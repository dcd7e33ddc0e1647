package config

import (
	"encoding"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/printer"
	"github.com/goccy/go-yaml/token"
)

// maxMistakes bounds how many mistakes of a file are said at once.
const maxMistakes = 20

// inPlainWords holds the file against what it is read into, before it is: the
// decoder says only its first error, in the program's words, and takes 1.9 as 1
// and the serial number 007 as 7 without a word. What is not understood here, such
// as an alias, is left to the decoder.
func inPlainWords(text []byte, cfg any) error {
	c := checker{}
	if f, err := parser.ParseBytes(text, 0); err == nil && len(f.Docs) > 0 && f.Docs[0].Body != nil { // else the decoder says so
		c.value("", f.Docs[0].Body, reflect.TypeOf(cfg))
	}
	if len(c.mistakes) > maxMistakes {
		c.mistakes = append(c.mistakes[:maxMistakes], fmt.Sprintf("and %d more", len(c.mistakes)-maxMistakes))
	}
	if len(c.mistakes) == 0 {
		return nil
	}
	return errors.New(strings.Join(c.mistakes, "\n"))
}

// decoderError is what the decoder refuses, with its place.
func decoderError(err error) string {
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil {
		return err.Error()
	}
	words := twice.ReplaceAllString(e.GetMessage(), `the key $1 is in line $2 already: give it once`)
	return atPlace(e.GetToken(), words)
}

// twice is the parser's sentence about a key that is there twice.
var twice = regexp.MustCompile(`^mapping key (".*") already defined at \[(\d+):\d+\]$`)

func atPlace(t *token.Token, words string) string {
	var p printer.Printer
	return fmt.Sprintf("line %d: %s\n%s", t.Position.Line, words, p.PrintErrorToken(t, false))
}

type checker struct {
	mistakes []string
}

func (c *checker) say(at *token.Token, path, words string) {
	if path != "" {
		words = path + ": " + words
	}
	c.mistakes = append(c.mistakes, atPlace(at, words))
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	ownReaders   = []reflect.Type{reflect.TypeFor[encoding.TextUnmarshaler](), reflect.TypeFor[yaml.BytesUnmarshaler](), reflect.TypeFor[yaml.InterfaceUnmarshaler]()}
)

// value checks one value, whose key has this path, against the type it goes into.
func (c *checker) value(path string, n ast.Node, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if a, ok := n.(*ast.AnchorNode); ok {
		n = a.Value
	}
	own := slices.ContainsFunc(ownReaders, reflect.PointerTo(t).Implements)
	switch n.(type) {
	case *ast.AliasNode, *ast.TagNode, *ast.NullNode:
		return
	}
	if own {
		return
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		c.keys(path, n, t)
	case reflect.Slice:
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			c.wrong(path, n, "a list, such as [a, b]")
			return
		}
		for i, v := range list.Values {
			c.value(fmt.Sprintf("%s[%d]", path, i), v, t.Elem())
		}
	case reflect.Interface:
	default:
		if wanted := scalar(n, t); wanted != "" {
			c.wrong(path, n, wanted)
		}
	}
}

func (c *checker) wrong(path string, n ast.Node, wanted string) {
	c.say(n.GetToken(), path, "found "+found(n)+", wanted "+wanted)
}

// found says what a value is.
func found(n ast.Node) string {
	switch n := n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "keys with values"
	case *ast.StringNode:
		if _, number := new(big.Int).SetString(n.Value, 10); number && n.Token.Type == token.StringType {
			return fmt.Sprintf("the number %.60s", n.Value) // too large for the parser to call it one
		}
		return fmt.Sprintf("the text %.60q", n.Value)
	case *ast.LiteralNode:
		return "a text of several lines"
	case *ast.BoolNode:
		return n.GetToken().Value
	}
	return "the number " + n.GetToken().Value
}

// keys checks keys with values.
func (c *checker) keys(path string, n ast.Node, t reflect.Type) {
	m, ok := n.(ast.MapNode)
	if !ok {
		where := " below it"
		if path == "" {
			where = ""
		}
		c.wrong(path, n, "keys with values"+where)
		return
	}
	for it := m.MapRange(); it.Next(); {
		v := it.KeyValue()
		if v.Key.IsMergeKey() {
			continue
		}
		key := v.Key.GetToken().Value
		below := strings.TrimPrefix(path+"."+key, ".")
		if t.Kind() == reflect.Map {
			c.value(below, v.Value, t.Elem())
			continue
		}
		known := fieldsOf(t)
		if ft, ok := known[key]; ok {
			c.value(below, v.Value, ft)
			continue
		}
		c.say(v.Key.GetToken(), "", unknownKey(key, path, known))
	}
}

// fieldsOf returns the keys that a struct has.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if f.IsExported() && name != "-" {
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			out[name] = f.Type
		}
	}
	return out
}

// scalar returns what is wanted, or "" when the value is that.
func scalar(n ast.Node, t reflect.Type) string {
	text, isText := n.(*ast.StringNode)
	switch {
	case t == durationType:
		if isText {
			if _, err := time.ParseDuration(text.Value); err == nil {
				return ""
			}
		}
		return "a length of time with its unit, such as 90s, 15m or 24h"
	case t.Kind() == reflect.Bool:
		if isText && (text.Value == "true" || text.Value == "false") {
			return "true or false, without quotes"
		}
		return unless(n.Type() == ast.BoolType, "true or false")
	case t.Kind() == reflect.String:
		return asText(n)
	case t.Kind() == reflect.Float64 || t.Kind() == reflect.Float32:
		return unless(n.Type() == ast.IntegerType || n.Type() == ast.FloatType, "a number")
	case reflect.New(t).Elem().CanInt():
		return whole(n, new(big.Int).Lsh(big.NewInt(-1), uint(t.Bits()-1)), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(t.Bits()-1)), big.NewInt(1)))
	case reflect.New(t).Elem().CanUint():
		return whole(n, new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(t.Bits())), big.NewInt(1)))
	}
	return ""
}

func unless(good bool, wanted string) string {
	if good {
		return ""
	}
	return wanted
}

// asText: the decoder would write a number anew, 007 as 7 and 1.10 as 1.1, which
// is another serial number and another version.
func asText(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return ""
	case ast.ScalarNode:
		return unless(fmt.Sprint(n.GetValue()) == n.GetToken().Value, "a text: put it into quotes")
	}
	return "a text"
}

// whole tells whether a value is a whole number within bounds. One in quotes is.
func whole(n ast.Node, least, most *big.Int) string {
	text := strings.ReplaceAll(n.GetToken().Value, "_", "")
	v, isWhole := new(big.Int).SetString(text, 0)
	switch n.(type) {
	case *ast.IntegerNode, *ast.StringNode:
	case *ast.FloatNode:
		if f, err := strconv.ParseFloat(text, 64); err == nil && !isWhole && f == float64(int64(f)) {
			v, isWhole = big.NewInt(int64(f)), true
		}
	default:
		isWhole = false
	}
	switch {
	case !isWhole:
		return "a whole number, such as 10"
	case v.Cmp(least) < 0 || v.Cmp(most) > 0:
		return fmt.Sprintf("a whole number from %s to %s", least, most)
	}
	return ""
}

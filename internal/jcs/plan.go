package jcs

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// plan is how one Go type is written and read in canonical form. Because there
// is one spelling, reading is writing backwards: the next octets are either
// exactly the expected ones or the text is refused. Plans hold nothing but what
// follows from the type, so they are made once. A member is optional when it is a
// pointer to a struct with omitempty: there is still one spelling of each value.
type plan struct {
	kind   reflect.Kind
	fields []field // struct: in canonical order
	elem   *plan   // slice
}

type field struct {
	index    int
	open     []byte // "name": with its quotes and colon
	plan     *plan
	optional bool // a pointer to a struct; nil is written as no member
}

var plans sync.Map // reflect.Type -> *plan (nil: no plan)

// planOf returns nil for types that encoding/json must handle.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := makePlan(t, 0)
	plans.Store(t, p)
	return p
}

func makePlan(t reflect.Type, depth int) *plan {
	if depth > MaxDepth || hasOwnForm(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &plan{kind: t.Kind()}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return nil
		}
		e := makePlan(t.Elem(), depth+1)
		if e == nil {
			return nil
		}
		return &plan{kind: reflect.Slice, elem: e}
	case reflect.Struct:
		return structPlan(t, depth)
	}
	return nil
}

// hasOwnForm tells whether encoding/json would call a method of the type.
func hasOwnForm(t reflect.Type) bool {
	for _, i := range []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler](),
		reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	} {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return t == reflect.TypeFor[json.Number]()
}

func structPlan(t reflect.Type, depth int) *plan {
	type named struct {
		name string
		f    field
	}
	var all []named
	for i := range t.NumField() {
		sf := t.Field(i)
		name, opts, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if name == "-" && opts == "" || !sf.IsExported() && !sf.Anonymous {
			continue
		}
		optional := opts == "omitempty" && sf.Type.Kind() == reflect.Pointer && sf.Type.Elem().Kind() == reflect.Struct
		if sf.Anonymous || opts != "" && !optional || name == "" {
			return nil
		}
		of := sf.Type
		if optional {
			of = of.Elem()
		}
		p := makePlan(of, depth+1)
		if p == nil {
			return nil
		}
		all = append(all, named{name, field{i, append(AppendString(nil, name), ':'), p, optional}})
	}
	slices.SortFunc(all, func(a, b named) int { return compareUTF16(a.name, b.name) })
	out := &plan{kind: reflect.Struct}
	for i, n := range all {
		if i > 0 && all[i-1].name == n.name {
			return nil
		}
		out.fields = append(out.fields, n.f)
	}
	return out
}

func (p *plan) encode(out []byte, v reflect.Value) ([]byte, error) {
	var err error
	switch p.kind {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return nil, fmt.Errorf("%w: text is not UTF-8", ErrValue)
		}
		return AppendString(out, v.String()), nil
	case reflect.Bool:
		return strconv.AppendBool(out, v.Bool()), nil
	case reflect.Slice:
		out = append(out, '[')
		for i := range v.Len() {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = p.elem.encode(out, v.Index(i)); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case reflect.Struct:
		return p.encodeStruct(append(out, '{'), v)
	}
	n := v.Int()
	if n > maxInt || n < -maxInt {
		return nil, fmt.Errorf("%w: number %d", ErrValue, n)
	}
	return strconv.AppendInt(out, n, 10), nil
}

func (p *plan) encodeStruct(out []byte, v reflect.Value) ([]byte, error) {
	var err error
	first := true
	for _, f := range p.fields {
		m := v.Field(f.index)
		if f.optional {
			if m.IsNil() {
				continue
			}
			m = m.Elem()
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		if out, err = f.plan.encode(append(out, f.open...), m); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// reader walks over canonical text.
type reader struct {
	text []byte
	at   int
}

func (r *reader) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrNotCanonical, what, r.at)
}

func (r *reader) take(want []byte) bool {
	if !bytes.HasPrefix(r.text[r.at:], want) {
		return false
	}
	r.at += len(want)
	return true
}

func (r *reader) takeByte(c byte) bool {
	if r.at >= len(r.text) || r.text[r.at] != c {
		return false
	}
	r.at++
	return true
}

func (p *plan) decode(r *reader, v reflect.Value, depth int) error {
	if depth > MaxDepth {
		return ErrTooLarge
	}
	switch p.kind {
	case reflect.String:
		s, err := r.str()
		if err != nil {
			return err
		}
		v.SetString(s)
		return nil
	case reflect.Bool:
		switch {
		case r.take([]byte("true")):
			v.SetBool(true)
		case r.take([]byte("false")):
			v.SetBool(false)
		default:
			return r.fail("no boolean")
		}
		return nil
	case reflect.Slice:
		return p.decodeSlice(r, v, depth)
	case reflect.Struct:
		return p.decodeStruct(r, v, depth)
	}
	n, err := r.integer()
	if err != nil {
		return err
	}
	if v.OverflowInt(n) {
		return r.fail("number does not fit")
	}
	v.SetInt(n)
	return nil
}

func (p *plan) decodeStruct(r *reader, v reflect.Value, depth int) error {
	if !r.takeByte('{') {
		return r.fail("no object")
	}
	first := true
	for _, f := range p.fields {
		m, at := v.Field(f.index), r.at
		if !first && !r.takeByte(',') || !r.take(f.open) {
			if !f.optional {
				return r.fail("member " + string(f.open) + " is not next")
			}
			r.at = at
			m.SetZero()
			continue
		}
		first = false
		if f.optional {
			m.Set(reflect.New(m.Type().Elem()))
			m = m.Elem()
		}
		if err := f.plan.decode(r, m, depth+1); err != nil {
			return err
		}
	}
	if !r.takeByte('}') {
		return r.fail("object does not end")
	}
	return nil
}

func (p *plan) decodeSlice(r *reader, v reflect.Value, depth int) error {
	if !r.takeByte('[') {
		return r.fail("no array")
	}
	out := reflect.MakeSlice(v.Type(), 0, 0)
	for !r.takeByte(']') {
		if out.Len() > 0 && !r.takeByte(',') {
			return r.fail("no comma")
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if err := p.elem.decode(r, e, depth+1); err != nil {
			return err
		}
		out = reflect.Append(out, e)
	}
	v.Set(out)
	return nil
}

func (r *reader) integer() (int64, error) {
	start := r.at
	r.takeByte('-')
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	word := string(r.text[start:r.at])
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n > maxInt || n < -maxInt || strconv.FormatInt(n, 10) != word {
		return 0, r.fail("no integer in canonical form")
	}
	return n, nil
}

// str reads a string. The text is valid UTF-8 already.
func (r *reader) str() (string, error) {
	if !r.takeByte('"') {
		return "", r.fail("no string")
	}
	start := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			s := string(r.text[start:r.at])
			r.at++
			return s, nil
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			return "", r.fail("control character")
		}
		r.at++
	}
	return "", r.fail("string does not end")
}

// escaped goes on from the first backslash: it decodes with encoding/json and
// accepts the spelling that AppendString would have chosen.
func (r *reader) escaped(start int) (string, error) {
	for r.at < len(r.text) && r.text[r.at] != '"' {
		if r.text[r.at] == '\\' {
			r.at++
		}
		r.at++
	}
	if r.at >= len(r.text) {
		return "", r.fail("string does not end")
	}
	r.at++
	word := r.text[start-1 : r.at]
	var s string
	if err := json.Unmarshal(word, &s); err != nil || !bytes.Equal(AppendString(nil, s), word) {
		return "", r.fail("string is not in canonical form")
	}
	return s, nil
}

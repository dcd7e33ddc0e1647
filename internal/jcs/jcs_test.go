package jcs

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type inner struct {
	Z string `json:"z"`
	A int    `json:"a"`
}

type outer struct {
	Name  string   `json:"name"`
	List  []string `json:"list"`
	In    inner    `json:"in"`
	Ok    bool     `json:"ok"`
	Items []inner  `json:"é"`
	Skip  string   `json:"-"`
}

// The direct way and the way by encoding/json are one function.
func TestPlanEqualsTransform(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		v := outer{Name: rapid.String().Draw(r, "name"), List: rapid.SliceOf(rapid.String()).Draw(r, "list"), Ok: rapid.Bool().Draw(r, "ok"), Items: []inner{}}
		v.In = inner{rapid.String().Draw(r, "z"), int(rapid.Int64Range(-maxInt, maxInt).Draw(r, "a"))}
		for range rapid.IntRange(0, 3).Draw(r, "n") {
			v.Items = append(v.Items, inner{rapid.StringMatching(`[\x00-\x7f]{0,9}`).Draw(r, "iz"), 1})
		}
		direct, err := Marshal(v)
		if err != nil {
			return // invalid UTF-8 drawn
		}
		m := map[string]any{"name": v.Name, "list": v.List, "in": map[string]any{"z": v.In.Z, "a": v.In.A}, "ok": v.Ok, "é": v.Items}
		byJSON, err := Marshal(m)
		if err != nil || !bytes.Equal(direct, byJSON) {
			r.Fatalf("%v\n%s\n%s", err, direct, byJSON)
		}
		var back outer
		if err := Unmarshal(direct, &back); err != nil {
			r.Fatalf("%v: %s", err, direct)
		}
		again, err := Marshal(&back)
		if err != nil || !bytes.Equal(again, direct) {
			r.Fatalf("%v\n%s\n%s", err, again, direct)
		}
	})
}

// SAP-07: whatever Unmarshal accepts is its own canonical form.
func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"in":{"a":1,"z":"\n\u001f\"€"},"list":["a","b"],"name":"","ok":true,"é":[]}`))
	f.Add([]byte(`{"in":{"a":-0,"z":""},"list":[,],"name":"\/","ok":true,"é":[]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var v outer
		if err := Unmarshal(in, &v); err != nil {
			return
		}
		canon, err := Transform(in)
		if err != nil || !bytes.Equal(canon, in) {
			t.Fatalf("accepted %q, canonical is %q (%v)", in, canon, err)
		}
	})
}

func TestBounds(t *testing.T) {
	var s string
	for name, in := range map[string]string{
		"size":  `"` + strings.Repeat("a", MaxSize) + `"`,
		"depth": strings.Repeat("[", 100000),
	} {
		if err := Unmarshal([]byte(in), &s); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := Transform([]byte(in)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// SAP-07: a member that may be absent has one spelling too: it is there with a value or it
// is not there; and what was there before is gone when it is not.
func TestSAP07OptionalMembers(t *testing.T) {
	type part struct {
		N int `json:"n"`
	}
	type whole struct {
		B    string `json:"b"`
		A    *part  `json:"a,omitempty"`
		C    *part  `json:"c,omitempty"`
		Last string `json:"z"`
	}
	if planOf(reflect.TypeFor[whole]()) == nil {
		t.Fatal("no plan")
	}
	for text, v := range map[string]whole{
		`{"b":"x","z":""}`:                              {B: "x"},
		`{"a":{"n":1},"b":"x","z":""}`:                  {B: "x", A: &part{1}},
		`{"b":"","c":{"n":0},"z":"y"}`:                  {C: &part{}, Last: "y"},
		`{"a":{"n":1},"b":"x","c":{"n":-2},"z":"last"}`: {B: "x", A: &part{1}, C: &part{-2}, Last: "last"},
	} {
		if out, err := Marshal(v); err != nil || string(out) != text {
			t.Errorf("%s, %v; want %s", out, err, text)
		}
		got := whole{A: &part{9}, C: &part{9}}
		if err := Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%s read as %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`{"a":null,"b":"","z":""}`, `{"a":{},"b":"","z":""}`, `{"b":"","a":{"n":1},"z":""}`, `{,"b":"","z":""}`, `{"b":"",,"z":""}`,
		`{"a":{"n":1},"a":{"n":1},"b":"","z":""}`, `{"b":"","c":{"n":1}}`, `{"b":"","c":{"n":1},"c":{"n":1},"z":""}`, `{"b":"","d":{},"z":""}`} {
		if err := Unmarshal([]byte(text), &whole{}); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

package strictjson_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/api/strictjson"
	"github.com/assent-sign/assent/internal/testenv"
)

type target struct {
	Hashes []string `json:"hashes"`
	Name   string   `json:"name"`
	N      int      `json:"n"`
}

// F31
func TestHostileBodiesAreRefusedFast(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"depth":              {strings.Repeat("[", 100_000), strictjson.ErrDepth},
		"closed depth":       {strings.Repeat("[", 20) + strings.Repeat("]", 20), strictjson.ErrDepth},
		"many elements":      {`{"hashes":[` + strings.Repeat(`"",`, 1_000_000) + `""]}`, strictjson.ErrCount},
		"many members":       {"{" + strings.Repeat(`"`+"a"+`":1,`, 2) + `"b":2}`, strictjson.ErrDuplicate},
		"duplicate":          {`{"name":"a","name":"b"}`, strictjson.ErrDuplicate},
		"duplicate by case":  {`{"name":"a","NAME":"b"}`, strictjson.ErrDuplicate},
		"duplicate by sign":  {`{"hashes":[],"ha\u017fhes":[]}`, strictjson.ErrDuplicate},
		"duplicate escaped":  {`{"name":"a","n\u0061me":"b"}`, strictjson.ErrDuplicate},
		"nested duplicate":   {`{"x":[{"a":1,"a":2}]}`, strictjson.ErrDuplicate},
		"number":             {`{"n":` + strings.Repeat("9", 1000) + `}`, strictjson.ErrNumber},
		"exponent":           {`{"n":1e999999}`, strictjson.ErrType},
		"utf8":               {"{\"name\":\"\xff\"}", strictjson.ErrUnicode},
		"lone surrogate":     {`{"name":"\ud800"}`, strictjson.ErrUnicode},
		"swapped surrogates": {`{"name":"\udc00\ud800"}`, strictjson.ErrUnicode},
		"nul":                {`{"name":"a\u0000b"}`, strictjson.ErrUnicode},
		"trailing":           {`{} {}`, strictjson.ErrSyntax},
		"trailing bracket":   {`{}}`, strictjson.ErrSyntax},
		"empty":              {``, strictjson.ErrSyntax},
		"open string":        {`{"name":"`, strictjson.ErrSyntax},
		"open escape":        {`{"name":"\`, strictjson.ErrSyntax},
		"open unicode":       {`{"name":"\u12`, strictjson.ErrSyntax},
		"wrong type":         {`{"name":1}`, strictjson.ErrType},
		"unknown":            {`{"nam":1}`, strictjson.ErrType},
		"bom":                {"\xef\xbb\xbf{}", strictjson.ErrSyntax},
	} {
		testenv.Within(t, name, 100*time.Millisecond, func() {
			var v target
			err := strictjson.Unmarshal([]byte(c.body), &v)
			if !errors.Is(err, c.want) || !errors.Is(err, strictjson.ErrInvalid) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		})
	}
}

func TestGoodBodies(t *testing.T) {
	var v target
	if err := strictjson.Unmarshal([]byte(` {"hashes":["a","b"],"name":"\ud83d\ude00\"é","n":-12} `), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Hashes) != 2 || v.Name != "😀\"é" || v.N != -12 {
		t.Errorf("%+v", v)
	}
	if err := strictjson.UnmarshalLax([]byte(`{"client_data":"x","name":"y"}`), &v); err != nil || v.Name != "y" {
		t.Errorf("%v %+v", err, v)
	}
}

// What Check accepts, encoding/json decodes, and a second look sees the same.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,"x",null,{"b":true}]}`, `"\ud83d\ude00"`, `[[[[]]]]`, `{"a":1,"A":2}`, `1`, "\x00", `{"a":"\u0041"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if strictjson.Check(text) != nil {
			return
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("accepted %q, but %v", text, err)
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := strictjson.Check(again); err != nil && !errors.Is(err, strictjson.ErrNumber) {
			t.Fatalf("accepted %q, refused its copy %q: %v", text, again, err)
		}
	})
}

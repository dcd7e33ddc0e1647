package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/config"
)

type section struct {
	Name string            `yaml:"name"`
	Size int               `yaml:"size"`
	Free uint8             `yaml:"free"`
	On   bool              `yaml:"on"`
	Wait time.Duration     `yaml:"wait"`
	List []string          `yaml:"list"`
	Map  map[string]string `yaml:"properties"`
	Many []section         `yaml:"many"`
	Sub  *sample           `yaml:"sub"`
	Part float64           `yaml:"part"`
}

// What is wrong in a file is said in plain words: the line, the key with its path,
// what was found and what is wanted, and nothing of the program's own types.
func TestMistakesAreSaidInPlainWords(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a text for a number", "name: a\nsize: many\n", `line 2: size: found the text "many", wanted a whole number, such as 10`},
		{"a size with a unit", "size: 10MB\n", `line 1: size: found the text "10MB", wanted a whole number`},
		{"a fraction", "size: 1.9\n", `line 1: size: found the number 1.9, wanted a whole number`},
		{"too large", "free: 300\n", `line 1: free: found the number 300, wanted a whole number from 0 to 255`},
		{"too large for any", "size: 99999999999999999999999\n", `line 1: size: found the number 99999999999999999999999, wanted a whole number from -9223372036854775808`},
		{"below zero", "free: -1\n", `line 1: free: found the number -1, wanted a whole number from 0 to 255`},
		{"a word for a switch", "on: maybe\n", `line 1: on: found the text "maybe", wanted true or false`},
		{"yes", "on: yes\n", `line 1: on: found the text "yes", wanted true or false`},
		{"a number for a switch", "on: 1\n", `line 1: on: found the number 1, wanted true or false`},
		{"a quoted switch", "on: \"true\"\n", `line 1: on: found the text "true", wanted true or false, without quotes`},
		{"a word for a time", "wait: soon\n", `line 1: wait: found the text "soon", wanted a length of time with its unit, such as 90s, 15m or 24h`},
		{"days", "wait: 30d\n", `line 1: wait: found the text "30d", wanted a length of time with its unit, such as 90s, 15m or 24h`},
		{"a time without a unit", "wait: 5\n", `line 1: wait: found the number 5, wanted a length of time with its unit`},
		{"a time beyond all", "wait: 99999999h\n", `line 1: wait: found the text "99999999h", wanted a length of time`},
		{"one value for a list", "list: a\n", `line 1: list: found the text "a", wanted a list, such as [a, b]`},
		{"a list for one value", "name: [a]\n", `line 1: name: found a list, wanted a text`},
		{"keys for one value", "name: {a: b}\n", `line 1: name: found keys with values, wanted a text`},
		{"a value for keys", "properties: 3\n", `line 1: properties: found the number 3, wanted keys with values below it`},
		{"a list for keys", "sub: [a]\n", `line 1: sub: found a list, wanted keys with values below it`},
		{"in a list of keys", "many:\n  - size: 1\n  - name: b\n    size: z\n", `line 4: many[1].size: found the text "z", wanted a whole number`},
		{"in a map", "properties:\n  digest: [sha256]\n", `line 2: properties.digest: found a list, wanted a text`},
		{"deep", "sub:\n  deep:\n    n: true\n", `line 3: sub.deep.n: found true, wanted a whole number`},
		{"a part", "part: half\n", `line 1: part: found the text "half", wanted a number`},
		{"no keys at all", "hello\n", `line 1: found the text "hello", wanted keys with values`},
		{"a list at the top", "- a\n", `line 1: found a list, wanted keys with values`},
		{"a misspelt key", "nane: a\n", `line 1: there is no key "nane": did you mean "name"?`},
		{"an unknown key below", "sub:\n  deep:\n    zzzzzz: 1\n", `line 3: there is no key "zzzzzz" in sub.deep: known are n`},
		{"a key twice", "name: a\nsize: 1\nname: b\n", `line 3: the key "name" is in line 1 already: give it once`},
		{"an octal serial number", "name: 007\n", `line 1: name: found the number 007, wanted a text: put it into quotes`},
		{"a version", "list: [1.10]\n", `line 1: list[0]: found the number 1.10, wanted a text: put it into quotes`},
		{"behind an anchor", "size: &x many\n", `line 1: size: found the text "many", wanted a whole number`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s section
			err := config.Decode("x.yaml", []byte(c.text), &s)
			if !errors.Is(err, config.ErrSyntax) {
				t.Fatalf("got %v, want ErrSyntax", err)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x.yaml") {
				t.Errorf("got:  %v\nwant: %s", err, c.want)
			}
			for _, word := range []string{"Go ", "unmarshal", "interface", "uint", "struct", "mapping", "sequence", "int "} {
				if strings.Contains(err.Error(), word) {
					t.Errorf("%q is a programmer's word: %v", word, err)
				}
			}
		})
	}
}

// All mistakes of a file are said at once, in the order of the file.
func TestAllMistakesAtOnce(t *testing.T) {
	var s section
	err := config.Decode("x.yaml", []byte("size: many\non: 7\nmany: [{wait: 1}, {nam: a}]\n"), &s)
	if err == nil {
		t.Fatal("accepted")
	}
	at := -1
	for _, want := range []string{"line 1: size", "line 2: on", "line 3: many[0].wait", `line 3: there is no key "nam" in many[1]`} {
		i := strings.Index(err.Error(), want)
		if i <= at {
			t.Errorf("%q is missing or not in order: %v", want, err)
		}
		at = i
	}
}

// What was good stays good.
func TestGoodValues(t *testing.T) {
	var s section
	text := "name: 12\nsize: \"5\"\nfree: 0x10\non: true\nwait: 5m\nlist: [a, 2026-01-01, 3]\nproperties: {a: true, b: 5}\nmany: [{}]\nsub:\npart: 1\n"
	if err := config.Decode("x.yaml", []byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if s.Name != "12" || s.Size != 5 || s.Free != 16 || !s.On || s.Wait != 5*time.Minute || len(s.List) != 3 || s.Map["a"] != "true" || len(s.Many) != 1 || s.Part != 1 {
		t.Errorf("%+v", s)
	}
	var e section
	if err := config.Decode("x.yaml", []byte("many:\n  - &x {name: a, size: 1}\n  - *x\n  - {<<: *x, free: 2}\nname: |\n  two\n  lines\n"), &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Many) != 3 || e.Many[1].Name != "a" || e.Many[2].Name != "a" || e.Many[2].Size != 1 || e.Many[2].Free != 2 || e.Name != "two\nlines\n" {
		t.Errorf("%+v", e)
	}
}

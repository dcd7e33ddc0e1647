package sap_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/sap"
)

var (
	inCode  = regexp.MustCompile("`([^`\n]+)`")
	isLabel = regexp.MustCompile(`assent/[a-z-]+/v[0-9]+`)
)

// jsonPaths are the paths of all members of a message, as SAP.md writes them:
// "items[].doc".
func jsonPaths(t reflect.Type, path string) []string {
	switch t.Kind() {
	case reflect.Pointer:
		return jsonPaths(t.Elem(), path)
	case reflect.Slice:
		return jsonPaths(t.Elem(), path+"[]")
	case reflect.Struct:
		var out []string
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			out = append(out, jsonPaths(t.Field(i).Type, strings.TrimPrefix(path+"."+name, "."))...)
		}
		return out
	}
	return []string{path}
}

// fieldTable are the paths in the first column of the table in SAP.md, 3.3.
func fieldTable(t *testing.T, page string) (out []string) {
	t.Helper()
	_, section, found := strings.Cut(page, "\n### 3.3 ")
	section, _, ended := strings.Cut(section, "\n### ")
	if !found || !ended {
		t.Fatal("SAP.md has no section 3.3")
	}
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) > 1 {
			for _, m := range inCode.FindAllStringSubmatch(cells[1], -1) {
				out = append(out, m[1])
			}
		}
	}
	return out
}

// Who writes, shows and checks each field of a SAD is in one table, by which strangers
// build (design, 4): it names every field that there is, and no other.
func TestSAPPageNamesEveryField(t *testing.T) {
	text, err := os.ReadFile("SAP.md")
	if err != nil {
		t.Fatal(err)
	}
	listed, fields := fieldTable(t, string(text)), jsonPaths(reflect.TypeFor[sap.SAD](), "")
	within := func(field, row string) bool {
		rest, ok := strings.CutPrefix(field, row)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	}
	for _, f := range fields {
		// "bind" alone says that all of it is hashed; it does not say who writes a field of it.
		if !slices.ContainsFunc(listed, func(row string) bool { return row != "bind" && within(f, row) }) {
			t.Errorf("the table does not name %s", f)
		}
	}
	for _, row := range listed {
		if !slices.ContainsFunc(fields, func(f string) bool { return within(f, row) }) {
			t.Errorf("the table names %s, which no SAD has", row)
		}
	}
	if len(fields) < 40 || len(listed) < 25 {
		t.Errorf("only %d fields and %d rows were compared", len(fields), len(listed))
	}
}

// SAP-07: the page names every domain-separation constant in full, and no other.
func TestSAPPageNamesEveryLabel(t *testing.T) {
	sets := map[string][]string{}
	for _, file := range []string{"SAP.md", "label.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := isLabel.FindAllString(string(text), -1)
		slices.Sort(found)
		sets[file] = slices.Compact(found)
	}
	if len(sets["label.go"]) < 20 {
		t.Fatalf("label.go has %d labels", len(sets["label.go"]))
	}
	for _, l := range sets["label.go"] {
		if !slices.Contains(sets["SAP.md"], l) {
			t.Errorf("SAP.md does not name %s", l)
		}
	}
	for _, l := range sets["SAP.md"] {
		if !slices.Contains(sets["label.go"], l) {
			t.Errorf("SAP.md names %s, which the code does not have", l)
		}
	}
}

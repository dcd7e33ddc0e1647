package c14n

import (
	"bytes"
	"strings"
	"testing"
)

// canonical gives one canonical form of a document.
func canonical(t testing.TB, doc string, j Job) string {
	t.Helper()
	out, err := try(doc, j)
	if err != nil {
		t.Fatalf("%v\n%q", err, doc)
	}
	return out
}

// try is canonical that may fail.
func try(doc string, j Job) (string, error) {
	var out bytes.Buffer
	j.W = &out
	err := Canonicalize(strings.NewReader(doc), Limits{}, j)
	return out.String(), err
}

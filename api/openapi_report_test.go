package api_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/assent-sign/assent/internal/validate"
)

// schema is as much of a schema as names what an object has.
type schema struct {
	Properties map[string]schema `yaml:"properties"`
	Items      *schema           `yaml:"items"`
}

// ADE-05: the description of the API names all that a report can say, so that no client overlooks what was not judged or only in part.
func TestADE05ReportsAreDescribed(t *testing.T) {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas map[string]schema `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	report := doc.Components.Schemas["Validation"]
	signature := report.Properties["signatures"].Items
	if signature == nil {
		t.Fatal("no schema of signatures")
	}
	for _, c := range []struct {
		of any
		s  schema
	}{
		{validate.Report{}, report}, {validate.Policy{}, report.Properties["policy"]}, {validate.Signature{}, *signature},
		{validate.SignaturePolicy{}, signature.Properties["signature_policy"]},
	} {
		typ := reflect.TypeOf(c.of)
		for _, f := range reflect.VisibleFields(typ) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" || name == "-" {
				continue
			}
			if _, ok := c.s.Properties[name]; !ok {
				t.Errorf("%s: %q is not described", typ, name)
			}
		}
	}
}

package api_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/goccy/go-yaml"
)

// routesOf returns "METHOD /path" of everything that is mounted, without the
// fallbacks.
func routesOf(t testing.TB, r chi.Router) []string {
	t.Helper()
	var out []string
	err := chi.Walk(r, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !strings.HasSuffix(route, "/*") {
			out = append(out, method+" "+route)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// Every route is described, and everything described is a route.
func TestOpenAPIDescribesExactlyTheRoutes(t *testing.T) {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string                    `yaml:"openapi"`
		Paths   map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi is %q", doc.OpenAPI)
	}
	var described []string
	for path, item := range doc.Paths {
		for method, op := range item {
			described = append(described, strings.ToUpper(method)+" "+path)
			if m, ok := op.(map[string]any); !ok || m["responses"] == nil || m["summary"] == nil {
				t.Errorf("%s %s has no summary or responses", method, path)
			}
		}
	}
	slices.Sort(described)
	routes := routesOf(t, newWorld(t).router)
	if !slices.Equal(described, routes) {
		for _, r := range routes {
			if !slices.Contains(described, r) {
				t.Errorf("not described: %s", r)
			}
		}
		for _, d := range described {
			if !slices.Contains(routes, d) {
				t.Errorf("described, but no route: %s", d)
			}
		}
	}
	w := newWorld(t)
	if a := w.must(w.call("GET", "/api/openapi.yaml", "", nil), 200); string(a.body) != string(text) {
		t.Error("the served document is another one")
	}
}

package validate

import (
	_ "embed"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageText string

// HTML writes the report as one page that needs no other file, runs no script and loads
// nothing. It draws which bytes of the file each signature covers; all text of the file
// is escaped and shown without control characters.
func (r *Report) HTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"clean": clean, "time": stampTime, "join": strings.Join, "share": r.share, "colour": colour,
		"inc": func(i int) int { return i + 1 }, "sub": func(a, b int64) int64 { return a - b },
	}).Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, r)
}

// share is a place in the file on a scale of 0 to 1000.
func (r *Report) share(at int64) int64 {
	if r.Size <= 0 {
		return 0
	}
	return int64(float64(max(0, min(at, r.Size))) / float64(r.Size) * 1000)
}

// colour is the class of a verdict in the page.
func colour(v Verdict) string {
	switch v {
	case Valid:
		return "good"
	case NotValid:
		return "bad"
	}
	return "open"
}

package main

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"os"
	"path/filepath"
	"time"

	"github.com/assent-sign/assent/cmd/assent/internal/cheats"
	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/conformance/judge"
)

// report is what a demo found, for report.html and report.json.
type report struct {
	Started time.Time       `json:"started"`
	Took    time.Duration   `json:"took_ns"`
	Held    bool            `json:"held"`
	Steps   []step          `json:"steps"`
	Judges  []judged        `json:"judges"`
	Prints  []prints        `json:"fingerprints"`
	Cheats  []cheats.Result `json:"cheats"`
	Chains  []string        `json:"audit_checkpoints"`
}

type step struct {
	N    int           `json:"n"`
	Name string        `json:"name"`
	OK   bool          `json:"ok"`
	Took time.Duration `json:"took_ns"`
	Note string        `json:"note"`
}

type judged struct {
	File string `json:"file"`
	judge.Verdict
}

// prints are the three fingerprints of one document.
type prints struct {
	File     string `json:"file"`
	Approved string `json:"approved"`
	Signed   string `json:"signed"`
	InFile   string `json:"in_file"`
}

//go:embed report.html
var reportPage string

// write makes report.html, which needs no other file, and report.json.
func (r *report) write(dir string) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"ms":    func(d time.Duration) int64 { return d.Milliseconds() },
		"bars":  bars,
		"short": proof.Bars,
		"width": func(d time.Duration) int { return int(min(100, max(1, d*100/max(1, r.longest())))) },
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "report.html"))
	if err != nil {
		return err
	}
	if err := t.Execute(f, r); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "report.json"), append(b, '\n'), 0o644)
}

func (r *report) longest() time.Duration {
	var l time.Duration
	for _, s := range r.Steps {
		l = max(l, s.Took)
	}
	return l
}

// bar is one stripe of a fingerprint: a grey whose height and shade follow from
// one byte, so that two fingerprints can be compared at a glance.
type bar struct{ Height, Shade int }

func bars(hexDigest string) []bar {
	var out []bar
	for i := 0; i+1 < len(hexDigest) && len(out) < 32; i += 2 {
		v := hexValue(hexDigest[i])<<4 | hexValue(hexDigest[i+1])
		out = append(out, bar{6 + v*26/255, 25 + v%40})
	}
	return out
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return 0
}

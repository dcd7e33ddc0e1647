package validate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What a report has to say it says for people and for programs: of each signature how much of the file it
// covers, its chain up to the trusted certificate, its time-stamp, and what came afterwards.
func TestReportInWordsAndAsJSON(t *testing.T) {
	k := newKit(t)
	first := k.sign(t, contract(), true)
	twice := k.sign(t, first, false)
	rep := k.look(t, twice, k.trust())
	var words bytes.Buffer
	must(t, rep.Print(&words))
	text, err := json.Marshal(rep)
	must(t, err)
	var got struct {
		Schema, Verdict string
		Signatures      []struct {
			Covers int      `json:"covers_bytes"`
			Whole  *bool    `json:"covers_whole_file"`
			Later  []string `json:"later_changes"`
			Chain  []string
			Stamps []struct {
				Time, Authority string
				Trusted         bool
			} `json:"time_stamps"`
		}
	}
	must(t, json.Unmarshal(text, &got))
	if got.Schema != "assent-validation-report-1" || got.Verdict != "valid" || len(got.Signatures) != 2 {
		t.Fatalf("%s", text)
	}
	a, b := got.Signatures[0], got.Signatures[1]
	if a.Whole == nil || *a.Whole || a.Covers != len(first) || b.Whole == nil || !*b.Whole || b.Covers != len(twice) {
		t.Errorf("coverage: %+v and %+v of %d", a, b, len(twice))
	}
	if strings.Join(a.Chain, " <- ") != "DEMO Anna Demo <- DEMO Issuing CA <- DEMO Root CA" || len(b.Chain) != 3 {
		t.Errorf("chains %q, %q", a.Chain, b.Chain)
	}
	if len(a.Stamps) != 1 || len(a.Stamps[0].Time) < len("2026-11-23T00:00:00Z") || !a.Stamps[0].Trusted || a.Stamps[0].Authority == "" || len(b.Stamps) != 0 {
		t.Errorf("time-stamps %+v, %+v", a.Stamps, b.Stamps)
	}
	if len(a.Later) != 1 || !strings.Contains(a.Later[0], "signature") || len(b.Later) != 0 {
		t.Errorf("later changes %q, %q", a.Later, b.Later)
	}
	for _, want := range []string{
		fmt.Sprintf("covers      %d of %d bytes: the file as it was at revision 1", len(first), len(twice)), "covers      the whole file",
		"chain       DEMO Anna Demo <- DEMO Issuing CA <- DEMO Root CA (trusted)", "time-stamp  ", " by " + a.Stamps[0].Authority, "later       " + a.Later[0],
	} {
		if !strings.Contains(words.String(), want) {
			t.Errorf("the words lack %q:\n%s", want, words.String())
		}
	}
}

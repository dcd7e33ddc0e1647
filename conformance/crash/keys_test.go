package crash

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/audit"
)

// twoKeys is honest evidence over a change of the statement key: signatures before and
// after it, on both sides under signed checkpoints.
func twoKeys(t *testing.T) *site {
	s := template(t).copySite(t)
	cl := newClient(s, 11)
	must(t, s.start(""))
	must(t, cl.round(2))
	must(t, s.rotate())
	must(t, cl.round(2))
	s.stop()
	return s
}

// KPR-06, AUD-08, AUD-11: the auditor, which shares no code with the module, follows the
// statement key from the first one through the audit chain and judges every receipt and
// every checkpoint with the key of its time. A change that was forged, taken out or put
// in by somebody else is found, and so is what was signed by another key.
func TestKPR06AuditorFollowsTheStatementKey(t *testing.T) {
	site := twoKeys(t)
	site.audit("statement key")
	change := func(s *scene, f func(d map[string]any)) {
		r := s.last(audit.TypeStatementKey)
		var d map[string]any
		must(s.t, json.Unmarshal([]byte(r.Data), &d))
		f(d)
		text, err := json.Marshal(d)
		must(s.t, err)
		r.Data = string(text)
	}
	flip := func(v any) string { // another letter of base64, which decodes
		text := []byte(v.(string))
		i := len(text) / 2
		if text[i] == 'A' {
			text[i] = 'B'
		} else {
			text[i] = 'A'
		}
		return string(text)
	}
	for _, c := range []struct {
		name  string
		plant func(*scene)
		want  string
		text  string
	}{
		{"nothing", func(*scene) {}, "", "4 receipts and"},
		{"the old key did not sign the change", func(s *scene) {
			change(s, func(d map[string]any) { d["signature"] = flip(d["signature"]) })
		}, "I5 (comparison 5)", "the old key has not signed it"},
		{"the new key did not sign the change", func(s *scene) {
			change(s, func(d map[string]any) { d["proof"] = flip(d["proof"]) })
		}, "I5 (comparison 5)", "the new key has not signed it"},
		{"a change that the old key signed for another purpose", func(s *scene) {
			change(s, func(d map[string]any) { d["signature"] = d["proof"] })
		}, "I5 (comparison 5)", "the old key has not signed it"},
		{"the change is not in the chain", func(s *scene) { s.last(audit.TypeStatementKey).Type = "something_else" }, "I3 (comparison 4)", "neither the pinned key"},
		{"the change comes twice", func(s *scene) { s.records = append(s.records, *s.last(audit.TypeStatementKey)) }, "I5 (comparison 5)", "does not follow the key before it"},
		{"a change in another form", func(s *scene) {
			change(s, func(d map[string]any) { d["mode"], d["statement"] = "x", "e30" })
		}, "I5 (comparison 5)", "does not hold"},
		{"a checkpoint that nobody signed", func(s *scene) {
			r := s.last(audit.TypeCheckpoint)
			r.Data = strings.Replace(r.Data, `"sig":"`, `"sig":"A`, 1)
		}, "I5 (comparison 5)", "not signed by the statement key of that time"},
		{"a chain that was edited and hashed again", func(s *scene) { s.records[4].Actor = "nobody" }, "I5 (comparison 5)", "not of the chain before it"},
		{"a checkpoint of before the change, after it", func(s *scene) {
			for i := range s.records {
				if s.records[i].Type == audit.TypeCheckpoint { // the first one: by the first key
					s.last(audit.TypeCheckpoint).Data = s.records[i].Data
					return
				}
			}
		}, "I5 (comparison 5)", "not signed by the statement key of that time"},
		{"a receipt by nobody's key", func(s *scene) { s.receipts(func(r map[string]any) { r["key"] = flip(r["key"]) }) }, "I3 (comparison 4)", "neither the pinned key"},
		{"a receipt of another group", func(s *scene) {
			s.receipts(func(r map[string]any) { r["signature"] = flip(r["signature"]) })
		}, "I3 (comparison 4)", "not signed by the statement key"},
		{"a receipt at another place", func(s *scene) {
			s.receipts(func(r map[string]any) { r["size"] = r["size"].(float64) + 1 })
		}, "I3 (comparison 4)", "not signed by the statement key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := read(t, site.dir)
			s.args = []string{"-key", site.pinned()}
			c.plant(s)
			s.write()
			out, code := s.judge()
			if c.want == "" {
				if code != 0 || !strings.Contains(out, c.text) || !strings.Contains(out, "by 2 statement keys") || strings.Contains(out, "and 0 checkpoints") {
					t.Errorf("exit code %d\n%s", code, out)
				}
				return
			}
			found := false
			for _, line := range strings.Split(out, "\n") {
				found = found || strings.HasPrefix(line, c.want) && strings.Contains(line, c.text)
			}
			if code < 1 || code > 9 || !found {
				t.Errorf("exit code %d, want a line %q with %q\n%s", code, c.want, c.text, out)
			}
		})
	}
}

// receipts changes the receipt of every acknowledged answer wherever it is kept, and
// nothing else of it.
func (s *scene) receipts(f func(r map[string]any)) {
	s.t.Helper()
	db := s.open()
	defer func() { must(s.t, db.Close()) }()
	for _, e := range s.clients {
		if e["ev"] != "answer" || e["status"] != float64(200) {
			continue
		}
		body, err := base64.StdEncoding.DecodeString(e["body"].(string))
		must(s.t, err)
		var a struct {
			Signatures [][]byte       `json:"signatures"`
			Receipt    map[string]any `json:"receipt"`
		}
		must(s.t, json.Unmarshal(body, &a))
		f(a.Receipt)
		wrong, err := json.Marshal(a)
		must(s.t, err)
		e["body"] = base64.StdEncoding.EncodeToString(wrong)
		packed := append([]byte{'T', byte(len(wrong) >> 16), byte(len(wrong) >> 8), byte(len(wrong))}, wrong...)
		res, err := db.Exec("UPDATE answer SET text = ? WHERE instr(text, ?) > 0", packed, a.Signatures[0])
		must(s.t, err)
		if n, err := res.RowsAffected(); n != 1 || err != nil {
			s.t.Fatalf("%d stored answers have the signature, want 1: %v", n, err)
		}
	}
}

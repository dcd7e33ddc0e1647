package extend_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-03: a signature of the kind adbe.pkcs7.detached, without a signed certificate as most are, gets time-stamps and validation
// data, is renewed, alone and under one of ours; the reports say that it is no PAdES at any level.
func TestADE03PKCS7IsExtendedAndNoPAdES(t *testing.T) {
	for name, make := range map[string]func(d *desk) []byte{
		"alone":      func(d *desk) []byte { return d.openssl(t, contract(), pdf.SubFilterPKCS7) },
		"under ours": func(d *desk) []byte { return d.signed(t, d.openssl(t, contract(), pdf.SubFilterPKCS7), 16<<10, 0) },
	} {
		d := newDesk(t)
		file := make(d)
		if s := d.alone(t, file).Signatures[0]; s.Level != "PKCS#7 (not PAdES)" || s.Reached() != "B-B" {
			t.Errorf("%s, as it was: %q", name, s.Level)
		}
		for _, level := range []extend.Level{extend.LevelT, extend.LevelLT, extend.LevelLTA, extend.LevelLTA} {
			out, res, err := d.extend(t, file, level)
			if level != extend.LevelLTA && name == "under ours" {
				if !errors.Is(err, extend.ErrCovered) {
					t.Errorf("%s, %s: %v", name, level, err)
				}
				continue
			}
			must(t, err)
			judges(t, out)
			s := res.Report.Signatures[0]
			want := "PKCS#7-" + strings.TrimPrefix(string(level), "B-") + " (not PAdES)"
			if s.Indication != validate.TotalPassed || s.Level != want || s.Reached() != string(level) || s.Proven == nil {
				t.Errorf("%s, %s: %s %q %v", name, level, s.Words(), s.Level, s.Why)
			}
			if len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "of no PAdES level") {
				t.Errorf("%s, %s: %q", name, level, res.Notes)
			}
			opt := validate.Options{Anchors: d.cfg.Anchors, Level: "B-T"}
			rep, err := validate.File(t.Context(), "a.pdf", bytes.NewReader(out), int64(len(out)), opt)
			if err != nil || rep.SubIndication != validate.SigConstraintsFailure {
				t.Errorf("%s, %s: where PAdES is demanded: %v %s", name, level, err, rep.Words())
			}
			file = out
			d.authority(t, "next")
		}
	}
}

// ADE-03: older kinds, and a PKCS#7 signature that does not verify, are refused with the reason, and nothing is vouched for.
func TestADE03PKCS7Refused(t *testing.T) {
	d := newDesk(t)
	good := d.openssl(t, contract(), pdf.SubFilterPKCS7)
	for name, c := range map[string]struct {
		file []byte
		why  string
	}{
		"an older kind": {bytes.Replace(good, []byte("/adbe.pkcs7.detached"), []byte("/adbe.pkcs7.sha1    "), 1), "are not known here"},
		"changed":       {bytes.Replace(good, []byte("/Parent"), []byte("/Parant"), 1), "HASH_FAILURE"},
		"no attributes": {d.openssl(t, contract(), pdf.SubFilterPKCS7, "-noattr"), "signed attributes are missing"},
	} {
		if bytes.Equal(c.file, good) {
			t.Fatal(name)
		}
		if _, _, err := d.extend(t, c.file, extend.LevelLTA); !errors.Is(err, extend.ErrNotValid) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

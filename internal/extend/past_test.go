package extend_test

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/revocation"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-03: a signature that is proven to be older than the revocation of its signer is raised, with the statement that says so, and
// one that is not is refused; of PDF and of XML.
func TestADE03SignersRevokedLater(t *testing.T) {
	for _, name := range []string{"PDF", "XML"} {
		for ago, want := range map[time.Duration]error{time.Minute: nil, 10 * time.Minute: revocation.ErrRevoked} {
			d := newDesk(t)
			signed, raise := d.signed(t, contract(), 16<<10, 0), d.extend
			if name == "XML" {
				signed, raise = d.enveloped(t, []byte(invoice), "s1", false), d.extendXML
			}
			d.late(t, "before", 5*time.Minute)
			at, _, err := raise(t, signed, extend.LevelT)
			must(t, err)
			d.a.Revoke(t, d.chain[0], time.Now().Add(-ago))
			d.authority(t, "now")
			_, res, err := raise(t, at, extend.LevelLTA)
			if !errors.Is(err, want) {
				t.Errorf("%s, revoked %s ago: %v", name, ago, err)
				continue
			}
			if err != nil {
				continue
			}
			if s := res.Report.Signatures[0]; s.Indication != validate.TotalPassed || s.Level != "B-LTA" || s.Present.SubIndication != validate.RevokedNoPOE {
				t.Errorf("%s: %s %s, at present %s", name, s.Words(), s.Level, s.Present.Words())
			}
		}
	}
}

// ADE-03: the authority of the last time-stamp has closed since: it is renewed, with that statement. If its key may have been
// stolen, whoever has it could have made that time-stamp, and nothing is renewed.
func TestADE03AuthoritiesRevokedLater(t *testing.T) {
	for reason, want := range map[int]error{ocsp.CessationOfOperation: nil, ocsp.Superseded: nil, ocsp.KeyCompromise: revocation.ErrRevoked, ocsp.CACompromise: revocation.ErrRevoked} {
		d := newDesk(t)
		d.late(t, "closes", 5*time.Minute)
		file, _, err := d.extend(t, d.signed(t, contract(), 16<<10, 0), extend.LevelT)
		must(t, err)
		document, _, err := d.extendXML(t, d.enveloped(t, []byte(invoice), "s1", false), extend.LevelT)
		must(t, err)
		closed := d.stamps[0]
		d.authority(t, "now")
		d.a.Reason = reason
		d.a.Revoke(t, closed, time.Now().Add(-time.Minute))
		for name, f := range map[string]func() (*extend.Result, error){
			"PDF": func() (*extend.Result, error) { _, res, err := d.extend(t, file, extend.LevelLTA); return res, err },
			"XML": func() (*extend.Result, error) {
				_, res, err := d.extendXML(t, document, extend.LevelLTA)
				return res, err
			},
		} {
			res, err := f()
			if !errors.Is(err, want) {
				t.Errorf("%s, reason %d: %v", name, reason, err)
				continue
			}
			if err == nil && (res.Report.Indication != validate.TotalPassed || res.Report.Signatures[0].Level != "B-LTA") {
				t.Errorf("%s, reason %d: %s %s", name, reason, res.Report.Words(), res.Report.Signatures[0].Level)
			}
		}
	}
}

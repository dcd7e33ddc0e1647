package sam

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// The hand-made text is the canonical form of sap.Receipt, whatever the values
// are: a verifier decodes strictly.
func TestReceiptTextIsTheCanonicalForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		str := func(n string) string { return rapid.String().Draw(t, n) }
		raw := func(n string) []byte { return rapid.SliceOf(rapid.Byte()).Draw(t, n) }
		sigs := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 0, 3).Draw(t, "signatures")
		r := &redemption{
			m:       &Module{audience: str("aud"), instance: str("instance"), cfg: Config{Origin: str("origin"), RPID: str("rp")}},
			sadText: raw("sad"), proofText: raw("proof"), auth: &Authenticator{Public: raw("authenticator")},
			held: &holding{cred: &Credential{Chain: [][]byte{raw("certificate")}}, parsed: &parsedKey{qualified: rapid.Bool().Draw(t, "qualified")}}, sad: &sap.SAD{},
		}
		r.m.development.Store(rapid.Bool().Draw(t, "development"))
		r.m.certified.Store(rapid.Bool().Draw(t, "certified"))
		want := &sap.Receipt{
			Type: sap.TypeReceipt, Audience: r.m.audience, Instance: r.m.instance, SAD: sap.B64(r.sadText), Proof: sap.B64(r.proofText),
			Authenticator: sap.B64(r.auth.Public), Certificate: sap.B64(r.held.cred.Chain[0]), Origin: r.m.cfg.Origin, RPID: r.m.cfg.RPID,
			Assurance: r.m.keyLabel(r.held.parsed), Items: []sap.ReceiptItem{},
		}
		rec := audit.Record{Seq: rapid.Int64Range(0, 1<<50).Draw(t, "seq"), Time: rapid.Int64Range(0, 1<<50).Draw(t, "time"), Hash: raw("hash")}
		want.AuditSeq, want.Time, want.AuditHash = rec.Seq, rec.Time, sap.B64(rec.Hash)
		for i, s := range sigs {
			it := sap.Item{Kind: rapid.SampledFrom([]string{sap.KindRaw, sap.KindPAdES}).Draw(t, "kind"), DTBSR: str("dtbsr")}
			r.sad.Items = append(r.sad.Items, it)
			want.Items = append(want.Items, sap.ReceiptItem{I: i, DTBSR: it.DTBSR, Signature: sap.B64(s), Shown: it.Kind != sap.KindRaw})
		}
		text, err := jcs.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unpack(nil, r.packReceipt(nil, rec, sigs), r.given()); err != nil || string(got) != string(text) {
			t.Errorf("%v: got  %s\nwant %s", err, got, text)
		}
	})
}

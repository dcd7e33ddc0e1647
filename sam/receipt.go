package sam

import (
	"slices"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// packReceipt appends the canonical JSON of the sap.Receipt of one finished
// activation. It is composed by hand, members in canonical order, because nearly
// all of it is base64 of what is at hand: no copies, no reflection.
func (r *redemption) packReceipt(out []byte, rec audit.Record, sigs [][]byte) []byte {
	p := newPacker(slices.Grow(out, len(r.auth.Public)+len(r.held.cred.Chain[0])+len(sigs)*256+768))
	p.lit(`{"assurance":`)
	p.str(r.m.keyLabel(r.held.parsed))
	p.lit(`,"aud":`)
	p.str(r.m.audience)
	p.lit(`,"auditHash":"`)
	p.octets(packURL, rec.Hash)
	p.lit(`","auditSeq":`)
	p.int(rec.Seq)
	p.lit(`,"authenticator":"`)
	p.octets(packURL, r.auth.Public)
	p.lit(`","certificate":"`)
	p.octets(packURL, r.held.cred.Chain[0])
	p.lit(`","instance":`)
	p.str(r.m.instance)
	p.lit(`,"items":`)
	r.packReceiptItems(p, sigs)
	p.lit(`,"origin":`)
	p.str(r.m.cfg.Origin)
	p.lit(`,"proof":"`)
	p.given(givenProof)
	p.lit(`","rpId":`)
	p.str(r.m.cfg.RPID)
	p.lit(`,"sad":"`)
	p.given(givenSAD)
	p.lit(`","time":`)
	p.int(rec.Time)
	p.lit(`,"typ":`)
	p.str(sap.TypeReceipt)
	p.lit(`}`)
	return p.done()
}

func (r *redemption) packReceiptItems(p *packer, sigs [][]byte) {
	p.lit(`[`)
	for i, sig := range sigs {
		if i > 0 {
			p.lit(`,`)
		}
		p.lit(`{"dtbsr":`)
		p.str(r.sad.Items[i].DTBSR)
		p.lit(`,"i":`)
		p.int(int64(i))
		p.lit(`,"shown":`)
		p.bool(r.sad.Items[i].Kind != sap.KindRaw)
		p.lit(`,"signature":"`)
		p.octets(packURL, sig)
		p.lit(`"}`)
	}
	p.lit(`]`)
}

package sam

import (
	"strconv"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// receiptText is the canonical JSON of the sap.Receipt of one finished
// activation. It is composed by hand, members in canonical order, because nearly
// all of it is base64 of what is at hand: no copies, no reflection.
func (r *redemption) receiptText(rec audit.Record, sigs [][]byte) []byte {
	size := len(r.sadText) + len(r.proofText) + len(r.auth.Public) + len(r.held.cred.Chain[0])
	out := make([]byte, 0, size*4/3+len(sigs)*256+768)
	out = append(out, `{"assurance":`...)
	out = jcs.AppendString(out, r.m.keyLabel(r.held.parsed))
	out = append(out, `,"aud":`...)
	out = jcs.AppendString(out, r.m.audience)
	out = append(out, `,"auditHash":"`...)
	out = appendB64(out, rec.Hash)
	out = append(out, `","auditSeq":`...)
	out = strconv.AppendInt(out, rec.Seq, 10)
	out = append(out, `,"authenticator":"`...)
	out = appendB64(out, r.auth.Public)
	out = append(out, `","certificate":"`...)
	out = appendB64(out, r.held.cred.Chain[0])
	out = append(out, `","instance":`...)
	out = jcs.AppendString(out, r.m.instance)
	out = append(out, `,"items":`...)
	out = r.appendReceiptItems(out, sigs)
	out = append(out, `,"origin":`...)
	out = jcs.AppendString(out, r.m.cfg.Origin)
	out = append(out, `,"proof":"`...)
	out = appendB64(out, r.proofText)
	out = append(out, `","rpId":`...)
	out = jcs.AppendString(out, r.m.cfg.RPID)
	out = append(out, `,"sad":"`...)
	out = appendB64(out, r.sadText)
	out = append(out, `","time":`...)
	out = strconv.AppendInt(out, rec.Time, 10)
	out = append(out, `,"typ":`...)
	out = jcs.AppendString(out, sap.TypeReceipt)
	return append(out, '}')
}

func (r *redemption) appendReceiptItems(out []byte, sigs [][]byte) []byte {
	out = append(out, '[')
	for i, sig := range sigs {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"dtbsr":`...)
		out = jcs.AppendString(out, r.sad.Items[i].DTBSR)
		out = append(out, `,"i":`...)
		out = strconv.AppendInt(out, int64(i), 10)
		out = append(out, `,"shown":`...)
		out = strconv.AppendBool(out, r.sad.Items[i].Kind != sap.KindRaw)
		out = append(out, `,"signature":"`...)
		out = appendB64(out, sig)
		out = append(out, `"}`...)
	}
	return append(out, ']')
}

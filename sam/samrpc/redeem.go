package samrpc

import (
	"bytes"
	"encoding/base64"

	"github.com/assent-sign/assent/sap/sapclient"
)

// decodeRedeem reads the one body on the hot path. What every client of ours
// sends is read directly; all other spellings of the same JSON, and all errors,
// are left to decode.
func decodeRedeem(r *request) (sapclient.RedeemIn, error) {
	if in, ok := plainRedeem(r.body); ok {
		return in, nil
	}
	return decode[sapclient.RedeemIn](r)
}

// plainRedeem accepts exactly {"sad":"…","proof":"…","evidence":"…"} with
// standard base64 and no white space: less than decode, never more.
func plainRedeem(body []byte) (in sapclient.RedeemIn, ok bool) {
	if in.SAD, body, ok = plainMember(body, `{"sad":"`); !ok {
		return in, false
	}
	if in.Proof, body, ok = plainMember(body, `,"proof":"`); !ok {
		return in, false
	}
	if in.Evidence, body, ok = plainMember(body, `,"evidence":"`); !ok {
		return in, false
	}
	return in, string(body) == "}"
}

// plainMember decodes the string behind prefix and returns what follows it. A
// line break, which the base64 decoder would skip, makes the length wrong.
func plainMember(body []byte, prefix string) (value, rest []byte, ok bool) {
	body, ok = bytes.CutPrefix(body, []byte(prefix))
	end := bytes.IndexByte(body, '"')
	if !ok || end < 0 || end%4 != 0 {
		return nil, nil, false
	}
	text := body[:end]
	value, err := base64.StdEncoding.AppendDecode(make([]byte, 0, end/4*3), text)
	if err != nil || base64.StdEncoding.EncodedLen(len(value)) != end {
		return nil, nil, false
	}
	return value, body[end+1:], true
}

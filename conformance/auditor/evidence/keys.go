package evidence

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// statementKey is a key of the module's statements, from the pinned one on.
type statementKey struct {
	id     string
	public *ecdsa.PublicKey
	until  int64 // Unix milliseconds; 0: in use
	ended  int64 // record of the change that ended it; 0: none
}

// succession is sap/SAP.md, 3.12.
type succession struct {
	Type     string `json:"typ"`
	Audience string `json:"aud"`
	Instance string `json:"instance"`
	Epoch    int64  `json:"epoch"`
	Old      string `json:"old"`
	New      string `json:"new"`
	Public   string `json:"spki"`
	Time     int64  `json:"time"`
	Mode     string `json:"mode"`
}

// Labels of sap/SAP.md, 2.
const (
	labelSuccession = "assent/key-succession/v1"
	labelProof      = "assent/key-succession-proof/v1"
	labelCheckpoint = "assent/audit-checkpoint/v1"
	labelRoot       = "assent/receipt-root/v1"
	labelLeaf       = "assent/receipt-leaf/v1"
	labelNode       = "assent/receipt-node/v1"

	maxSuccessions = 64
)

func under(label string, parts ...[]byte) []byte {
	return append(append([]byte(label), 0), bytes.Join(parts, nil)...)
}

// signed tells whether sig is r || s of key over labelled octets.
func signed(key *ecdsa.PublicKey, label string, body, sig []byte) bool {
	if key == nil || len(sig) != 64 {
		return false
	}
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	return ecdsa.Verify(key, hash(under(label, body)), r, s)
}

func p256(spki []byte) *ecdsa.PublicKey {
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil
	}
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil
	}
	return key
}

// checkKeys follows the statement key through the chain, from the pinned one on, and
// verifies with the key of its place each checkpoint (I5, comparison 5). What was handed
// over to an unknown key is believed no more from there on.
func (c *Case) checkKeys() error {
	if c.Key == "" {
		return nil
	}
	spki := unb64(c.Key)
	pinned := p256(spki)
	if pinned == nil {
		return fmt.Errorf("%w: the statement key is no P-256 key in base64url", ErrInput)
	}
	c.keys = []statementKey{{id: b64(hash(spki)), public: pinned}}
	var before *succession
	for _, r := range c.chain {
		switch r.Type {
		case typeStatementKey:
			before = c.follow(r, before)
		case typeCheckpoint:
			c.checkCheckpoint(r)
		}
	}
	return nil
}

// follow takes the next key from a record of the chain, if it holds.
func (c *Case) follow(r *record, before *succession) *succession {
	id := fmt.Sprintf("record %d", r.Seq)
	s, text, sig, why := openSuccession(r)
	if why != "" {
		c.find(5, "I5", id, "the change of the statement key does not hold: %s", why)
		return before
	}
	last := &c.keys[len(c.keys)-1]
	switch {
	case len(c.keys) > maxSuccessions:
		why = "it is one too many"
	case s.Old != last.id || last.ended != 0:
		why = "it does not follow the key before it"
	case slices.ContainsFunc(c.keys, func(k statementKey) bool { return k.id == s.New }):
		why = "its new key was in use before"
	case before == nil && s.Epoch < 2 || before != nil && s.Epoch != before.Epoch+1:
		why = fmt.Sprintf("it has epoch %d", s.Epoch)
	case s.Instance != c.name || before != nil && (cluster(s.Audience) != cluster(before.Audience) || s.Time < before.Time):
		why = "it is another module's, or older than the one before it"
	case s.Mode == "succession" && !signed(last.public, labelSuccession, text, sig):
		why = "the old key has not signed it"
	}
	if why != "" {
		c.find(5, "I5", id, "the change of the statement key does not hold: %s", why)
		return before
	}
	last.until, last.ended = s.Time, r.Seq
	if s.Mode == "succession" {
		c.keys = append(c.keys, statementKey{id: s.New, public: p256(unb64(s.Public))})
	}
	return s
}

func cluster(audience string) string {
	name, _, _ := strings.Cut(audience, "#")
	return name
}

// openSuccession checks what needs no other key: form, key id, proof of possession.
func openSuccession(r *record) (s *succession, text, sig []byte, why string) {
	var d struct{ Statement, Signature, Proof string }
	if err := json.Unmarshal([]byte(r.Data), &d); err != nil {
		return nil, nil, nil, err.Error()
	}
	text, s = unb64(d.Statement), &succession{}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(s); err != nil {
		return nil, nil, nil, err.Error()
	}
	spki := unb64(s.Public)
	next := p256(spki)
	switch {
	case !canonical(text):
		why = "its statement is not in canonical form"
	case s.Type != "sap/key-succession/1" || s.Time <= 0 || (s.Mode != "succession" && s.Mode != "replacement"):
		why = "it is of another type or mode"
	case s.Mode == "replacement" && d.Signature != "":
		why = "a replacement that the old key is said to have signed"
	case next == nil || b64(hash(spki)) != s.New || s.New == s.Old:
		why = "its new key is not the named one"
	case !signed(next, labelProof, text, unb64(d.Proof)):
		why = "the new key has not signed it"
	}
	return s, text, unb64(d.Signature), why
}

// canonical: encoding/json writes members that stand in order, ASCII text and whole
// numbers as RFC 8785 does.
func canonical(text []byte) bool {
	var v map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return false
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v) == nil && bytes.Equal(bytes.TrimSuffix(out.Bytes(), []byte("\n")), text)
}

// checkCheckpoint verifies the signature over the chain up to the record before.
func (c *Case) checkCheckpoint(r *record) {
	id := fmt.Sprintf("record %d", r.Seq)
	var d struct {
		Chain, Head, Key, Sig string
		Seq, Every            int64
	}
	prev := c.bySeq[r.Seq-1]
	if json.Unmarshal([]byte(r.Data), &d) != nil || prev == nil {
		c.find(5, "I5", id, "its checkpoint cannot be read")
		return
	}
	k := c.keys[len(c.keys)-1] // of this place of the chain
	body := fmt.Sprintf("%s:%d:%s:%d", d.Chain, d.Seq, d.Head, d.Every)
	switch {
	case k.ended != 0:
		c.find(5, "I5", id, "its checkpoint is signed by a key that replaced the pinned one and is not vouched for")
	case d.Key != k.id || !signed(k.public, labelCheckpoint, []byte(body), unb64(d.Sig)):
		c.find(5, "I5", id, "its checkpoint is not signed by the statement key of that time")
	case d.Chain != c.name || d.Seq != prev.Seq || d.Head != hex.EncodeToString(prev.Hash):
		c.find(5, "I5", id, "its checkpoint is not of the chain before it")
	}
	c.confirmed++
}

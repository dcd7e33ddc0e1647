package sap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/assent-sign/assent/internal/jcs"
)

// MaxSuccessions bounds a chain of statement keys; the SAM makes no further key
// behind it (KPR-06).
const MaxSuccessions = 64

// maxSuccessionText bounds one statement, and with it the file of a whole chain.
const maxSuccessionText = 2048

// Modes of a succession.
const (
	// ModeSuccession: the old key signs that the new one follows it. Whoever holds the
	// old one may go on with the new one.
	ModeSuccession = "succession"
	// ModeReplacement: the old key is believed weak or stolen and is not asked. Nothing
	// leads from it to the new one: verifiers pin the new key by hand.
	ModeReplacement = "replacement"
)

// Succession says that one statement key of a SAM follows another (KPR-06).
type Succession struct {
	Type     string `json:"typ"`
	Audience string `json:"aud"`      // cluster "#" epoch of the SAM when the key was changed
	Instance string `json:"instance"` // audit chain id
	Epoch    int64  `json:"epoch"`    // of the new key; the first key has 1
	Old      string `json:"old"`      // KeyID
	New      string `json:"new"`      // KeyID
	Public   string `json:"spki"`     // base64url SubjectPublicKeyInfo of the new key, P-256
	Time     int64  `json:"time"`     // Unix milliseconds; the old key signed nothing later
	Mode     string `json:"mode"`
}

// SignedSuccession is a succession with the signature of the old key, "" in a
// replacement, and the new key's proof of possession, which has a label of its own.
type SignedSuccession struct {
	Statement string `json:"statement"` // base64url of the canonical bytes
	Signature string `json:"signature"` // base64url r || s by the old key
	Proof     string `json:"proof"`     // base64url r || s by the new key
}

// hop is a succession whose form and proof of possession are right. Whether the old
// key agreed is the question of who knows that key.
type hop struct {
	Succession
	text, signature []byte
	public          *ecdsa.PublicKey
}

// Open checks the form of s and the new key's proof of possession, and nothing that
// needs the old key. ReasonEncoding, ReasonType, ReasonSuccession.
func (s SignedSuccession) Open() (*Succession, error) {
	h, err := s.open()
	if err != nil {
		return nil, err
	}
	return &h.Succession, nil
}

func (s SignedSuccession) open() (*hop, error) {
	if len(s.Statement) > maxSuccessionText {
		return nil, fmt.Errorf("%w: succession", ReasonTooLarge)
	}
	h := &hop{}
	var err error
	if h.text, err = UnB64(s.Statement); err != nil {
		return nil, fmt.Errorf("%w: succession", err)
	}
	if err := jcs.Unmarshal(h.text, &h.Succession); err != nil {
		return nil, fmt.Errorf("%w: succession: %w", ReasonEncoding, err)
	}
	if h.Type != TypeSuccession {
		return nil, fmt.Errorf("%w: %q", ReasonType, h.Type)
	}
	if err := h.check(s); err != nil {
		return nil, err
	}
	proof, err := UnB64(s.Proof)
	if err == nil {
		err = Verify(h.public, LabelSuccessionProof, h.text, proof)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: proof of possession: %w", ReasonSuccession, err)
	}
	return h, nil
}

// check looks at the form of every field and reads the new key.
func (h *hop) check(s SignedSuccession) error {
	if !ValidID(h.Audience) || !ValidID(h.Instance) || !strings.Contains(h.Audience, "#") {
		return fmt.Errorf("%w: succession: aud, instance", ReasonEncoding)
	}
	if _, err := unB64Len(h.Old, sha256.Size); err != nil {
		return fmt.Errorf("%w: succession: old", err)
	}
	if h.Epoch < 2 || h.Epoch > MaxSuccessions+1 || h.Time <= 0 || h.Old == h.New {
		return fmt.Errorf("%w: succession: epoch, time, or a key that follows itself", ReasonEncoding)
	}
	der, err := UnB64(h.Public)
	if err != nil {
		return fmt.Errorf("%w: succession: spki", err)
	}
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return fmt.Errorf("%w: succession: spki", ReasonEncoding)
	}
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return fmt.Errorf("%w: succession: the new key is not on P-256", ReasonAlgorithm)
	}
	if id, err := KeyID(key); err != nil || id != h.New || B64(der) != h.Public {
		return fmt.Errorf("%w: succession: new is not the id of spki", ReasonEncoding)
	}
	if again, err := x509.MarshalPKIXPublicKey(key); err != nil || string(again) != string(der) {
		return fmt.Errorf("%w: succession: spki", ReasonEncoding)
	}
	h.public = key
	switch {
	case h.Mode == ModeReplacement && s.Signature == "":
		return nil
	case h.Mode != ModeSuccession:
		return fmt.Errorf("%w: succession: mode %.20q", ReasonEncoding, h.Mode)
	}
	if h.signature, err = unB64Len(s.Signature, 64); err != nil {
		return fmt.Errorf("%w: succession: signature", err)
	}
	return nil
}

// follows tells whether h can be the next one behind before.
func (h *hop) follows(before *hop) error {
	cluster := func(aud string) string { c, _, _ := strings.Cut(aud, "#"); return c }
	switch {
	case h.Old != before.New:
		return fmt.Errorf("%w: key of epoch %d does not follow the one before it", ReasonSuccession, h.Epoch)
	case h.Epoch != before.Epoch+1:
		return fmt.Errorf("%w: epoch %d behind epoch %d", ReasonSuccession, h.Epoch, before.Epoch)
	case h.Instance != before.Instance || cluster(h.Audience) != cluster(before.Audience):
		return fmt.Errorf("%w: key of epoch %d is another module's", ReasonSuccession, h.Epoch)
	case h.Time < before.Time:
		return fmt.Errorf("%w: key of epoch %d is older than the one before it", ReasonSuccession, h.Epoch)
	}
	return nil
}

// StatementKey is a key that a verifier may believe.
type StatementKey struct {
	ID     string
	Public *ecdsa.PublicKey
	Epoch  int64 // 0: not known, the pinned key has no succession
	Until  int64 // Unix milliseconds; 0: in use. It signed nothing later.
}

// At refuses what a retired key is said to have signed after its end.
func (k StatementKey) At(milliseconds int64) error {
	if k.Until != 0 && milliseconds > k.Until {
		return fmt.Errorf("%w: the key %s was out of use then", ReasonSuccession, k.ID)
	}
	return nil
}

// Keyring is the pinned statement key of a SAM and the keys that follow it, each
// vouched for by the one before. Nobody's word counts but theirs.
type Keyring struct {
	keys     []StatementKey
	replaced bool // the last one was replaced by a key that it did not vouch for
}

// NewKeyring verifies chain, which leads from pinned on, or over it. The chain is in
// order, has no gap and no fork, and is at most MaxSuccessions long. It ends for this
// verifier at a replacement: the keys behind it are not in the ring. ReasonSuccession
// when it does not hold, or says nothing of the pinned key (KPR-06).
func NewKeyring(pinned *ecdsa.PublicKey, chain []SignedSuccession) (*Keyring, error) {
	id, err := KeyID(pinned)
	if err != nil {
		return nil, err
	}
	if len(chain) > MaxSuccessions {
		return nil, fmt.Errorf("%w: %d successions of statement keys", ReasonTooLarge, len(chain))
	}
	r := &Keyring{keys: []StatementKey{{ID: id, Public: pinned}}}
	seen := map[string]bool{}
	met := len(chain) == 0
	var before *hop
	for _, s := range chain {
		h, err := s.open()
		if err != nil {
			return nil, err
		}
		if before != nil {
			if err := h.follows(before); err != nil {
				return nil, err
			}
		}
		seen[h.Old] = true
		if seen[h.New] {
			return nil, fmt.Errorf("%w: key of epoch %d was in use before", ReasonSuccession, h.Epoch)
		}
		met = met || h.Old == id || h.New == id
		if h.New == id {
			r.keys[0].Epoch = h.Epoch
		}
		if err := r.add(h); err != nil {
			return nil, err
		}
		before = h
	}
	if !met {
		return nil, fmt.Errorf("%w: the chain does not name the pinned key %s", ReasonSuccession, id)
	}
	return r, nil
}

// add takes the next key, if its predecessor is in the ring and vouches for it.
func (r *Keyring) add(h *hop) error {
	last := &r.keys[len(r.keys)-1]
	if h.Old != last.ID || r.replaced {
		return nil // before the pinned key, or behind a replacement
	}
	last.Epoch, last.Until = h.Epoch-1, h.Time
	if h.Mode == ModeReplacement {
		r.replaced = true
		return nil
	}
	if err := Verify(last.Public, LabelSuccession, h.text, h.signature); err != nil {
		return fmt.Errorf("%w: key of epoch %d: %w", ReasonSuccession, h.Epoch, err)
	}
	r.keys = append(r.keys, StatementKey{ID: h.New, Public: h.public, Epoch: h.Epoch})
	return nil
}

// Find returns the key that a statement, a receipt or a checkpoint names.
// ReasonSAMSignature when it is none of the ring.
func (r *Keyring) Find(id string) (StatementKey, error) {
	i := slices.IndexFunc(r.keys, func(k StatementKey) bool { return k.ID == id })
	switch {
	case i >= 0:
		return r.keys[i], nil
	case r.replaced:
		return StatementKey{}, fmt.Errorf("%w: the SAM's key was replaced and does not vouch for %.50q; pin the new key", ReasonSAMSignature, id)
	}
	return StatementKey{}, fmt.Errorf("%w: %.50q is neither the pinned key nor one that follows it", ReasonSAMSignature, id)
}

// Last is the newest key of the ring.
func (r *Keyring) Last() StatementKey { return r.keys[len(r.keys)-1] }

// Len is the number of keys.
func (r *Keyring) Len() int { return len(r.keys) }

// OpenReceipt is OpenReceipt with the key that the receipt names; a receipt of a time
// when that key was out of use is refused.
func (r *Keyring) OpenReceipt(s SignedReceipt) (*Receipt, error) {
	k, err := r.Find(s.Key)
	if err != nil {
		return nil, err
	}
	rec, err := OpenReceipt(k.Public, s)
	if err != nil {
		return nil, err
	}
	return rec, k.At(rec.Time)
}

// OpenWith opens a statement with the key that it names; iat gives its time in Unix
// seconds, at which that key must have been in use.
func OpenWith[T any](r *Keyring, s Signed, open func(*ecdsa.PublicKey, Signed) (T, error), iat func(T) int64) (T, error) {
	var none T
	k, err := r.Find(s.Key)
	if err != nil {
		return none, err
	}
	v, err := open(k.Public, s)
	if err != nil {
		return none, err
	}
	if err := k.At(iat(v) * 1000); err != nil {
		return none, err
	}
	return v, nil
}

// DecodeSuccessions reads a chain as `assent statement-key chain` writes it: the canonical
// JSON array, with or without a line end behind it.
func DecodeSuccessions(text []byte) ([]SignedSuccession, error) {
	if len(text) > MaxSuccessions*2*maxSuccessionText {
		return nil, fmt.Errorf("%w: successions", ReasonTooLarge)
	}
	var out []SignedSuccession
	if err := jcs.Unmarshal([]byte(strings.TrimSuffix(string(text), "\n")), &out); err != nil {
		return nil, fmt.Errorf("%w: successions: %w", ReasonEncoding, err)
	}
	if len(out) > MaxSuccessions {
		return nil, fmt.Errorf("%w: %d successions", ReasonTooLarge, len(out))
	}
	return out, nil
}

// EncodeSuccessions is the inverse of DecodeSuccessions, with a line end.
func EncodeSuccessions(chain []SignedSuccession) ([]byte, error) {
	if chain == nil {
		chain = []SignedSuccession{}
	}
	text, err := jcs.Marshal(chain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ReasonEncoding, err)
	}
	return append(text, '\n'), nil
}

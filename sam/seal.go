package sam

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"sync"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/sap"
)

// Labels of what the token's seal is derived for, and of every MAC made with it.
const (
	sealRecords = "assent/sam/records/1"
	sealVault   = "assent/sam/vault/1"
	sealAnchor  = "assent/sam/anchor/1"

	labelRecordMAC = "assent/sam/record-mac/v1"
	labelAnchorMAC = "assent/sam/anchor-mac/v1"
	labelAuthHash  = "assent/sam/authenticator-hash/v1"
	labelDigests   = "assent/sam/digests/v1"
	labelNonce     = "assent/sam/nonce/v1"
)

// sealer makes and checks the MACs over records. Its keys are derived inside the
// token at start and live in memory only: whoever has the database, or may
// change it, cannot make one (T33).
type sealer struct {
	records *sync.Pool // *keyed
	anchor  []byte
	vault   cipher.AEAD
}

// keyed is an HMAC with its key and room for a record: nine are made for each
// activation.
type keyed struct {
	h   hash.Hash
	buf encoder
}

const keepBuffer = 64 << 10

func newSealer(ctx context.Context, token cryptotoken.Sealer, cluster string) (*sealer, error) {
	derive := func(purpose string) ([]byte, error) {
		k, err := token.DeriveSeal(ctx, purpose+"/"+cluster)
		if err != nil {
			return nil, fmt.Errorf("%w: token cannot derive the seal: %w", ErrOpen, err)
		}
		return k, nil
	}
	records, err := derive(sealRecords)
	if err != nil {
		return nil, err
	}
	anchor, err := derive(sealAnchor)
	if err != nil {
		return nil, err
	}
	vaultKey, err := derive(sealVault)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(vaultKey)
	if err != nil {
		return nil, fmt.Errorf("%w: vault: %w", ErrOpen, err)
	}
	vault, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("%w: vault: %w", ErrOpen, err)
	}
	return &sealer{
		records: &sync.Pool{New: func() any { return &keyed{h: hmac.New(sha256.New, records)} }},
		anchor:  anchor, vault: vault,
	}, nil
}

// mac is HMAC-SHA-256 over label, kind, every column, audit number and version.
func (s *sealer) mac(r record) []byte {
	k := s.records.Get().(*keyed)
	e := &k.buf
	e.b = e.b[:0]
	e.str(labelRecordMAC)
	e.str(r.kind())
	r.columns(e)
	st := r.stamp()
	e.int(st.Seq)
	e.int(st.Version)
	k.h.Reset()
	k.h.Write(e.b)
	sum := k.h.Sum(nil)
	if cap(e.b) > keepBuffer {
		e.b = nil
	}
	s.records.Put(k)
	return sum
}

// stamp seals r as changed by audit record seq.
func (s *sealer) stamp(r record, seq int64) {
	st := r.stamp()
	st.Seq = seq
	st.Version++
	st.MAC = s.mac(r)
}

// check compares the seal of r with its columns (KEY-06, CRY-05).
func (s *sealer) check(r record) error {
	if !hmac.Equal(s.mac(r), r.stamp().MAC) {
		return fmt.Errorf("%w: %s %s", sap.ReasonSeal, r.kind(), r.object())
	}
	return nil
}

// anchorMAC is the MAC of the anchor file.
func (s *sealer) anchorMAC(body []byte) []byte {
	h := hmac.New(sha256.New, s.anchor)
	h.Write([]byte(labelAnchorMAC))
	h.Write([]byte{0})
	h.Write(body)
	return h.Sum(nil)
}

// hide encrypts a secret for the database (KPR-11); name binds it to its row, draw gives
// random bytes.
func (s *sealer) hide(draw func([]byte) error, plain []byte, name string) ([]byte, error) {
	nonce := make([]byte, s.vault.NonceSize())
	if err := draw(nonce); err != nil {
		return nil, err
	}
	return s.vault.Seal(nonce, nonce, plain, []byte(name)), nil
}

// reveal is the inverse of hide.
func (s *sealer) reveal(hidden []byte, name string) ([]byte, error) {
	n := s.vault.NonceSize()
	if len(hidden) < n {
		return nil, fmt.Errorf("%w: %s", sap.ReasonSeal, name)
	}
	plain, err := s.vault.Open(nil, hidden[:n], hidden[n:], []byte(name))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", sap.ReasonSeal, name)
	}
	return plain, nil
}

// authenticatorHash is what a credential keeps of its signer's authenticators:
// another one, one more or one less shows (T21, PRV-02).
func authenticatorHash(list []*Authenticator) []byte {
	e := encoder{}
	e.str(labelAuthHash)
	e.int(int64(len(list)))
	for _, a := range list { // the store gives them in the order of their ids
		a.columns(&e)
	}
	sum := sha256.Sum256(e.b)
	return sum[:]
}

// digestsHash is what a reservation keeps of the ordered digests.
func digestsHash(alg string, digests [][]byte) []byte {
	e := encoder{}
	e.str(labelDigests)
	e.str(alg)
	e.int(int64(len(digests)))
	for _, d := range digests {
		e.bytes(d)
	}
	sum := sha256.Sum256(e.b)
	return sum[:]
}

func nonceHash(nonce []byte) []byte {
	e := encoder{}
	e.str(labelNonce)
	e.bytes(nonce)
	sum := sha256.Sum256(e.b)
	return sum[:]
}

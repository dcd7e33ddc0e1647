package sam

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"
	"sync/atomic"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/sap"
)

// Labels of what the token's seal is derived for, and of every MAC made with it.
const (
	sealRecords = "assent/sam/records/1"
	sealVault   = "assent/sam/vault/1"
	sealAnchor  = "assent/sam/anchor/1"

	sealEpoch = "assent/sam/epoch/%d/%s/" // before the purpose, from the second epoch on

	labelRecordMAC = "assent/sam/record-mac/v1"
	labelAnchorMAC = "assent/sam/anchor-mac/v1"
	labelAuthHash  = "assent/sam/authenticator-hash/v1"
	labelDigests   = "assent/sam/digests/v1"
	labelNonce     = "assent/sam/nonce/v1"
)

// sealer makes and checks the MACs over records. Its keys are derived inside the
// token at start and live in memory only: whoever has the database, or may
// change it, cannot make one (T33). They have epochs (KPR-06), see window.
type sealer struct {
	now atomic.Pointer[window] // replaced, never changed
}

// epochSeal are the keys of one epoch. Each purpose has its own.
type epochSeal struct {
	epoch   int64
	prefix  []byte     // before each MAC; none in the first epoch
	records *sync.Pool // *keyed
	anchor  []byte
	vault   cipher.AEAD
}

// window says what is sealed under which epoch, and which epochs are believed: one,
// but for the time between a rotation and the end of the re-sealing (KPR-06).
type window struct {
	records *epochSeal // seals records and hides secrets
	files   *epochSeal // seals the anchor and what is beside it
	low     int64      // records and secrets of low to high are believed
	high    int64
	fileLow int64 // files of fileLow to high are believed
	all     map[int64]*epochSeal
}

// keyed is an HMAC with its key and room for a record: nine are made for each
// activation.
type keyed struct {
	h   hash.Hash
	buf encoder
}

const keepBuffer = 64 << 10

// A MAC of the first epoch is the bare one, as it was before there were epochs. One of
// a later epoch has the epoch before it, in two octets. The number needs no MAC of its
// own: the key belongs to it, so that a MAC under another number does not fit.
const (
	macSize   = sha256.Size
	epochSize = 2
	maxEpoch  = 1<<16 - 1
)

// epochOf tells under which epoch a MAC says to be made; 0 when it has no form.
func epochOf(mac []byte) int64 {
	switch len(mac) {
	case macSize:
		return 1
	case epochSize + macSize:
		if e := int64(binary.BigEndian.Uint16(mac)); e > 1 { // one spelling of each
			return e
		}
	}
	return 0
}

// newEpochSeal derives the keys of an epoch. before stands before the purposes, nothing
// in the first epoch, whose labels are those of before there were epochs (sealLabels).
func newEpochSeal(ctx context.Context, token cryptotoken.Sealer, cluster string, epoch int64, before string) (*epochSeal, error) {
	k := &epochSeal{epoch: epoch}
	if epoch > 1 {
		k.prefix = binary.BigEndian.AppendUint16(nil, uint16(epoch))
	}
	derive := func(purpose string) ([]byte, error) {
		key, err := token.DeriveSeal(ctx, before+purpose+"/"+cluster)
		if err != nil {
			return nil, fmt.Errorf("%w: token cannot derive the seal: %w", ErrOpen, err)
		}
		return key, nil
	}
	records, err := derive(sealRecords)
	if err != nil {
		return nil, err
	}
	if k.anchor, err = derive(sealAnchor); err != nil {
		return nil, err
	}
	vaultKey, err := derive(sealVault)
	if err != nil {
		return nil, err
	}
	defer clear(vaultKey)
	block, err := aes.NewCipher(vaultKey)
	if err != nil {
		return nil, fmt.Errorf("%w: vault: %w", ErrOpen, err)
	}
	if k.vault, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("%w: vault: %w", ErrOpen, err)
	}
	k.records = &sync.Pool{New: func() any { return &keyed{h: hmac.New(sha256.New, records)} }}
	return k, nil
}

// newSealer is a sealer of the first epoch alone.
func newSealer(ctx context.Context, token cryptotoken.Sealer, cluster string) (*sealer, error) {
	k, err := newEpochSeal(ctx, token, cluster, 1, "")
	if err != nil {
		return nil, err
	}
	s := &sealer{}
	s.now.Store(alone(k))
	return s, nil
}

// alone is the window of one epoch.
func alone(k *epochSeal) *window {
	return &window{records: k, files: k, low: k.epoch, high: k.epoch, fileLow: k.epoch, all: map[int64]*epochSeal{k.epoch: k}}
}

// errOver: what is sealed under an epoch whose re-sealing has ended was not sealed anew
// by this module, so it was put back; or the snapshot is of a moment before.
func errOver(epoch int64, w *window) error {
	return fmt.Errorf("it is sealed under epoch %d, and epochs %d to %d count: %w", epoch, w.low, w.high, errStale)
}

// of finds the keys that a record's MAC asks for: in all but the time of a re-sealing
// by one comparison.
func (w *window) of(mac []byte) (*epochSeal, error) {
	e := epochOf(mac)
	switch {
	case e == w.records.epoch:
		return w.records, nil
	case e >= w.low && e <= w.high:
		return w.all[e], nil
	case e > 0 && e < w.low:
		return nil, errOver(e, w)
	}
	return nil, nil
}

// mac is HMAC-SHA-256 over label, kind, every column, audit number and version.
func (k *epochSeal) mac(r record) []byte {
	p := k.records.Get().(*keyed)
	e := &p.buf
	e.b = e.b[:0]
	e.str(labelRecordMAC)
	e.str(r.kind())
	r.columns(e)
	st := r.stamp()
	e.int(st.Seq)
	e.int(st.Version)
	p.h.Reset()
	p.h.Write(e.b)
	sum := p.h.Sum(append(make([]byte, 0, epochSize+macSize), k.prefix...))
	if cap(e.b) > keepBuffer {
		e.b = nil
	}
	k.records.Put(p)
	return sum
}

// stamp seals r as changed by audit record seq.
func (s *sealer) stamp(r record, seq int64) { stampUnder(s.now.Load().records, r, seq) }

func stampUnder(k *epochSeal, r record, seq int64) {
	st := r.stamp()
	st.Seq = seq
	st.Version++
	st.MAC = k.mac(r)
}

// check compares the seal of r with its columns (KEY-06, CRY-05).
func (s *sealer) check(r record) error {
	k, err := s.now.Load().of(r.stamp().MAC)
	if err != nil {
		return fmt.Errorf("%w: %s %s: %w", sap.ReasonSeal, r.kind(), r.object(), err)
	}
	if k == nil || !hmac.Equal(k.mac(r), r.stamp().MAC) {
		return fmt.Errorf("%w: %s %s", sap.ReasonSeal, r.kind(), r.object())
	}
	return nil
}

// anchorMAC is the MAC of the anchor, and of everything else beside it.
func (s *sealer) anchorMAC(body []byte) []byte { return s.now.Load().files.fileMAC(body) }

// anchorOK tells whether a file's MAC was made by anchorMAC, in an epoch that counts.
func (s *sealer) anchorOK(body, mac []byte) bool {
	return epochOf(mac) >= s.now.Load().fileLow && s.anyOK(body, mac)
}

// anyOK is anchorOK for what only takes power away: of every epoch of which something
// counts, be it records or files.
func (s *sealer) anyOK(body, mac []byte) bool {
	k := s.now.Load().all[epochOf(mac)]
	return k != nil && hmac.Equal(mac, k.fileMAC(body))
}

func (k *epochSeal) fileMAC(body []byte) []byte {
	h := hmac.New(sha256.New, k.anchor)
	h.Write([]byte(labelAnchorMAC))
	h.Write([]byte{0})
	h.Write(body)
	return h.Sum(append([]byte(nil), k.prefix...))
}

// hide encrypts a secret for the database (KPR-11); name binds it to its row, draw gives
// random bytes.
func (s *sealer) hide(draw func([]byte) error, plain []byte, name string) ([]byte, error) {
	k := s.now.Load().records
	nonce := make([]byte, k.vault.NonceSize())
	if err := draw(nonce); err != nil {
		return nil, err
	}
	return k.vault.Seal(nonce, nonce, plain, k.bound(name)), nil
}

// bound is what a hidden value belongs to: its row and, after the first, its epoch.
func (k *epochSeal) bound(name string) []byte {
	return append(append([]byte(nil), k.prefix...), name...)
}

// reveal is the inverse of hide.
func (s *sealer) reveal(hidden []byte, name string) ([]byte, error) {
	plain, _, err := s.revealed(hidden, name)
	return plain, err
}

// revealed also tells under which epoch a value is hidden: the one whose key opens it.
func (s *sealer) revealed(hidden []byte, name string) ([]byte, int64, error) {
	w := s.now.Load()
	n := w.records.vault.NonceSize()
	if len(hidden) < n {
		return nil, 0, fmt.Errorf("%w: %s", sap.ReasonSeal, name)
	}
	for e := w.high; e >= w.low; e-- {
		k := w.all[e]
		if k == nil { // a number that was passed over
			continue
		}
		if plain, err := k.vault.Open(nil, hidden[:n], hidden[n:], k.bound(name)); err == nil {
			return plain, e, nil
		}
	}
	return nil, 0, fmt.Errorf("%w: %s", sap.ReasonSeal, name)
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

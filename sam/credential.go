package sam

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
)

// CredentialView is a signer's key as callers may see it.
// Nothing in it verifies, seals or unlocks (IAM-06).
type CredentialView struct {
	Key, Signer, KeyType string
	Algs                 []string // allowed now, default first
	State, Carrier       string
	Chain                [][]byte
	CSR                  []byte // while the state is generated
	Raw                  bool
	Assurance            string
	Policy               string // the only one that the key may be used under, "" for any
	Created              int64
}

const maxKeys = 32 // of one signer

// Generate makes a key for an enrolled signer (officer) and returns it with its
// certification request. The key is bound to the authenticator that is enrolled
// now; its two uses outside any approval, the token's generation test and the
// proof of possession, are over bytes that token and module compose (I1, KEY-07).
func (m *Module) Generate(ctx context.Context, c Caller, signer, keyType, subject string) (*CredentialView, error) {
	if err := m.admit(ctx, c, OpGenerate); err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	if err := m.draw(id); err != nil {
		return nil, m.refuse(ctx, c, string(OpGenerate), err, audit.Data{})
	}
	cred := &Credential{Key: "k-" + hex.EncodeToString(id), Signer: signer, KeyType: keyType, Carrier: sap.CarrierWebAuthn, State: KeyGenerated}
	err := m.generate(context.WithoutCancel(ctx), c, cred, subject)
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpGenerate), err, audit.Data{"signer": clip(signer, sap.MaxIDLen), "key": cred.Key})
	}
	return m.credentialView(cred, m.clock.Now())
}

func (m *Module) generate(ctx context.Context, c Caller, cred *Credential, subject string) error {
	kt := algo.KeyType(cred.KeyType)
	if !kt.Valid() || len(m.crypto.Algorithms(kt, m.clock.Now())) == 0 {
		return fmt.Errorf("%w: key type %q", sap.ReasonAlgorithm, clip(cred.KeyType, 16))
	}
	// The intent is durable before the token makes a key.
	err := m.update(ctx, c, func(w *work) error {
		s, err := m.mayGetKey(w, cred)
		if err != nil {
			return err
		}
		if cred.Subject, err = m.subjectOf(s, subject); err != nil {
			return err
		}
		_, err = w.log(EventKeyIntent, audit.OK, "", audit.Data{"key": cred.Key, "signer": cred.Signer, "key_type": cred.KeyType})
		return err
	})
	if err != nil {
		return err
	}
	wrapped, err := m.wrapper.GenerateWrapped(ctx, kt)
	if err != nil {
		return fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	cred.Public, cred.Blob, cred.KEK = wrapped.Public, wrapped.Blob, wrapped.KEK
	var pop []byte
	if cred.CSR, pop, err = m.prove(ctx, wrapped, cred.Subject); err != nil {
		return err
	}
	failpoint.Before("samd/43-key-recorded")
	defer failpoint.After("samd/43-key-recorded")
	return m.update(ctx, c, func(w *work) error {
		// The signer may have changed while the token worked.
		before := cred.AuthHash
		if _, err := m.mayGetKey(w, cred); err != nil {
			return err
		}
		if string(before) != string(cred.AuthHash) {
			return fmt.Errorf("%w: authenticators changed", sap.ReasonState)
		}
		return w.insertKey(cred, pop)
	})
}

// prove makes the certification request of a new key: its one use before it has a
// certificate, over what this process composes (KEY-07). It returns the request and
// the digest that was signed.
func (m *Module) prove(ctx context.Context, key cryptotoken.Wrapped, subject []byte) (csr, digest []byte, err error) {
	pub, err := cryptotoken.CheckWrappedForm(key)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", sap.ReasonToken, err)
	}
	pop := &popSigner{ctx: ctx, token: m.wrapper, key: key, public: pub}
	csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: subject}, pop)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", sap.ReasonCSR, err)
	}
	return csr, pop.digest, nil
}

// mayGetKey checks that the signer is enrolled and binds cred to the enrolled
// authenticators.
func (m *Module) mayGetKey(w *work, cred *Credential) (*Signer, error) {
	s, auths, err := w.owned(cred.Signer)
	if err != nil {
		return nil, err
	}
	keys, err := w.Credentials.BySigner(cred.Signer)
	if err != nil {
		return nil, err
	}
	if s.State != SignerEnrolled || len(auths) == 0 {
		return nil, fmt.Errorf("%w: the authenticator is enrolled before a key is made", sap.ReasonState)
	}
	if len(keys) >= maxKeys {
		return nil, fmt.Errorf("%w: signer has %d keys", sap.ReasonState, len(keys))
	}
	cred.AuthHash = authenticatorHash(auths)
	return s, nil
}

func (w *work) insertKey(cred *Credential, pop []byte) error {
	cred.Created = w.now.Unix()
	data := keyData(cred.Public, cred.KeyType, cred.KEK, cred.Carrier, cred.AuthHash, pop)
	data["obj"], data["key"], data["signer"] = cred.object(), cred.Key, cred.Signer
	seq, err := w.log(EventKey, audit.OK, "", data)
	if err != nil {
		return err
	}
	w.stamp(cred, seq)
	return w.Credentials.Insert(cred)
}

// keyData is what the record of a generated key says: it names the two uses that
// no approval stands behind.
func keyData(public []byte, keyType, kek, carrier string, authHash, pop []byte) audit.Data {
	pub := sha256.Sum256(public)
	alg, test := cryptotoken.GenerationTest(algo.KeyType(keyType), public)
	return audit.Data{
		"key_type": keyType, "public": b64(pub[:]), "authenticators": b64(authHash), "carrier": carrier, "kek": kek,
		"alg": alg.String(), "generation_test": b64(test), "pop_digest": b64(pop),
	}
}

// popSigner is the crypto.Signer of one certification request (SAP-10, KEY-07): it allows exactly
// one call, over the digest of what this process composed, and remembers it.
type popSigner struct {
	ctx    context.Context
	token  cryptotoken.Wrapper
	key    cryptotoken.Wrapped
	public crypto.PublicKey
	used   atomic.Bool
	digest []byte
}

// Public implements crypto.Signer.
func (p *popSigner) Public() crypto.PublicKey { return p.public }

// Sign implements crypto.Signer, once.
func (p *popSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if !p.used.CompareAndSwap(false, true) {
		return nil, errors.New("sam: a key proves its possession once")
	}
	a, err := cryptotoken.AlgorithmOf(p.key.KeyType, opts)
	if err != nil {
		return nil, err
	}
	p.digest = digest
	sigs, err := p.token.SignWrapped(p.ctx, p.key, a, [][]byte{digest})
	if err != nil {
		return nil, err
	}
	if len(sigs) != 1 {
		return nil, fmt.Errorf("sam: token made %d signatures", len(sigs))
	}
	return sigs[0], algo.Verify(p.public, a, digest, sigs[0])
}

// LinkCertificate links a certificate to a key (officer), one for ever (KEY-05);
// the key can be used from then on (KEY-07).
func (m *Module) LinkCertificate(ctx context.Context, c Caller, key string, chain [][]byte) (*CredentialView, error) {
	return m.changeKey(ctx, c, OpLink, key, func(w *work, cred *Credential) (string, audit.Data, error) {
		if cred.State != KeyGenerated { // one key, one certificate (KEY-05)
			return "", nil, fmt.Errorf("%w: %s", sap.ReasonState, cred.State)
		}
		leaf, err := checkLink(cred, chain, m.crypto, w.now)
		if err != nil {
			return "", nil, err
		}
		s, err := m.signerRecord(w.Tx, cred.Signer, false)
		if err != nil {
			return "", nil, err
		}
		if err := m.names(leaf.RawSubject, s); err != nil {
			return "", nil, err
		}
		if err := move(keyMoves, &cred.State, KeyActive); err != nil {
			return "", nil, err
		}
		cred.Chain, cred.CertHash = chain, certHash(chain[0])
		if err := w.Expiries.Put(cred.Key, leaf.NotAfter.Unix()+1); err != nil {
			return "", nil, err
		}
		data := audit.Data{"cert": b64(cred.CertHash)}
		if m.ledger.held(cred.Key) { // since the backup that was restored (BKP-03)
			if err := move(keyMoves, &cred.State, KeySuspended); err != nil {
				return "", nil, err
			}
			data["state"], data["restored"] = KeySuspended, true
		}
		return EventLinked, data, nil
	})
}

// SetRaw takes the permission to sign digests of unseen content away (officer).
// To give it needs two officers: the decision raw_permission (ROL-04). It counts
// only under a policy that has raw too.
func (m *Module) SetRaw(ctx context.Context, c Caller, key string, raw bool) (*CredentialView, error) {
	return m.changeKey(ctx, c, OpPermission, key, func(w *work, cred *Credential) (string, audit.Data, error) {
		if raw {
			return "", nil, fmt.Errorf("%w: two officers give the permission (decision %s); one can take it away", sap.ReasonSecond, DecideRaw)
		}
		if cred.State == KeyDestroyed {
			return "", nil, fmt.Errorf("%w: %s", sap.ReasonState, cred.State)
		}
		cred.Raw = raw
		return EventPermission, audit.Data{"raw": raw}, nil
	})
}

// changeKey is the frame of every change of a credential: read and verify, let
// change decide and alter, record, seal, swap.
func (m *Module) changeKey(ctx context.Context, c Caller, op Op, key string, change func(*work, *Credential) (string, audit.Data, error)) (*CredentialView, error) {
	if err := m.admit(ctx, c, op); err != nil {
		return nil, err
	}
	var cred *Credential
	failpoint.Before("samd/44-key-changed")
	err := m.update(ctx, c, func(w *work) error {
		var err error
		if cred, err = w.Credentials.Get(key); err != nil {
			return notFound(err, sap.ReasonKey)
		}
		if err := m.verified(w.Tx, cred, false); err != nil {
			return err
		}
		event, data, err := change(w, cred)
		if err != nil {
			return err
		}
		data["obj"], data["key"], data["signer"] = cred.object(), cred.Key, cred.Signer
		seq, err := w.log(event, audit.OK, "", data)
		if err != nil {
			return err
		}
		w.stamp(cred, seq)
		return w.Credentials.Update(cred)
	})
	if err != nil {
		return nil, m.refuse(ctx, c, string(op), err, audit.Data{"key": clip(key, sap.MaxIDLen)})
	}
	failpoint.After("samd/44-key-changed")
	return m.credentialView(cred, m.clock.Now())
}

// Credentials lists a signer's keys, or the one key (officer, sspu). Exactly one
// of signer and key is given.
func (m *Module) Credentials(ctx context.Context, c Caller, signer, key string) ([]CredentialView, error) {
	if err := m.admit(ctx, c, OpCredentials); err != nil {
		return nil, err
	}
	var out []CredentialView
	err := m.view(ctx, func(tx *Tx) error {
		list, err := m.findKeys(tx, signer, key)
		if err != nil {
			return err
		}
		for _, cred := range list {
			if err := m.verified(tx, cred, true); err != nil {
				return err
			}
			v, err := m.credentialView(cred, m.clock.Now())
			if err != nil {
				return err
			}
			out = append(out, *v)
		}
		return nil
	})
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpCredentials), err, audit.Data{"signer": clip(signer, sap.MaxIDLen), "key": clip(key, sap.MaxIDLen)})
	}
	return out, nil
}

func (m *Module) findKeys(tx *Tx, signer, key string) ([]*Credential, error) {
	switch {
	case (signer == "") == (key == ""):
		return nil, fmt.Errorf("%w: give a signer or a key", sap.ReasonInvalid)
	case signer != "":
		if _, err := m.signerRecord(tx, signer, true); err != nil {
			return nil, err
		}
		return tx.Credentials.BySigner(signer)
	}
	cred, err := tx.Credentials.Get(key)
	if err != nil {
		return nil, notFound(err, sap.ReasonKey)
	}
	return []*Credential{cred}, nil
}

func (m *Module) credentialView(c *Credential, now time.Time) (*CredentialView, error) {
	p, err := m.parse(c)
	if err != nil {
		return nil, err
	}
	v := &CredentialView{
		Key: c.Key, Signer: c.Signer, KeyType: c.KeyType, State: c.State, Carrier: c.Carrier, Chain: c.Chain,
		Raw: c.Raw, Assurance: m.keyLabel(p), Policy: m.onlyUnder(p), Created: c.Created,
	}
	if c.State == KeyGenerated {
		v.CSR = c.CSR
	}
	for _, a := range m.crypto.Algorithms(p.keyType, now) {
		v.Algs = append(v.Algs, a.String())
	}
	return v, nil
}

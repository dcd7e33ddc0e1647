// Package proof checks a receipt off line against the signed file: that the
// module vouches for it, that the signer's authenticator approved exactly these
// digests, and that the file in hand is the one whose digest was approved and
// whose signature resulted. It needs the receipt, the file and the module's
// public key, and asks no server.
package proof

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap"
)

// Why a receipt does not hold. The reasons of package sap come besides.
var (
	ErrForm    = errors.New("the receipt cannot be read")
	ErrKey     = errors.New("the module's public key cannot be read")
	ErrFile    = errors.New("the file has no signature of this receipt")
	ErrChanged = errors.New("the file is not what was approved")
)

// MaxReceipt bounds a receipt in bytes: MaxItems items with RSA signatures.
const MaxReceipt = 8 << 20

// Result is what a receipt that holds says.
type Result struct {
	Module     string    `json:"module_key_id"`
	Audience   string    `json:"module"`
	Instance   string    `json:"audit_chain"`
	AuditSeq   int64     `json:"audit_record"`
	AuditHash  string    `json:"audit_hash"`
	Time       time.Time `json:"time"`
	Signer     string    `json:"signer"`
	Key        string    `json:"key"`
	Subject    string    `json:"certificate_subject"`
	Operation  string    `json:"operation"`
	Asker      string    `json:"asked_by"`
	Purpose    string    `json:"purpose"`
	Level      string    `json:"level"`
	Carrier    string    `json:"carrier"`
	Credential string    `json:"authenticator"`
	Origin     string    `json:"origin"`
	Assurance  string    `json:"assurance"`
	Item       int       `json:"item"`  // of Items, from 0: the one that is in the file
	Items      int       `json:"items"` // approved together
	Name       string    `json:"document_name"`
	Shown      bool      `json:"shown_to_signer"`
	Field      string    `json:"field"`

	// The three fingerprints, hexadecimal; they are equal or Verify has failed. Of an XML
	// document it is the digest of its canonical octets, signed in SignedInfo.
	InFile   string `json:"digest_in_file"`  // recomputed from the ByteRange, or the canonical octets
	Approved string `json:"digest_approved"` // in the signer's approval
	Signed   string `json:"digest_signed"`   // message-digest in the CMS
	DTBSR    string `json:"dtbsr"`           // what the key signed: rebuilt, approved and in the file
	Whole    bool   `json:"covers_whole_file"`

	// Of a signature over several files: those behind the first that were compared, and the names of those that were not given.
	More    []Compared `json:"more,omitempty"`
	Missing []string   `json:"not_compared,omitempty"`
}

// Verify checks a receipt (the JSON that the service gives out) against a file.
// A nil file checks the receipt alone; the file's fields then stay empty. successions lead
// from samKey to the module's later keys.
func Verify(ctx context.Context, receipt []byte, file io.ReaderAt, size int64, samKey *ecdsa.PublicKey, successions ...sap.SignedSuccession) (*Result, error) {
	res, r, sad, cert, err := alone(receipt, samKey, successions)
	if err != nil || file == nil {
		return res, err
	}
	if found, err := res.matchDetached(r, sad, file, size); found || err != nil {
		return res, err
	}
	if validate.IsXML(file) {
		if err := validate.TwoFaced(file); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFile, err)
		}
		return res, res.matchXML(r, sad, cert, file, size)
	}
	return res, res.matchFile(ctx, r, sad, cert, file, size)
}

// alone checks a receipt without a file.
func alone(receipt []byte, samKey *ecdsa.PublicKey, successions []sap.SignedSuccession) (*Result, *sap.Receipt, *sap.SAD, *x509.Certificate, error) {
	no := func(err error) (*Result, *sap.Receipt, *sap.SAD, *x509.Certificate, error) {
		return nil, nil, nil, nil, err
	}
	signed, err := Decode(receipt)
	if err != nil {
		return no(err)
	}
	r, err := openReceipt(samKey, successions, *signed)
	if err != nil {
		return no(fmt.Errorf("the module did not sign this receipt: %w", err))
	}
	sad, err := r.VerifyEvidence()
	if err != nil {
		return no(fmt.Errorf("the receipt's evidence does not hold: %w", err))
	}
	certDER, err := sap.UnB64(r.Certificate)
	if err != nil {
		return no(fmt.Errorf("%w: certificate: %w", ErrForm, err))
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return no(fmt.Errorf("%w: certificate: %w", ErrForm, err))
	}
	return describe(signed, r, sad, cert), r, sad, cert, nil
}

// openReceipt takes the key that the receipt names: samKey, or one that follows it and was
// in use then (KPR-06).
func openReceipt(samKey *ecdsa.PublicKey, successions []sap.SignedSuccession, s sap.SignedReceipt) (*sap.Receipt, error) {
	ring, err := sap.NewKeyring(samKey, successions)
	if err != nil {
		return nil, err
	}
	return ring.OpenReceipt(s)
}

// Decode reads a receipt as the service gives it out, in any order of its members and with
// blanks; nothing is verified. A member that is there twice, or in other letters, is
// refused: another reader could take the one that was not verified. ErrForm.
func Decode(receipt []byte) (*sap.SignedReceipt, error) {
	if len(receipt) > MaxReceipt {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrForm, MaxReceipt)
	}
	dec := json.NewDecoder(bytes.NewReader(receipt))
	dec.DisallowUnknownFields()
	var s sap.SignedReceipt
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: bytes after its end", ErrForm)
	}
	return &s, onceEach(receipt)
}

var receiptMembers = []string{"receipt", "path", "index", "size", "signature", "key"}

// onceEach wants each member of a receipt, which decodes, exactly once.
func onceEach(receipt []byte) error {
	dec := json.NewDecoder(bytes.NewReader(receipt))
	seen := map[string]bool{}
	if _, err := dec.Token(); err != nil { // the brace
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrForm, err)
		}
		member, _ := name.(string)
		if !slices.Contains(receiptMembers, member) || seen[member] {
			return fmt.Errorf("%w: member %.20q is there twice or is spelled in another way", ErrForm, member)
		}
		seen[member] = true
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return fmt.Errorf("%w: %w", ErrForm, err)
		}
	}
	if len(seen) != len(receiptMembers) {
		return fmt.Errorf("%w: a member is missing; there are %s", ErrForm, strings.Join(receiptMembers, ", "))
	}
	return nil
}

func describe(s *sap.SignedReceipt, r *sap.Receipt, sad *sap.SAD, cert *x509.Certificate) *Result {
	return &Result{
		Module: s.Key, Audience: r.Audience, Instance: r.Instance, AuditSeq: r.AuditSeq, AuditHash: r.AuditHash,
		Time: time.UnixMilli(r.Time).UTC(), Signer: sad.Bind.Signer, Key: sad.Bind.Key, Subject: cert.Subject.String(),
		Operation: sad.Ctx.Operation, Asker: sad.Ctx.Asker, Purpose: sad.Ctx.Purpose, Level: sad.Ctx.Level,
		Carrier: sad.Auth.Method, Credential: sad.Auth.Cred, Origin: r.Origin, Assurance: r.Assurance, Items: len(sad.Items),
	}
}

// matchFile finds the signature of the receipt in the file and compares every
// step between the document's bytes and the key.
func (res *Result) matchFile(ctx context.Context, r *sap.Receipt, sad *sap.SAD, cert *x509.Certificate, file io.ReaderAt, size int64) error {
	doc, err := pdf.Open(file, size, pdf.Limits{})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	sigs, err := doc.Signatures()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	for i := range sigs {
		der, err := sigs[i].CMS()
		if err != nil {
			continue // a time-stamp or foreign signature that we cannot read is not ours
		}
		sd, err := cms.Parse(der)
		if err != nil {
			continue
		}
		si, err := sd.Signer()
		if err != nil {
			continue
		}
		if item := itemOf(r, si.Signature); item >= 0 {
			res.Item, res.Field, res.Whole = item, sigs[i].Field, sigs[i].CoversWholeFile
			res.Name, res.Shown = sad.Items[item].Name, r.Items[item].Shown
			if err := res.compare(ctx, sad, item, cert, &sigs[i], sd, si, file); err != nil {
				return err
			}
			return unchanged(doc, sigs[i])
		}
	}
	return fmt.Errorf("%w: none of its %d signatures has the receipt's signature value", ErrFile, len(sigs))
}

// unchanged refuses a file that shows, by a later update, other than what the
// signature covers. What a signing process adds by itself may follow.
func unchanged(doc *pdf.Document, s pdf.Signature) error {
	if doc.Repaired() {
		return fmt.Errorf("%w: the file's own table of contents is broken, viewers may show different things", ErrChanged)
	}
	changes, err := doc.LaterChanges(s)
	if err != nil {
		return fmt.Errorf("%w: what was added after the signature cannot be read: %w", ErrChanged, err)
	}
	for _, c := range changes {
		if !c.Expected() {
			return fmt.Errorf("%w: after the signature: %s", ErrChanged, c.Text)
		}
	}
	return nil
}

func itemOf(r *sap.Receipt, value []byte) int {
	for i, it := range r.Items {
		if it.Signature == sap.B64(value) {
			return i
		}
	}
	return -1
}

func (res *Result) compare(ctx context.Context, sad *sap.SAD, i int, cert *x509.Certificate, sig *pdf.Signature, sd *cms.SignedData, si *cms.SignerInfo, file io.ReaderAt) error {
	if len(sig.Problems) > 0 {
		return fmt.Errorf("%w: %s", ErrChanged, sig.Problems[0].Text)
	}
	rng, err := sig.Range()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	alg, err := algo.Parse(sad.Bind.Alg)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	inFile, err := pdf.HashRange(ctx, file, rng, alg.Hash())
	if err != nil {
		return err
	}
	inCMS, err := si.MessageDigest()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	it := sad.Items[i]
	approved, err := sap.UnB64(it.Doc)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	res.InFile, res.Approved, res.Signed = hex.EncodeToString(inFile), hex.EncodeToString(approved), hex.EncodeToString(inCMS)
	if it.Kind != sap.KindPAdES {
		return fmt.Errorf("%w: the approval was of a digest (%s), not of this document", ErrChanged, it.Kind)
	}
	if !bytes.Equal(inFile, approved) || !bytes.Equal(inFile, inCMS) {
		return fmt.Errorf("%w: the digest of the file is %s, approved was %s, signed was %s", ErrChanged, res.InFile, res.Approved, res.Signed)
	}
	return res.compareSigned(it, alg, cert, inFile, sd, si)
}

// compareSigned goes on from the document's digest to what the key signed.
func (res *Result) compareSigned(it sap.Item, alg algo.Algorithm, cert *x509.Certificate, digest []byte, sd *cms.SignedData, si *cms.SignerInfo) error {
	attrs, err := sap.PAdESSignedAttributes(digest, cert.Raw)
	if err != nil {
		return err
	}
	if !bytes.Equal(attrs, si.RawSignedAttrs()) {
		return fmt.Errorf("%w: the signed attributes in the file are not the ones that follow from the digest and the certificate", ErrChanged)
	}
	dtbsr, err := sap.Rebuild(it, cert.Raw, alg, nil)
	if err != nil {
		return err
	}
	res.DTBSR = hex.EncodeToString(dtbsr)
	by, err := sd.Verify(si, digest, cms.VerifyOptions{})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if !by.Equal(cert) {
		return fmt.Errorf("%w: the certificate in the file is not the receipt's", ErrChanged)
	}
	return nil
}

// ReadSAMKey reads the module's statement key: a PEM "PUBLIC KEY", its DER, or
// the DER in base64url or base64 as GET /config.json of the signing origin gives
// it. It must be on P-256.
func ReadSAMKey(b []byte) (*ecdsa.PublicKey, error) {
	der := b
	if block, rest := pem.Decode(b); block != nil {
		if block.Type != "PUBLIC KEY" || len(bytes.TrimSpace(rest)) > 0 {
			return nil, fmt.Errorf("%w: a PEM %q, want one PUBLIC KEY", ErrKey, block.Type)
		}
		der = block.Bytes
	} else if d, err := sap.UnB64(string(bytes.TrimSpace(b))); err == nil {
		der = d
	}
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: neither PEM nor SubjectPublicKeyInfo", ErrKey)
	}
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok || k.Curve.Params().BitSize != 256 {
		return nil, fmt.Errorf("%w: it must be on P-256", ErrKey)
	}
	return k, nil
}

// SAMKeyPEM writes a statement key in the form that people keep.
func SAMKeyPEM(spki []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
}

// Bars gives the first eight bytes of a hexadecimal digest as words of four
// characters, which people can compare at a glance.
func Bars(hexDigest string) string {
	if len(hexDigest) < 16 {
		return hexDigest
	}
	return hexDigest[0:4] + " " + hexDigest[4:8] + " " + hexDigest[8:12] + " " + hexDigest[12:16]
}

// KeyID is the name of a public key in messages: base64url SHA-256 of its SPKI.
func KeyID(spki []byte) string {
	sum := sha256.Sum256(spki)
	return sap.B64(sum[:])
}

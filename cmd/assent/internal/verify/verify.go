// Package verify judges the signatures of a PDF file or an XML document and says in plain words
// what it found: who signed, when and how that is known, how much of the file
// the signature covers, whether the chain ends at a certificate that the
// caller trusts, what the time-stamps say, and what was added afterwards.
//
// A signature is valid only when everything that was checked holds. What is not
// checked is said and never counted as good: revocation where the file carries no
// usable answer of the authorities (the levels below LT), and the chain when the
// caller brings no trusted certificates.
package verify

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
)

// Verdict is the result for a signature or a file.
type Verdict string

// The verdicts. Anything but Valid makes "assent verify" exit with 3.
const (
	Valid         Verdict = "valid"
	NotValid      Verdict = "not valid"
	Indeterminate Verdict = "cannot be decided" // what was checked holds, but something could not be checked
	Unsigned      Verdict = "not signed"
)

// Report is what is known of a file.
type Report struct {
	File       string      `json:"file"`
	Size       int64       `json:"size"`
	SHA256     string      `json:"sha256"`
	Verdict    Verdict     `json:"verdict"`
	Signatures []Signature `json:"signatures"`
	Notes      []string    `json:"notes,omitempty"`
}

// Signature is what is known of one signature or document time-stamp.
type Signature struct {
	Field     string     `json:"field"`
	Kind      string     `json:"kind"`      // "signature" or "document time-stamp"
	SubFilter string     `json:"subfilter"` // encoding named by the file
	Verdict   Verdict    `json:"verdict"`
	Why       []string   `json:"why,omitempty"` // reasons for any verdict but valid
	Level     string     `json:"level,omitempty"`
	Signer    string     `json:"signer,omitempty"` // subject of the certificate whose key signed
	Issuer    string     `json:"issuer,omitempty"`
	Algorithm string     `json:"algorithm,omitempty"`
	Claimed   *time.Time `json:"claimed_time,omitempty"` // written by the signer's software; nobody vouches for it
	Proven    *time.Time `json:"proven_time,omitempty"`  // of the earliest trusted time-stamp
	Reason    string     `json:"reason,omitempty"`
	Location  string     `json:"location,omitempty"`
	Covers    int64      `json:"covers_bytes"`     // the signed bytes end here
	Scope     string     `json:"covers,omitempty"` // of XML: which nodes, in words
	Whole     bool       `json:"covers_whole_file"`
	Revision  int        `json:"revision"`
	Chain     []string   `json:"chain,omitempty"` // subjects, leaf first, up to the trusted one
	Stamps    []Stamp    `json:"time_stamps,omitempty"`
	Later     []string   `json:"later_changes,omitempty"`
	// Revocation is what the file's own validation data says, empty if it settles
	// nothing.
	Revocation string `json:"revocation,omitempty"`

	certificate *x509.Certificate
	others      []*x509.Certificate // in the signature
	value       []byte
}

// Certificate is the one whose key made the signature, nil when it does not
// verify.
func (s *Signature) Certificate() *x509.Certificate { return s.certificate }

// Value is the signature value of the CMS message, whatever the verdict.
func (s *Signature) Value() []byte { return s.value }

// Stamp is one time-stamp over a signature or over the document.
type Stamp struct {
	Time      time.Time `json:"time"`
	Authority string    `json:"authority"`
	Serial    string    `json:"serial"`
	Chain     []string  `json:"chain,omitempty"`
	Trusted   bool      `json:"trusted"`

	chain []*x509.Certificate
}

// Options say what to trust.
type Options struct {
	// Anchors are trusted as they are. Without any, no signature is Valid.
	Anchors []*x509.Certificate
	// Now is when the question is asked; the zero time is the present.
	Now time.Time
	// Limits bounds the reading of the file.
	Limits pdf.Limits
}

// File judges every signature of the PDF or XML document in r. The error is about the file as a
// whole (neither of them, encrypted, over a limit); what is wrong with a signature is in
// the report.
func File(ctx context.Context, name string, r io.ReaderAt, size int64, opt Options) (*Report, error) {
	if opt.Now.IsZero() {
		opt.Now = time.Now()
	}
	rep := &Report{File: name, Size: size, Signatures: []Signature{}}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, size)); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	rep.SHA256 = hex.EncodeToString(h.Sum(nil))
	if IsXML(r) {
		if err := (&judge{ctx: ctx, r: r, size: size, opt: opt}).xml(rep); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return rep, nil
	}
	doc, err := pdf.Open(r, size, opt.Limits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	found, err := doc.Signatures()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if doc.Repaired() {
		rep.Notes = append(rep.Notes, "the file's own table of contents (cross-reference) is broken; viewers may show different things")
	}
	j := judge{ctx: ctx, r: r, size: size, opt: opt}
	for i := range found {
		rep.Signatures = append(rep.Signatures, j.signature(&found[i]))
	}
	j.later(doc, found, rep.Signatures)
	j.status(doc, rep)
	rep.Verdict = overall(rep.Signatures)
	if doc.Repaired() && rep.Verdict == Valid {
		rep.Verdict = Indeterminate
	}
	return rep, nil
}

// overall is the worst verdict; a file without signatures is Unsigned.
func overall(sigs []Signature) Verdict {
	if len(sigs) == 0 {
		return Unsigned
	}
	v := Valid
	for _, s := range sigs {
		switch s.Verdict {
		case NotValid:
			return NotValid
		case Indeterminate:
			v = Indeterminate
		}
	}
	return v
}

func (s *Signature) fail(format string, args ...any) {
	s.Verdict = NotValid
	s.Why = append(s.Why, fmt.Sprintf(format, args...))
}

func (s *Signature) doubt(format string, args ...any) {
	if s.Verdict == Valid {
		s.Verdict = Indeterminate
	}
	s.Why = append(s.Why, fmt.Sprintf(format, args...))
}

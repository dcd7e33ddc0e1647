// Package validate judges the signatures of a PDF file or an XML document and says in plain words
// and in those of EN 319 102-1 what it found: who signed, when and how that is known, how much of the file
// the signature covers, whether the chain ends at a certificate that the
// caller trusts, what the time-stamps say, and what was added afterwards.
//
// A signature is valid only when everything that was checked holds. What is not
// checked is said and never counted as good: revocation where the file carries no
// usable answer of the authorities (the levels below LT), and the chain when the
// caller brings no trusted certificates.
package validate

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/revocation"
	"github.com/assent-sign/assent/internal/secret"
	"github.com/assent-sign/assent/internal/sigpolicy"
	"github.com/assent-sign/assent/internal/xmlsig"
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

// Schema names the form of a Report in JSON. Fields may be added to it; a field that
// goes or changes its meaning gives another name.
const Schema = "assent-validation-report-1"

// Report is what is known of a file.
type Report struct {
	Schema  string  `json:"schema"`
	File    string  `json:"file"`
	Format  string  `json:"format"` // PDF or XML
	Size    int64   `json:"size"`   // bytes
	SHA256  string  `json:"sha256"`
	Verdict Verdict `json:"verdict"`
	Status          // of the signature that is worst; empty if there is none
	// Time is when the question was asked; what is proven to be older is judged at its own time.
	Time       time.Time   `json:"validation_time"`
	Policy     Policy      `json:"policy"`
	Signatures []Signature `json:"signatures"`
	Notes      []string    `json:"notes,omitempty"`
	// Stopped: judging took longer than Options.Patience. Then nothing is known of signatures, not even whether there are any.
	Stopped bool `json:"stopped,omitempty"`
}

// Policy is what was asked of the signatures.
type Policy struct {
	Anchors int `json:"trust_anchors"` // how many were given
	// Revocation is RevocationIfCarried or RevocationRequired.
	Revocation Revocation `json:"revocation"`
	// Level is the lowest that passes, empty for any.
	Level string `json:"level,omitempty"`
	// Parts are Options.Parts.
	Parts []string `json:"parts,omitempty"`
	// SignaturePolicies is how many documents of signature policies were given.
	SignaturePolicies int `json:"signature_policies,omitempty"`
}

// Revocation says whether a signature can pass of whose certificates the file does not
// tell whether they were revoked (the RevocationCheckingConstraints of TS 119 172-1).
type Revocation string

// The policies.
const (
	RevocationIfCarried Revocation = "if_carried" // what the file carries counts; nothing is fetched
	RevocationRequired  Revocation = "required"   // without usable data: TRY_LATER
)

// Part is a piece of the file that a signature covers.
type Part struct {
	Start int64  `json:"start"` // first byte
	End   int64  `json:"end"`   // the byte behind it
	Words string `json:"words"`

	id string // of the element, "" of a document
}

// The kinds of signatures.
const (
	kindSignature = "signature"
	kindStamp     = "document time-stamp"
)

// Signature is what is known of one signature or document time-stamp.
type Signature struct {
	Field     string  `json:"field"`
	Kind      string  `json:"kind"`      // "signature", "document time-stamp" or, of XML, ArchiveTimeStamp
	SubFilter string  `json:"subfilter"` // encoding named by the file
	Verdict   Verdict `json:"verdict"`
	Status            // in the words of EN 319 102-1
	// Present is the answer as if there were no proof that the signature is older than now.
	Present   Status     `json:"at_present"`
	Why       []string   `json:"why,omitempty"` // reasons for any verdict but valid
	Level     string     `json:"level,omitempty"`
	Signer    string     `json:"signer,omitempty"` // subject of the certificate whose key signed
	Issuer    string     `json:"issuer,omitempty"`
	Algorithm string     `json:"algorithm,omitempty"`
	Claimed   *time.Time `json:"claimed_time,omitempty"` // written by the signer's software; nobody vouches for it
	Proven    *time.Time `json:"proven_time,omitempty"`  // of the earliest trusted time-stamp
	Reason    string     `json:"reason,omitempty"`
	Location  string     `json:"location,omitempty"`
	// Policy is the signature policy that the signer signed to have followed, nil if none.
	Policy   *SignaturePolicy `json:"signature_policy,omitempty"`
	Covers   int64            `json:"covers_bytes"`     // the signed bytes end here
	Scope    string           `json:"covers,omitempty"` // of XML: which nodes, in words
	Parts    []Part           `json:"parts,omitempty"`  // what is covered, as bytes of the file
	Whole    bool             `json:"covers_whole_file"`
	Revision int              `json:"revision"`        // of PDF: which signed revision, from 1
	Chain    []string         `json:"chain,omitempty"` // subjects, leaf first, up to the trusted one
	Stamps   []Stamp          `json:"time_stamps,omitempty"`
	Later    []string         `json:"later_changes,omitempty"`
	// Countersigns is the identifier of the signature over whose value this one of XML is, empty of others.
	Countersigns string `json:"countersigns,omitempty"`
	// Unjudged are, in words, statements in the signature that were not judged. The verdict is without them.
	Unjudged []string `json:"unjudged,omitempty"`
	// Warnings are, in words, what does not change the verdict and is not as it should be.
	Warnings []string `json:"warnings,omitempty"`
	// Revocation is what the file's own validation data says, empty if it settles
	// nothing.
	Revocation string `json:"revocation,omitempty"`

	until       time.Time // zero, or when the time of an algorithm was over for which it is not accepted
	settled     bool      // the file tells that nothing was revoked in time
	within      bool      // what tells that stands in messages, and not where a level wants it
	after       time.Time // proven to be made after this time; zero if nothing tells
	certificate *x509.Certificate
	others      []*x509.Certificate // in the signature
	value       []byte
	files       []string          // beside the document, that it covers
	covers      []xmlsig.Coverage // of an XML signature that holds
}

// Certificate is the one whose key made the signature, nil when it does not
// verify.
func (s *Signature) Certificate() *x509.Certificate { return s.certificate }

// Value is the signature value of the CMS message, whatever the verdict.
func (s *Signature) Value() []byte { return s.value }

// Settled tells whether the file shows that no certificate was revoked in time: then
// nothing has to be collected for the signature any more.
func (s *Signature) Settled() bool { return s.settled && !s.within }

// IsTimeStamp tells a document or archive time-stamp from a signature.
func (s *Signature) IsTimeStamp() bool { return s.Kind != kindSignature }

// Stamp is one time-stamp over a signature or over the document.
type Stamp struct {
	Time      time.Time `json:"time"`
	Authority string    `json:"authority"`
	Serial    string    `json:"serial"`
	Chain     []string  `json:"chain,omitempty"`
	Trusted   bool      `json:"trusted"`

	chain   []*x509.Certificate
	before  int       // of XML: so many unsigned properties come before its own
	existed time.Time // when a later time-stamp that covers it proves that it was there; zero if none does
}

// Options say what to trust.
type Options struct {
	// Anchors are trusted as they are. Without any, no signature is Valid.
	Anchors []*x509.Certificate
	// StampAnchors are trusted for time-stamp authorities and for nobody else; without any, those of
	// Anchors are. A signer's certificate must lead to one of Anchors.
	StampAnchors []*x509.Certificate
	// Pool are further certificates that can be part of a path, besides those of the file. Nobody trusts them for that.
	Pool []*x509.Certificate
	// Now is when the question is asked; the zero time is the present.
	Now time.Time
	// Revocation is the policy; empty means RevocationIfCarried.
	Revocation Revocation
	// Level is the lowest baseline level of a signature that passes: B-B, B-T, B-LT or
	// B-LTA; empty for any.
	Level string
	// Patience bounds the time of the judgement; zero does not.
	Patience time.Duration
	// Limits bounds the reading of the file.
	Limits pdf.Limits
	// Password opens a PDF that needs one.
	Password secret.Bytes
	// Parts are the identifiers of those elements of an XML document that the caller goes by. A signature that covers one of
	// them whole is not in doubt for leaving out the rest of the document; but the file only passes if each is
	// covered by a signature that does. Without any, what nobody signed beside what was signed is in doubt.
	Parts []string
	// Detached are files that a signature of XML may name beside its own file.
	Detached []Detached
	// Policies are documents of signature policies; without any, a policy that a signature names is told and not
	// checked. With some, a signature that names one that is not among them is in doubt.
	Policies *sigpolicy.Documents
}

// Detached is a file beside a signature.
type Detached struct {
	Name string // as the reference has it, less percent-encoding
	io.ReaderAt
	Size int64 // bytes
}

// ErrOptions means a policy that is not known.
var ErrOptions = errors.New("validate: unknown policy")

// levels are the baseline levels, the lowest first.
var levels = []string{"B-B", "B-T", "B-LT", "B-LTA"}

// Check tells whether the options are a policy that File knows. ErrOptions.
func (o *Options) Check() error {
	switch o.Revocation {
	case "", RevocationIfCarried, RevocationRequired:
	default:
		return fmt.Errorf("%w: revocation %q: want %s or %s", ErrOptions, o.Revocation, RevocationIfCarried, RevocationRequired)
	}
	if o.Level != "" && !slices.Contains(levels, o.Level) {
		return fmt.Errorf("%w: level %q: want one of %v", ErrOptions, o.Level, levels)
	}
	return nil
}

// File judges every signature of the PDF or XML document in r. The error is about the file as a
// whole (neither of them, encrypted so that it does not open, over a limit; ErrTooMany), or the context's: an interrupted judgement
// is none. What is wrong with a signature is in the report.
func File(ctx context.Context, name string, r io.ReaderAt, size int64, opt Options) (*Report, error) {
	if err := opt.Check(); err != nil {
		return nil, err
	}
	if opt.Now.IsZero() {
		opt.Now = time.Now()
	}
	if opt.Revocation == "" {
		opt.Revocation = RevocationIfCarried
	}
	if len(opt.StampAnchors) == 0 {
		opt.StampAnchors = opt.Anchors
	}
	rep := &Report{Schema: Schema, File: name, Format: "PDF", Size: size, Signatures: []Signature{},
		Time: opt.Now.UTC(), Policy: Policy{Anchors: len(opt.Anchors), Revocation: opt.Revocation, Level: opt.Level, Parts: opt.Parts, SignaturePolicies: opt.Policies.Len()}}
	asked := ctx
	if opt.Patience > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, opt.Patience)
		defer stop()
	}
	err := rep.judge(ctx, name, &patient{ctx, r}, opt)
	if err != nil && ctx.Err() != nil && asked.Err() == nil {
		return rep.stopped(opt.Patience), nil
	}
	if err != nil {
		return nil, err
	}
	return rep, nil
}

// judge fills the report.
func (r *Report) judge(ctx context.Context, name string, file io.ReaderAt, opt Options) error {
	opt.patient(ctx)
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(file, 0, r.Size)); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	r.SHA256 = hex.EncodeToString(h.Sum(nil))
	j := &judge{ctx: ctx, r: file, size: r.Size, opt: opt, memory: revocation.NewMemory(), quiet: map[quiet]bool{}}
	j.given = j.parsed(opt.Pool)
	look := j.pdf
	if IsXML(file) {
		r.Format, look = "XML", j.xml
	}
	err := look(r)
	if ctx.Err() != nil {
		err = ctx.Err() // what was not read because of it is no fault of the file
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.hurried(j)
	r.overall()
	r.wanted(opt.Parts)
	r.signed(opt.Detached)
	return nil
}

// stopped is the report of a judgement that its time ended: what was found by then might not be what would have been
// found in the end.
func (r *Report) stopped(after time.Duration) *Report {
	r.Stopped, r.Verdict, r.Status, r.Signatures = true, Indeterminate, passed(), []Signature{}
	r.worsen(SigConstraintsFailure)
	r.Notes = []string{fmt.Sprintf("judging the file took longer than %s and was stopped: nothing is decided about it", after)}
	return r
}

// pdf judges every signature of a PDF file.
func (j *judge) pdf(rep *Report) error {
	doc, err := pdf.OpenWith(j.r, j.size, j.opt.Limits, j.opt.Password)
	if err != nil {
		return err
	}
	found, err := doc.Signatures()
	if err != nil {
		return err
	}
	if err := bounded(len(found)); err != nil {
		return err
	}
	open := j.read(doc, j.opt.Now, "B-LT", rep)
	j.inside = j.beside(open, j.insidePDF(found), rep)
	j.pool = slices.Concat(j.given, j.told(nil, open)[0].pool)
	for i := range found {
		if err := j.ctx.Err(); err != nil {
			return err
		}
		rep.Signatures = append(rep.Signatures, j.signature(&found[i]))
	}
	j.authorities(rep, open)
	j.times(rep)
	for i := range rep.Signatures {
		if s := &rep.Signatures[i]; s.certificate != nil && s.Kind == kindSignature {
			j.chain(s, s.certificate, s.others)
		}
	}
	j.later(doc, found, rep.Signatures)
	j.status(open, rep)
	for i := range rep.Signatures {
		rep.Signatures[i].named()
		j.demand(&rep.Signatures[i])
	}
	if doc.Repaired() {
		rep.repaired()
	} else if err := j.faces(doc, rep); err != nil {
		return err
	}
	return j.gone(rep, found)
}

// repaired doubts a file of whose content readers may be of different opinions.
func (r *Report) repaired() {
	const text = "the file's own table of contents (cross-reference) is broken; viewers may show different things"
	r.Notes = append(r.Notes, text)
	for i := range r.Signatures {
		r.Signatures[i].doubt(SigConstraintsFailure, text)
	}
}

// overall is the worst of the signatures; a file without any is Unsigned, also if there are
// time-stamps: they say when something existed and not who wants it (D16).
func (r *Report) overall() {
	if r.Verdict = Unsigned; len(r.Signatures) == 0 {
		return
	}
	defer r.onlyStamped()
	r.Verdict, r.Status = Valid, passed()
	for _, s := range r.Signatures {
		if s.Verdict == NotValid || s.Verdict == Indeterminate && r.Verdict == Valid {
			r.Verdict = s.Verdict
		}
		if s.Indication != TotalPassed {
			r.worsen(s.SubIndication)
		}
	}
}

// onlyStamped takes the good verdict from a file that has only time-stamps.
func (r *Report) onlyStamped() {
	if r.Verdict == NotValid || slices.ContainsFunc(r.Signatures, func(s Signature) bool { return !s.IsTimeStamp() }) {
		return
	}
	r.note("there is only a time-stamp; nobody signed")
	r.Verdict = Unsigned
	r.worsen(SigConstraintsFailure)
}

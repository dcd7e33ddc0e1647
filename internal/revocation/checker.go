package revocation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/pkix"
)

// Bounds of a Checker.
const (
	maxDepth      = 4   // signers of statements about signers of statements
	maxStatements = 400 // given to a Checker, of each kind
	maxSignatures = 400 // verified on statements
	maxReasons    = 12  // told in an error about one certificate
)

// DefaultMaxAge is how old a statement may be that does not say when the next one
// is due.
const DefaultMaxAge = 24 * time.Hour

// Config says what a Checker decides on.
type Config struct {
	// At is the time at which statements must be current: made before it and not yet
	// due to be replaced. For a check of today it is now; for statements found in a
	// signature the time at which they are proven to have existed.
	At time.Time
	// After, unless zero, is the time after which a statement about the end
	// certificate of the path must have been made to count as good: the time of the
	// signature. Of authorities and signers of statements it is enough that the
	// statement is current, since their lists appear rarely. Revoked counts whenever
	// it was said.
	After time.Time
	// Existed, unless zero, is a time at which what was signed is proven to have
	// existed. A revocation at a later time is reported and is no error.
	Existed time.Time
	// Skew is how far clocks may differ; zero means none.
	Skew time.Duration
	// MaxAge is for statements without a nextUpdate; zero means DefaultMaxAge.
	MaxAge time.Duration
	// Pool are certificates of possible signers of statements.
	Pool []*pkix.Certificate
	// CRLs and Responses are statements at hand. They are verified before they count.
	CRLs      []*CRL
	Responses []*Response
	// Fetcher gets what the statements at hand do not decide; nil: nothing is fetched.
	Fetcher *Fetcher
	// Memory is shared with other Checkers of the same statements; nil: nothing is.
	Memory *Memory
}

// Finding is what was decided about a certificate, and on what.
type Finding struct {
	Certificate *pkix.Certificate
	// RevokedAt is set if it was revoked after Config.Existed; Reason is why.
	RevokedAt time.Time
	Reason    Reason
	// Evidence is what the finding rests on, and what the evidence rests on.
	Evidence []Evidence
}

// Evidence is a verified statement: a CRL or an OCSP response.
type Evidence struct {
	CRL      *CRL
	Response *Response
	// Signer leads from the certificate whose key signed the statement to the anchor.
	Signer []*pkix.Certificate
	// Source is where it was fetched; empty when it was at hand.
	Source string
}

// RevokedError says when and why. It is an ErrRevoked.
type RevokedError struct {
	Certificate *pkix.Certificate
	At          time.Time
	Reason      Reason
}

// Error implements error.
func (e *RevokedError) Error() string {
	return fmt.Sprintf("%v: %s at %s (%s)", ErrRevoked, e.Certificate, e.At.UTC().Format(time.RFC3339), e.Reason)
}

// Unwrap makes it an ErrRevoked.
func (e *RevokedError) Unwrap() error { return ErrRevoked }

// Checker decides about paths. It remembers what it verified; one Checker is for
// one question (one time, one set of statements) and one goroutine.
type Checker struct {
	cfg        Config
	done       map[string]*Finding // by the octets of certificate and anchor
	open       map[string]bool     // being decided
	signers    map[signerKey]*signerResult
	fetched    map[string]got // outcomes of exchanges, good or bad
	leaned     int            // times that something stood on a certificate that was being decided
	signatures int
	heard      bool
	news       bool // only bad news is looked for
}

// Heard tells whether a verified statement said of anything that it was revoked. If none did, the answers do not depend on
// Config.Existed.
func (k *Checker) Heard() bool { return k.heard }

type signerKey struct {
	crl            *CRL
	issuer, anchor *pkix.Certificate // of the certificate in question
	wide           bool
}

type signerResult struct {
	chain    []*pkix.Certificate
	evidence []Evidence
	err      error
}

// New returns a Checker. ErrLimit when it is given more statements than it would look at.
func New(cfg Config) (*Checker, error) {
	if len(cfg.CRLs) > maxStatements || len(cfg.Responses) > maxStatements {
		return nil, fmt.Errorf("%w: more than %d statements", ErrLimit, maxStatements)
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = DefaultMaxAge
	}
	return &Checker{cfg: cfg, done: map[string]*Finding{}, open: map[string]bool{}, signers: map[signerKey]*signerResult{}, fetched: map[string]got{}}, nil
}

// Check decides about every certificate of a valid path but the anchor, from the
// anchor down. The first that is revoked, or about which nothing can be decided,
// ends it with an error: a RevokedError or ErrUndetermined.
func (k *Checker) Check(ctx context.Context, p *pkix.Path) ([]Finding, error) {
	return k.path(ctx, p.Chain, 0)
}

// Revocations looks for bad news only: it gives what was revoked after Config.Existed, and a
// RevokedError for what was before. A certificate about which nothing can be decided does
// not end it, and does not count as good.
func (k *Checker) Revocations(ctx context.Context, p *pkix.Path) ([]Finding, error) {
	var out []Finding
	k.news = true
	defer func() { k.news = false }()
	for i := len(p.Chain) - 2; i >= 0; i-- {
		f, err := k.one(ctx, p.Chain[i:], 0, i == 0)
		if errors.Is(err, ErrRevoked) || ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		if err == nil && f != nil && !f.RevokedAt.IsZero() {
			out = append(out, *f)
		}
	}
	return out, nil
}

func (k *Checker) path(ctx context.Context, chain []*pkix.Certificate, depth int) ([]Finding, error) {
	var out []Finding
	for i := len(chain) - 2; i >= 0; i-- {
		f, err := k.one(ctx, chain[i:], depth, i == 0 && depth == 0)
		if err != nil {
			return nil, err
		}
		if f != nil {
			out = append(out, *f)
		}
	}
	return out, nil
}

// one decides about the first certificate of a chain whose others are decided. nil
// without an error stands for one that is being decided further up: an issuer of
// CRLs whose own status is on its own list (as PKITS 4.14.30 has it). end tells that
// it is the certificate that After is about.
func (k *Checker) one(ctx context.Context, chain []*pkix.Certificate, depth int, end bool) (*Finding, error) {
	cert := chain[0]
	key := fmt.Sprint(end) + string(cert.Raw) + string(chain[len(chain)-1].Raw)
	if f := k.done[key]; f != nil {
		return f, nil
	}
	if k.open[key] {
		k.leaned++
		return nil, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: %s: too many signers of statements about signers of statements", ErrUndetermined, cert)
	}
	k.open[key] = true
	defer delete(k.open, key)
	leaned := k.leaned
	f, err := k.decide(ctx, &question{chain: chain, depth: depth, end: end})
	if err != nil {
		return nil, err
	}
	if leaned == k.leaned { // else it holds only together with what it leans on
		k.done[key] = f
	}
	return f, nil
}

// question is one certificate with its path, and why statements about it did not
// count.
type question struct {
	chain   []*pkix.Certificate // the certificate, its issuer, ..., the anchor
	depth   int
	end     bool // Config.After is about it
	why     []error
	unknown bool // a responder does not know the certificate: no list makes it good
}

func (q *question) cert() *pkix.Certificate   { return q.chain[0] }
func (q *question) issuer() *pkix.Certificate { return q.chain[1] }
func (q *question) anchor() *pkix.Certificate { return q.chain[len(q.chain)-1] }

// no notes why a statement did not count, and tells whether there is a reason.
func (q *question) no(err error) bool {
	if err != nil && len(q.why) < maxReasons {
		q.why = append(q.why, err)
	}
	return err != nil
}

// decide asks the statements at hand, all of them, and then one source after the
// other. Revoked wins over good.
func (k *Checker) decide(ctx context.Context, q *question) (*Finding, error) {
	byOCSP, err := k.byResponses(ctx, q, k.cfg.Responses, "")
	if err != nil {
		return nil, err
	}
	byCRL, err := k.byCRLs(ctx, q, k.cfg.CRLs, nil)
	if err != nil {
		return nil, err
	}
	for _, f := range []*Finding{byOCSP, byCRL} {
		if f != nil {
			return f, nil
		}
	}
	if q.cert().NoRevAvail { // RFC 9608; that it was revoked, should somebody say so, counts all the same
		return &Finding{Certificate: q.cert()}, nil
	}
	f, err := k.fetch(ctx, q)
	if f != nil || err != nil {
		return f, err
	}
	if len(q.why) == 0 {
		return nil, fmt.Errorf("%w: %s: none was found", ErrUndetermined, q.cert())
	}
	return nil, fmt.Errorf("%w: %s: %w", ErrUndetermined, q.cert(), errors.Join(q.why...))
}

// verdict makes a finding or an error of what a verified statement says.
func (k *Checker) verdict(q *question, revoked *RevokedError, evidence []Evidence) (*Finding, error) {
	f := &Finding{Certificate: q.cert(), Evidence: evidence}
	if revoked == nil {
		return f, nil
	}
	k.heard = true
	if k.cfg.Existed.IsZero() || !revoked.At.After(k.cfg.Existed) {
		return nil, revoked
	}
	f.RevokedAt, f.Reason = revoked.At, revoked.Reason
	return f, nil
}

// current is about the time of a statement: it must be made at or before At and
// its successor must not be due.
func (k *Checker) current(thisUpdate, nextUpdate time.Time) error {
	at := k.cfg.At
	switch {
	case thisUpdate.After(at.Add(k.cfg.Skew)):
		return &untimely{ErrFuture, "of", thisUpdate, at}
	case nextUpdate.IsZero() && thisUpdate.Before(at.Add(-k.cfg.MaxAge)):
		return &untimely{ErrStale, "without nextUpdate, of", thisUpdate, at}
	case !nextUpdate.IsZero() && nextUpdate.Before(at.Add(-k.cfg.Skew)):
		return &untimely{ErrStale, "until", nextUpdate, at}
	}
	return nil
}

// untimely is the error about a statement of another time. A file that was renewed for decades has thousands, and hardly any is
// ever read, so that it is written when it is.
type untimely struct {
	kind     error
	how      string
	date, at time.Time
}

// Error implements error.
func (e *untimely) Error() string {
	return fmt.Sprintf("%v: %s %s, at %s", e.kind, e.how, e.date.Format(time.RFC3339), e.at.UTC().Format(time.RFC3339))
}

// Unwrap tells ErrFuture from ErrStale.
func (e *untimely) Unwrap() error { return e.kind }

// after is about what a good statement is wanted for.
func (k *Checker) after(q *question, thisUpdate time.Time) error {
	if q.end && !k.cfg.After.IsZero() && thisUpdate.Before(k.cfg.After) {
		return fmt.Errorf("%w: of %s, wanted after %s", ErrTooEarly, thisUpdate.Format(time.RFC3339), k.cfg.After.UTC().Format(time.RFC3339))
	}
	return nil
}

// verify checks a statement's signature, within the bound on how many; a Memory has its own.
func (k *Checker) verify(signer *pkix.Certificate, algorithm, signed, signature []byte) error {
	if k.signatures++; k.signatures > maxSignatures && k.cfg.Memory == nil {
		return fmt.Errorf("%w: more than %d signatures of statements", ErrLimit, maxSignatures)
	}
	if err := k.cfg.Memory.signature(signer, algorithm, signed, signature); err != nil {
		return fmt.Errorf("%w: with the key of %s: %w", ErrSignature, signer, err)
	}
	return nil
}

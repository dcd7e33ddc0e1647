package extend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/assent-sign/assent/internal/augment"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// Why an XML document is not extended, besides the reasons for a PDF.
var (
	ErrNotXAdES = errors.New("extend: not a XAdES baseline signature")
	ErrChoice   = errors.New("extend: there is no such signature")
	ErrBreaks   = errors.New("extend: what is added would break a signature that covers its place")
)

// xmlJob is one XML document on its way. Nothing is written before it is at its level.
type xmlJob struct {
	ctx  context.Context
	cfg  Config
	name string
	in   io.ReaderAt
	size int64

	base   *xmlsig.Document // as it was given
	before *validate.Report
	chosen []int            // of its signatures
	added  map[int][]string // properties, by signature
	done   []string

	now *spliced // as it is now
	doc *xmlsig.Document
	rep *validate.Report
	at  []int // where the report has each signature; its archive time-stamps follow

	unfetched error // what could not be fetched
}

// XML reads an XML document with XAdES signatures, enveloped, enveloping or detached, and writes it with
// all of them, or those of Config.Signatures, at the level (ADE-03; EN 319 132-1, 5.3 to 5.5 and 6.3). A
// signature that has the level B-LTA is renewed: what is to be known of the authority of its last archive
// time-stamp is added, and a further archive time-stamp over that.
//
// All bytes stay but those of unsigned properties, and what they hold stays too: properties are put in
// behind the others. name is for messages.
//
// Errors: the sentinels of this package, those of tsp, longterm, c14n and xmlsig, and of the
// context. On an error the output is not to be used.
func XML(ctx context.Context, name string, in io.ReaderAt, size int64, out Output, level Level, cfg Config) (*Result, error) {
	if !slices.Contains([]Level{LevelT, LevelLT, LevelLTA}, level) {
		return nil, fmt.Errorf("%w: %q", ErrLevel, level)
	}
	if level != LevelT && cfg.Collector == nil {
		return nil, fmt.Errorf("%w: no validation data can be asked for", ErrLevel)
	}
	cfg.defaults()
	j := &xmlJob{ctx: ctx, cfg: cfg, name: name, in: in, size: size, added: map[int][]string{}}
	if err := j.complete(); err != nil {
		return nil, err
	}
	if err := j.look(); err != nil {
		return nil, err
	}
	j.base, j.before = j.doc, j.rep
	if err := j.extendable(); err != nil {
		return nil, fmt.Errorf("%w%s", err, lacks(j.unfetched))
	}
	if err := j.steps(level); err != nil {
		return nil, fullIf(err)
	}
	if len(j.done) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNothing, level)
	}
	if err := copyFile(ctx, out, j.now, j.now.size); err != nil {
		return nil, err
	}
	if err := j.reached(out, level); err != nil {
		return nil, fullIf(fmt.Errorf("%w: %w", ErrReached, err))
	}
	return &Result{Size: j.now.size, Added: j.done, Report: j.rep}, nil
}

func (j *xmlJob) steps(level Level) error {
	steps := []func(i int) error{j.prove}
	switch level {
	case LevelLT:
		steps = append(steps, func(i int) error { return j.keep(i, false) })
	case LevelLTA:
		steps = append(steps, func(i int) error { return j.keep(i, true) }, j.archive, j.archived)
	}
	for _, step := range steps {
		was := len(j.done)
		for _, i := range j.chosen {
			if err := step(i); err != nil {
				return fmt.Errorf("signature %q: %w", j.doc.Signatures[i].ID, err)
			}
		}
		if len(j.done) == was {
			continue
		}
		if err := j.look(); err != nil {
			return err
		}
	}
	return nil
}

// look reads and judges the document as it is now.
func (j *xmlJob) look() error {
	var err error
	if j.now, err = j.splice(); err != nil {
		return err
	}
	return j.judge(j.now)
}

func (j *xmlJob) judge(r io.ReaderAt) (err error) {
	opt := validate.Options{Anchors: j.cfg.Anchors, StampAnchors: j.cfg.StampAnchors, Pool: j.cfg.Pool, Now: j.cfg.Now(), Detached: j.cfg.Detached, Parts: j.cfg.Parts}
	// First: it refuses what is no document of XML.
	if j.rep, err = validate.File(j.ctx, j.name, r, j.now.size, opt); err != nil {
		return err
	}
	if j.doc, err = xmlsig.Read(r, j.now.size, c14n.Limits{}); err != nil {
		return fmt.Errorf("%s: %w", j.name, err)
	}
	j.doc.Detached = func(uri string) (xmlsig.File, bool) { return validate.Beside(j.cfg.Detached, uri) }
	n := 0
	j.at = nil
	for i := range j.doc.Signatures {
		s := &j.doc.Signatures[i]
		if j.at = append(j.at, n); n >= len(j.rep.Signatures) || j.rep.Signatures[n].Field != s.ID || j.rep.Signatures[n].IsTimeStamp() {
			return fmt.Errorf("%w: signature %q was read and not judged", ErrNotValid, s.ID)
		}
		if n++; s.Properties != nil {
			n += len(s.Properties.Archives)
		}
	}
	if n != len(j.rep.Signatures) {
		return fmt.Errorf("%w: %d signatures were read and %d judged", ErrNotValid, n, len(j.rep.Signatures))
	}
	return nil
}

// judged is what the report says of a signature.
func (j *xmlJob) judged(i int) *validate.Signature { return &j.rep.Signatures[j.at[i]] }

// archives are what it says of the signature's archive time-stamps.
func (j *xmlJob) archives(i int) []validate.Signature {
	from := j.at[i] + 1
	return j.rep.Signatures[from : from+len(j.doc.Signatures[i].Properties.Archives)]
}

// extendable chooses the signatures and refuses what must not be vouched for, and what is not XAdES.
func (j *xmlJob) extendable() error {
	if err := j.choose(); err != nil {
		return err
	}
	if len(j.cfg.Signatures) == 0 && j.rep.Verdict != validate.Valid {
		if len(j.chosen) == 0 {
			return fmt.Errorf("%w: %s has no signature", ErrNotValid, j.name)
		}
		for i := range j.doc.Signatures {
			if why := j.wrong(i); why != "" {
				return fmt.Errorf("%w: %s", ErrNotValid, why)
			}
		}
		return fmt.Errorf("%w: %s is %s: %q", ErrNotValid, j.name, j.rep.Words(), j.rep.Notes)
	}
	for _, i := range j.chosen {
		if why := j.wrong(i); why != "" {
			return fmt.Errorf("%w: %s", ErrNotValid, why)
		}
		in := &j.doc.Signatures[i]
		if l := j.judged(i).Level; !strings.HasPrefix(l, "B-") {
			return fmt.Errorf("%w: signature %q in %s: %s; only the software that made it can add what it lacks", ErrNotXAdES, in.ID, j.name, l)
		}
		if err := j.alone(in); err != nil {
			return err
		}
		place, err := in.Place()
		if err != nil {
			return err
		}
		if of, r, covered := j.doc.Covering(place.Offset); covered {
			return fmt.Errorf("%w: the reference to %q of signature %q covers the properties of %q; extend %q alone: an archive time-stamp of it is over all that it covers", ErrBreaks, r.URI, of.ID, in.ID, of.ID)
		}
	}
	return nil
}

// alone refuses a counter-signature whose properties are under a time-stamp of the signature that it stands in, or will be.
func (j *xmlJob) alone(in *xmlsig.Signature) error {
	outer := j.doc.Countersigned(in)
	if outer == nil {
		return nil
	}
	for _, i := range j.chosen {
		if j.doc.Signatures[i].ID == outer.ID || outer.Properties != nil && len(outer.Properties.Archives) > 0 {
			return fmt.Errorf("%w: %q is a counter-signature in %q, whose archive time-stamps cover it; extend %q alone (--signature)", ErrBreaks, in.ID, outer.ID, outer.ID)
		}
	}
	return nil
}

func (j *xmlJob) choose() error {
	var all []string
	for i := range j.doc.Signatures {
		all = append(all, j.doc.Signatures[i].ID)
		if len(j.cfg.Signatures) == 0 || slices.Contains(j.cfg.Signatures, j.doc.Signatures[i].ID) {
			j.chosen = append(j.chosen, i)
		}
	}
	for _, id := range j.cfg.Signatures {
		if !slices.Contains(all, id) {
			return fmt.Errorf("%w: %q in %s; there are %q", ErrChoice, id, j.name, all)
		}
	}
	return nil
}

// wrong says why a signature or an archive time-stamp of it is not TOTAL-PASSED, and what may help; empty if all are.
func (j *xmlJob) wrong(i int) string {
	for k, s := range append([]validate.Signature{*j.judged(i)}, j.archivesOf(i)...) {
		if s.Verdict == validate.Valid {
			continue
		}
		what := fmt.Sprintf("signature %q", s.Field)
		if k > 0 {
			what = fmt.Sprintf("archive time-stamp %d of signature %q", k, j.doc.Signatures[i].ID)
		}
		return fmt.Sprintf("%s in %s is %s: %q; %s", what, j.name, s.Words(), s.Why, remedy(s.SubIndication))
	}
	return ""
}

func (j *xmlJob) archivesOf(i int) []validate.Signature {
	if j.doc.Signatures[i].Properties == nil {
		return nil
	}
	return j.archives(i)
}

// remedy says what may help.
func remedy(sub validate.SubIndication) string {
	switch sub {
	case validate.NoCertificateChainFound, validate.NoPOE:
		return "give the roots of its signer and of its time-stamp authorities, if you trust them"
	case validate.SignedDataNotFound:
		return "give the files that it names"
	case validate.OutOfBoundsNoPOE:
		return "nothing proves any more that it is older; extend a copy that was time-stamped in time, if there is one"
	case validate.HashFailure, validate.FormatFailure, validate.SigCryptoFailure:
		return "get the document as it was signed"
	case validate.Revoked, validate.RevokedNoPOE, validate.RevokedCANoPOE, validate.Expired, validate.NotYetValid:
		return "it has to be signed anew"
	}
	return "a time-stamp over it would vouch for what is not decided"
}

// reached judges what was written: each chosen signature is at the level, and of the others nothing changed.
func (j *xmlJob) reached(out io.ReaderAt, level Level) error {
	if level != LevelT && len(j.chosen) == len(j.doc.Signatures) {
		j.cfg.Pool = nil // a verifier has what the file carries
	}
	if err := j.judge(out); err != nil {
		return err
	}
	order := []Level{LevelT, LevelLT, LevelLTA}
	n := 0
	for i := range j.doc.Signatures {
		s := j.judged(i)
		if slices.Contains(j.chosen, i) {
			if why := j.wrong(i); why != "" {
				return errors.New(why)
			}
			if slices.Index(order, Level(s.Level)) < slices.Index(order, level) {
				return fmt.Errorf("signature %q is at %s", s.Field, s.Level)
			}
			n += 1 + len(j.base.Signatures[i].Properties.Archives)
			continue
		}
		for _, now := range append([]validate.Signature{*s}, j.archivesOf(i)...) {
			if was := &j.before.Signatures[n]; was.Status != now.Status || was.Verdict != now.Verdict || was.Level != now.Level {
				return fmt.Errorf("signature %q was %s at %s and would be %s at %s", s.Field, was.Words(), was.Level, now.Words(), now.Level)
			}
			n++
		}
	}
	return nil
}

func (j *xmlJob) add(i int, what, property string) {
	j.added[i] = append(j.added[i], property)
	j.done = append(j.done, fmt.Sprintf(what, j.doc.Signatures[i].ID))
}

// writer writes properties that do not depend on the prefixes of the document.
var writer = augment.Writer{Declare: true}

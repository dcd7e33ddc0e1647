package tsp

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/cms"
)

var (
	tag0      = cbasn1.Tag(0).ContextSpecific().Constructed()
	tag1      = cbasn1.Tag(1).ContextSpecific().Constructed()
	tagMillis = cbasn1.Tag(0).ContextSpecific()
	tagMicros = cbasn1.Tag(1).ContextSpecific()
	tagDN     = cbasn1.Tag(4).ContextSpecific().Constructed()
)

// maxExtensions bounds the extensions of a token.
const maxExtensions = 16

// tstInfo is TSTInfo (RFC 3161 section 2.4.2).
type tstInfo struct {
	policy      asn1.ObjectIdentifier
	hash        crypto.Hash
	imprint     []byte
	serial      *big.Int
	time        time.Time
	accuracy    time.Duration // 0: not given
	ordering    bool
	nonce       *big.Int // nil: none
	tsaName     []byte   // DER of the directory name, nil when absent
	hasCritical bool     // a critical extension is present
}

func (t *tstInfo) marshal() ([]byte, error) {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1ObjectIdentifier(t.policy)
		addImprint(b, t.hash, t.imprint)
		b.AddASN1BigInt(t.serial)
		b.AddASN1(cbasn1.GeneralizedTime, func(b *cryptobyte.Builder) { b.AddBytes(encodeTime(t.time)) })
		addAccuracy(b, t.accuracy)
		if t.ordering {
			b.AddASN1Boolean(true)
		}
		if t.nonce != nil {
			b.AddASN1BigInt(t.nonce)
		}
		if t.tsaName != nil {
			b.AddASN1(tag0, func(b *cryptobyte.Builder) {
				b.AddASN1(tagDN, func(b *cryptobyte.Builder) { b.AddBytes(t.tsaName) })
			})
		}
	})
	return b.Bytes()
}

func parseTSTInfo(der []byte) (*tstInfo, error) {
	input := cryptobyte.String(der)
	var body cryptobyte.String
	var version int
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !input.Empty() || !body.ReadASN1Integer(&version) || version != 1 {
		return nil, fmt.Errorf("%w: not a TSTInfo of version 1", ErrMalformed)
	}
	t := &tstInfo{}
	var err error
	if t.policy, err = cms.ReadOID(&body, "policy"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	t.hash, t.imprint, err = readImprint(&body)
	if errors.Is(err, cms.ErrAlgorithm) {
		return nil, fmt.Errorf("%w: of the imprint: %w", ErrAlgorithm, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrImprint, err)
	}
	if t.serial, err = readBig(&body, "serialNumber"); err != nil {
		return nil, err
	}
	var stamp cryptobyte.String
	if !body.ReadASN1(&stamp, cbasn1.GeneralizedTime) {
		return nil, fmt.Errorf("%w: genTime", ErrMalformed)
	}
	if t.time, err = decodeTime(stamp); err != nil {
		return nil, err
	}
	return t, t.readOptional(&body)
}

func (t *tstInfo) readOptional(body *cryptobyte.String) error {
	var err error
	if body.PeekASN1Tag(cbasn1.SEQUENCE) {
		if t.accuracy, err = readAccuracy(body); err != nil {
			return err
		}
	}
	if body.PeekASN1Tag(cbasn1.BOOLEAN) && !body.ReadASN1Boolean(&t.ordering) {
		return fmt.Errorf("%w: ordering", ErrMalformed)
	}
	if body.PeekASN1Tag(cbasn1.INTEGER) {
		if t.nonce, err = readBig(body, "nonce"); err != nil {
			return err
		}
	}
	var name, extensions cryptobyte.String
	var hasName, hasExtensions bool
	if !body.ReadOptionalASN1(&name, &hasName, tag0) || !body.ReadOptionalASN1(&extensions, &hasExtensions, tag1) || !body.Empty() {
		return fmt.Errorf("%w: extra elements in TSTInfo", ErrMalformed)
	}
	if hasName && name.PeekASN1Tag(tagDN) {
		var dn cryptobyte.String
		if !name.ReadASN1(&dn, tagDN) || !name.Empty() {
			return fmt.Errorf("%w: tsa", ErrMalformed)
		}
		t.tsaName = dn
	}
	return t.readExtensions(extensions)
}

// readExtensions only looks for critical ones: none is understood.
func (t *tstInfo) readExtensions(s cryptobyte.String) error {
	for n := 0; !s.Empty(); n++ {
		var ext, value cryptobyte.String
		if n == maxExtensions || !s.ReadASN1(&ext, cbasn1.SEQUENCE) {
			return fmt.Errorf("%w: extensions of TSTInfo", ErrMalformed)
		}
		if _, err := cms.ReadOID(&ext, "extension"); err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		critical := false
		if ext.PeekASN1Tag(cbasn1.BOOLEAN) && !ext.ReadASN1Boolean(&critical) {
			return fmt.Errorf("%w: extension of TSTInfo", ErrMalformed)
		}
		if !ext.ReadASN1(&value, cbasn1.OCTET_STRING) || !ext.Empty() {
			return fmt.Errorf("%w: extension of TSTInfo", ErrMalformed)
		}
		t.hasCritical = t.hasCritical || critical
	}
	return nil
}

// encodeTime writes GeneralizedTime in DER: UTC, the fraction (milliseconds)
// without trailing zeros and without a bare point (RFC 3161 section 2.4.2).
func encodeTime(at time.Time) []byte {
	s := at.UTC().Format("20060102150405.000")
	return []byte(strings.TrimRight(strings.TrimRight(s, "0"), ".") + "Z")
}

// decodeTime reads GeneralizedTime in UTC with an optional fraction.
func decodeTime(raw []byte) (time.Time, error) {
	bad := fmt.Errorf("%w: genTime %q", ErrMalformed, raw[:min(len(raw), 40)])
	if len(raw) < 15 || len(raw) > 30 || len(bytes.Trim(raw, "0123456789.Z")) != 0 {
		return time.Time{}, bad
	}
	at, err := time.Parse("20060102150405Z", string(raw)) // accepts a fraction
	if err != nil {
		return time.Time{}, bad
	}
	return at, nil
}

// addAccuracy writes Accuracy to the microsecond; nothing for 0.
func addAccuracy(b *cryptobyte.Builder, a time.Duration) {
	if a <= 0 {
		return
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if s := int64(a / time.Second); s > 0 {
			b.AddASN1Int64(s)
		}
		if ms := int64(a % time.Second / time.Millisecond); ms > 0 {
			b.AddASN1Int64WithTag(ms, tagMillis)
		}
		if us := int64(a % time.Millisecond / time.Microsecond); us > 0 {
			b.AddASN1Int64WithTag(us, tagMicros)
		}
	})
}

func readAccuracy(s *cryptobyte.String) (time.Duration, error) {
	bad := fmt.Errorf("%w: accuracy", ErrMalformed)
	var body cryptobyte.String
	var sec, ms, us int64
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) {
		return 0, bad
	}
	if body.PeekASN1Tag(cbasn1.INTEGER) && !body.ReadASN1Integer(&sec) {
		return 0, bad
	}
	if body.PeekASN1Tag(tagMillis) && !body.ReadASN1Int64WithTag(&ms, tagMillis) {
		return 0, bad
	}
	if body.PeekASN1Tag(tagMicros) && !body.ReadASN1Int64WithTag(&us, tagMicros) {
		return 0, bad
	}
	const maxSeconds = 100 * 365 * 86400 // more would overflow, and means nothing
	if !body.Empty() || sec < 0 || sec > maxSeconds || ms < 0 || ms > 999 || us < 0 || us > 999 {
		return 0, bad
	}
	return time.Duration(sec)*time.Second + time.Duration(ms)*time.Millisecond + time.Duration(us)*time.Microsecond, nil
}

package mds_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/mds"
	"github.com/assent-sign/assent/internal/mds/mdstest"
)

const model = "cb69481e-8ff7-4039-93ec-0a2729a154a8"

func options(s *mdstest.Service) mds.Options {
	return mds.Options{Roots: []*x509.Certificate{s.Root}, Name: mdstest.Name, Now: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}
}

// ENR-03: a metadata BLOB by RS256 and ES256 gives models, anchors and reports;
// which reports end the trust is a literal list.
func TestENR03MetadataIsRead(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256"} {
		s := mdstest.New(t, alg)
		b, err := mds.Read(append(s.Blob(7, "2026-12-01",
			mdstest.Entry{AAGUID: model, Statuses: []string{"FIDO_CERTIFIED_L1", "UPDATE_AVAILABLE"}, Anchors: []*x509.Certificate{s.Root}},
			mdstest.Entry{AAGUID: "00000000-0000-0000-0000-000000000001", Statuses: []string{"FIDO_CERTIFIED", "USER_VERIFICATION_BYPASS", "UPDATE_AVAILABLE"}},
		), '\n'), options(s))
		if err != nil {
			t.Fatal(err)
		}
		id, err := mds.ParseAAGUID(model)
		if err != nil {
			t.Fatal(err)
		}
		e := b.Entries[id]
		if b.No != 7 || b.NextUpdate.Format(time.DateOnly) != "2026-12-01" || len(b.Entries) != 2 || len(e.Anchors) != 1 || e.Compromise() != "" {
			t.Errorf("%+v, %+v", b, e)
		}
		// An update behind a compromise does not undo it.
		if other := b.Entries[mds.AAGUID{15: 1}]; other.Compromise() != mds.StatusUVBypass {
			t.Errorf("%+v", other)
		}
	}
	for status, want := range map[mds.Status]bool{
		"REVOKED": true, "USER_VERIFICATION_BYPASS": true, "ATTESTATION_KEY_COMPROMISE": true, "USER_KEY_REMOTE_COMPROMISE": true,
		"USER_KEY_PHYSICAL_COMPROMISE": true, "UPDATE_AVAILABLE": false, "NOT_FIDO_CERTIFIED": false, "FIDO_CERTIFIED_L3plus": false, "revoked": false,
	} {
		if status.Compromised() != want {
			t.Errorf("%s: %v", status, !want)
		}
	}
}

// ENR-03: metadata that is not signed by the configured service, or that could be
// read in two ways, is refused.
func TestENR03MetadataThatIsRefused(t *testing.T) {
	s, other, rs := mdstest.New(t, "ES256"), mdstest.New(t, "ES256"), mdstest.New(t, "RS256")
	good := s.Blob(7, "2026-12-01", mdstest.Entry{AAGUID: model})
	entries := []any{map[string]any{"aaguid": model}}
	body := func(no int64, next string, list any) map[string]any {
		return map[string]any{"no": no, "nextUpdate": next, "entries": list}
	}
	parts := strings.Split(string(good), ".")
	late := options(s)
	late.Now = late.Now.AddDate(40, 0, 0)
	renamed := options(s)
	renamed.Name = "mds.example"
	for name, c := range map[string]struct {
		want error
		text []byte
		opt  mds.Options
	}{
		"genuine":               {nil, good, options(s)},
		"other root":            {mds.ErrSignature, good, options(other)},
		"other name":            {mds.ErrSignature, good, renamed},
		"signer ran out":        {mds.ErrSignature, good, late},
		"no roots":              {mds.ErrSignature, good, mds.Options{Now: options(s).Now}},
		"payload changed":       {mds.ErrSignature, []byte(parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2]), options(s)},
		"signature changed":     {mds.ErrSignature, append(bytes.Clone(good[:len(good)-20]), []byte("AAAAAAAAAAAAAAAAAAAA")...), options(s)},
		"no signature":          {mds.ErrSignature, []byte(parts[0] + "." + parts[1] + "."), options(s)},
		"alg none":              {mds.ErrSignature, s.Sign(body(7, "2026-12-01", entries), map[string]any{"alg": "none"}), options(s)},
		"alg of another key":    {mds.ErrSignature, s.Sign(body(7, "2026-12-01", entries), map[string]any{"alg": "RS256"}), options(s)},
		"RSA under ES256":       {mds.ErrSignature, rs.Sign(body(7, "2026-12-01", entries), map[string]any{"alg": "ES256"}), options(rs)},
		"HMAC":                  {mds.ErrSignature, s.Sign(body(7, "2026-12-01", entries), map[string]any{"alg": "HS256"}), options(s)},
		"own key in the header": {mds.ErrFormat, s.Sign(body(7, "2026-12-01", entries), map[string]any{"jwk": map[string]any{}}), options(s)},
		"critical extension":    {mds.ErrFormat, s.Sign(body(7, "2026-12-01", entries), map[string]any{"crit": []string{"b64"}}), options(s)},
		"address of a key":      {mds.ErrFormat, s.Sign(body(7, "2026-12-01", entries), map[string]any{"x5u": "https://example.org"}), options(s)},
		"no certificate":        {mds.ErrFormat, s.Sign(body(7, "2026-12-01", entries), map[string]any{"x5c": nil}), options(s)},
		"other type":            {mds.ErrFormat, s.Sign(body(7, "2026-12-01", entries), map[string]any{"typ": "at+jwt"}), options(s)},
		"four parts":            {mds.ErrFormat, append(bytes.Clone(good), ".x"...), options(s)},
		"empty":                 {mds.ErrFormat, nil, options(s)},
		"dots":                  {mds.ErrFormat, bytes.Repeat([]byte("."), 1<<20), options(s)},
		"padding":               {mds.ErrFormat, append(bytes.Clone(good), '='), options(s)},
		"too large":             {mds.ErrSize, make([]byte, mds.MaxSize+1), options(s)},
		"no number":             {mds.ErrFormat, s.Sign(body(0, "2026-12-01", entries), nil), options(s)},
		"no next update":        {mds.ErrFormat, s.Sign(body(7, "soon", entries), nil), options(s)},
		"no entries":            {mds.ErrFormat, s.Sign(body(7, "2026-12-01", []any{}), nil), options(s)},
		"one model twice":       {mds.ErrFormat, s.Blob(7, "2026-12-01", mdstest.Entry{AAGUID: model}, mdstest.Entry{AAGUID: model, Statuses: []string{"REVOKED"}}), options(s)},
		"model in capitals":     {mds.ErrFormat, s.Blob(7, "2026-12-01", mdstest.Entry{AAGUID: strings.ToUpper(model)}), options(s)},
		"two names for a model": {mds.ErrFormat, s.Sign(body(7, "2026-12-01", []any{map[string]any{
			"aaguid": model, "metadataStatement": map[string]any{"aaguid": "00000000-0000-0000-0000-000000000001"}}}), nil), options(s)},
		"a key that is too long": {mds.ErrFormat, s.Sign(body(7, "2026-12-01", entries), map[string]any{"x5c": [][]byte{s.Leaf.Raw, long(t)}}), options(s)},
		"report without status":  {mds.ErrFormat, s.Sign(body(7, "2026-12-01", []any{map[string]any{"aaguid": model, "statusReports": []any{map[string]any{}}}}), nil), options(s)},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := mds.Read(c.text, c.opt); !errors.Is(err, c.want) || (c.want == nil && err != nil) {
				t.Fatalf("%v, want %v", err, c.want)
			}
		})
	}
}

// long is a certificate of a key that takes longer to verify with than anybody waits.
func long(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8200, 1), E: 65537}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// One spelling of an AAGUID.
func TestParseAAGUID(t *testing.T) {
	for _, s := range []string{"", strings.ToUpper(model), strings.ReplaceAll(model, "-", ""), model + " ", "{" + model + "}", model[1:], "cb69481e8-ff7-4039-93ec-0a2729a154a8"} {
		if _, err := mds.ParseAAGUID(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
	if a, err := mds.ParseAAGUID(model); err != nil || a.String() != model {
		t.Errorf("%v, %v", a, err)
	}
}

// FuzzRead: no file is believed that the service did not sign, and none breaks
// the reader.
func FuzzRead(f *testing.F) {
	s := mdstest.New(f, "ES256")
	good := s.Blob(7, "2026-12-01", mdstest.Entry{AAGUID: model})
	f.Add(good[:len(good)-1])
	f.Add([]byte("e30.e30.AA"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := mds.Read(text, options(s)); err == nil && !bytes.Equal(bytes.TrimSuffix(text, []byte("\n")), good) {
			t.Errorf("believed: %q", text)
		}
	})
}

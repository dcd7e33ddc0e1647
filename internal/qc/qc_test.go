package qc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/qc"
)

type oid = asn1.ObjectIdentifier

var (
	statementsID = oid{1, 3, 6, 1, 5, 5, 7, 1, 3}
	qscd         = oid{0, 4, 0, 194112, 1, 2} // QCP-n-qscd
	natural      = oid{0, 4, 0, 194112, 1, 0} // QCP-n: qualified, key not in a QSCD
	legal        = oid{0, 4, 0, 194112, 1, 3} // QCP-l-qscd: a seal
	compliance   = oid{0, 4, 0, 1862, 1, 1}
	sscd         = oid{0, 4, 0, 1862, 1, 4}
	limit        = oid{0, 4, 0, 1862, 1, 2}
	qcType       = oid{0, 4, 0, 1862, 1, 6}
	esign, eseal = oid{0, 4, 0, 1862, 1, 6, 1}, oid{0, 4, 0, 1862, 1, 6, 2}
)

type statement struct {
	ID   oid
	Info []oid `asn1:"optional,omitempty"`
}

func encode(t *testing.T, list ...statement) []byte {
	t.Helper()
	der, err := asn1.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// certificate makes one with policies and the extension's values.
func certificate(t *testing.T, policies []oid, values ...[]byte) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour)}
	for _, p := range policies {
		o := make([]uint64, len(p))
		for i, n := range p {
			o[i] = uint64(n)
		}
		id, err := x509.OIDFromInts(o)
		if err != nil {
			t.Fatal(err)
		}
		tmpl.Policies = append(tmpl.Policies, id)
	}
	for _, v := range values {
		tmpl.ExtraExtensions = append(tmpl.ExtraExtensions, pkix.Extension{Id: statementsID, Value: v})
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// KEY-09: a certificate is qualified with the policy QCP-n-qscd and the statements
// QcCompliance and QcSSCD together; each alone, a certificate for seals, and one
// for a key outside a QSCD are not.
func TestKEY09QualifiedCertificates(t *testing.T) {
	all := encode(t, statement{ID: compliance}, statement{ID: sscd}, statement{qcType, []oid{esign}})
	for name, c := range map[string]struct {
		cert *x509.Certificate
		want bool
	}{
		"policy and statements":        {certificate(t, []oid{qscd}, all), true},
		"more policies":                {certificate(t, []oid{{1, 2, 3}, qscd}, all), true},
		"without QcType":               {certificate(t, []oid{qscd}, encode(t, statement{ID: compliance}, statement{ID: sscd})), true},
		"with an unknown statement":    {certificate(t, []oid{qscd}, encode(t, statement{ID: limit}, statement{ID: compliance}, statement{ID: sscd})), true},
		"signatures and seals":         {certificate(t, []oid{qscd}, encode(t, statement{ID: compliance}, statement{ID: sscd}, statement{qcType, []oid{eseal, esign}})), true},
		"neither":                      {certificate(t, nil), false},
		"policy without statements":    {certificate(t, []oid{qscd}), false},
		"policy without QcSSCD":        {certificate(t, []oid{qscd}, encode(t, statement{ID: compliance})), false},
		"policy without QcCompliance":  {certificate(t, []oid{qscd}, encode(t, statement{ID: sscd})), false},
		"statements without policy":    {certificate(t, nil, all), false},
		"QCP-n: key not in a QSCD":     {certificate(t, []oid{natural}, all), false},
		"QCP-l-qscd: a legal person's": {certificate(t, []oid{legal}, all), false},
		"for seals only":               {certificate(t, []oid{qscd}, encode(t, statement{ID: compliance}, statement{ID: sscd}, statement{qcType, []oid{eseal}})), false},
		"with QcPDS, hand-made":        {certificate(t, []oid{qscd}, []byte{0x30, 0x1e, 0x30, 0x08, 6, 6, 4, 0, 0x8e, 0x46, 1, 1, 0x30, 0x08, 6, 6, 4, 0, 0x8e, 0x46, 1, 4, 0x30, 0x08, 6, 6, 4, 0, 0x8e, 0x46, 1, 5}), true},
	} {
		f, err := qc.Read(c.cert)
		if err != nil || f.Qualified() != c.want {
			t.Errorf("%s: %+v, %v; want qualified %v", name, f, err, c.want)
		}
	}
}

// KEY-09: damaged extensions are refused, never read as qualified.
func TestKEY09DamagedStatements(t *testing.T) {
	all := encode(t, statement{ID: compliance}, statement{ID: sscd})
	many := make([]statement, 33)
	for i := range many {
		many[i] = statement{ID: sscd}
	}
	for name, values := range map[string][][]byte{
		"twice":         {all, all},
		"empty":         {{}},
		"trailing byte": {append(append([]byte{}, all...), 0)},
		"cut":           {all[:len(all)-1]},
		"too many":      {encode(t, many...)},
		"no identifier": {{0x30, 0x02, 0x30, 0x00}},
		"bad QcType":    {{0x30, 0x0a, 0x30, 0x08, 6, 6, 4, 0, 0x8e, 0x46, 1, 6}},
	} {
		// Put into a parsed certificate: the x509 package refuses some of them itself.
		cert := &x509.Certificate{PolicyIdentifiers: []oid{qscd}}
		for _, v := range values {
			cert.Extensions = append(cert.Extensions, pkix.Extension{Id: statementsID, Value: v})
		}
		f, err := qc.Read(cert)
		if !errors.Is(err, qc.ErrForm) || f.Qualified() {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// FuzzRead: no extension makes the reader panic, and none is qualified without
// the octets of both statements in it.
func FuzzRead(f *testing.F) {
	f.Add([]byte{0x30, 0x0a, 0x30, 0x08, 6, 6, 4, 0, 0x8e, 0x46, 1, 4})
	f.Fuzz(func(t *testing.T, value []byte) {
		facts, err := qc.Read(&x509.Certificate{
			PolicyIdentifiers: []oid{qscd}, Extensions: []pkix.Extension{{Id: statementsID, Value: value}},
		})
		if err == nil && facts.Qualified() && len(value) < 22 {
			t.Errorf("%x is qualified", value)
		}
	})
}

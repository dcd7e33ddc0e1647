package validate_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/validate"
)

// I9: a signature that brings certificates of one name, in its key and again among its values, is judged in time: each of them
// can have issued all others, and looking for who did is not interrupted, since nothing is read by it.
func TestI9CertificatesOfOneName(t *testing.T) {
	k := newKit(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	var chain, values strings.Builder
	for i := range 1500 {
		tpl := &x509.Certificate{SerialNumber: big.NewInt(int64(100000 + i)), Subject: pkix.Name{CommonName: "N"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
		must(t, err)
		s := base64.StdEncoding.EncodeToString(der)
		chain.WriteString("<ds:X509Certificate>" + s + "</ds:X509Certificate>")
		values.WriteString("<xades:EncapsulatedX509Certificate>" + s + "</xades:EncapsulatedX509Certificate>")
	}
	const data, end = "</ds:X509Data>", "</xades:QualifyingProperties>"
	f := bytes.Replace(k.edited(t, invoice, asIs, asIs), []byte(data), []byte(chain.String()+data), 1)
	f = bytes.Replace(f, []byte(end), []byte("<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:CertificateValues>"+values.String()+
		"</xades:CertificateValues></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"+end), 1)
	begin := time.Now()
	if rep := k.look(t, f, k.trust()); rep.Indication == validate.TotalPassed || len(rep.Signatures) != 1 {
		t.Errorf("%s %+v", rep.Words(), rep.Signatures)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("%d bytes took %s", len(f), took)
	}
}

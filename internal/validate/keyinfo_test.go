package validate_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-03, EN 319 132-1, 5.4.2: the certificates of a path stand in KeyInfo, and need not stand in CertificateValues
// too; others are at the verifier's hand only. What the file carries about revocation counts all the same: bad news
// makes the signature not valid, and good news settles it.
func TestADE03RevocationWithThePathElsewhere(t *testing.T) {
	tr, caKey, key := newTree(t), newKey(t), newKey(t)
	mid := tr.issue(t, authorityOf("Issuing CA"), tr.root, caKey.Public(), tr.key)
	anna := tr.issue(t, person("Anna"), mid, key.Public(), caKey)
	list := func(by *x509.Certificate, k *big.Int, revoked bool) []byte {
		t.Helper()
		r := &x509.RevocationList{Number: k, ThisUpdate: time.Now().Add(-time.Second), NextUpdate: time.Now().Add(time.Hour)}
		if revoked {
			r.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: anna.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)}}
		}
		signer := caKey
		if by == tr.root {
			signer = tr.key
		}
		raw, err := x509.CreateRevocationList(rand.Reader, r, by, signer)
		must(t, err)
		return raw
	}
	for name, c := range map[string]struct {
		revoked bool
		want    validate.SubIndication
	}{"good": {false, ""}, "revoked": {true, validate.RevokedNoPOE}} {
		lists := [][]byte{list(tr.root, big.NewInt(1), false), list(mid, big.NewInt(1), c.revoked)}
		values := ""
		for _, l := range lists {
			values += "<xades:EncapsulatedCRLValue>" + base64.StdEncoding.EncodeToString(l) + "</xades:EncapsulatedCRLValue>"
		}
		with := func(file []byte) []byte {
			const end = "</xades:QualifyingProperties>"
			return []byte(strings.Replace(string(file), end, "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:RevocationValues><xades:CRLValues>"+values+
				"</xades:CRLValues></xades:RevocationValues></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"+end, 1))
		}
		strict := tr.trust()
		strict.Revocation = validate.RevocationRequired
		given := strict
		given.Pool = []*x509.Certificate{mid}
		inside := with((&kit{key: key, chain: [][]byte{anna.Raw, mid.Raw}}).signXML(t, invoice, "s1", false, false))
		outside := with((&kit{key: key, chain: [][]byte{anna.Raw}}).signXML(t, invoice, "s1", false, false))
		bare := (&authority{}).add(t, signAs(t, contract(), key, anna), pdf.ValidationData{CRLs: lists})
		for where, rep := range map[string]*validate.Report{"XML, in KeyInfo": look(t, inside, strict), "XML, at hand": look(t, outside, given), "PDF, at hand": look(t, bare, given)} {
			if rep.SubIndication != c.want || rep.Signatures[0].Revocation == "" {
				t.Errorf("%s, %s: %s, %q %q", name, where, rep.Words(), rep.Signatures[0].Revocation, rep.Signatures[0].Why)
			}
		}
	}
}

// ADE-03, EN 319 102-1, 5.2.3: the signer's certificate that stands among the unsigned values, and not in KeyInfo, is taken if its digest is signed, and by nothing
// else; that is no baseline.
func TestADE03CertificateAmongTheValues(t *testing.T) {
	tr, key, other := newTree(t), newKey(t), newKey(t)
	anna := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key)
	again := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key)
	mallory := tr.issue(t, person("Mallory"), tr.root, other.Public(), tr.key)
	cut := func(file, from, to string) string {
		i := strings.Index(file, from)
		return file[:i] + file[i+strings.Index(file[i:], to)+len(to):]
	}
	values := func(file string, certs ...[]byte) string {
		list := ""
		for _, c := range certs {
			list += "<xades:EncapsulatedX509Certificate>" + base64.StdEncoding.EncodeToString(c) + "</xades:EncapsulatedX509Certificate>"
		}
		const end = "</xades:QualifyingProperties>"
		return strings.Replace(file, end, "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:CertificateValues>"+list+
			"</xades:CertificateValues></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"+end, 1)
	}
	k := &kit{key: key, chain: [][]byte{anna.Raw}}
	signed := string(k.signXML(t, invoice, "s1", false, false))
	bare := cut(signed, "<ds:KeyInfo", "</ds:KeyInfo>")
	forged := string((&kit{key: other, chain: [][]byte{anna.Raw}}).signXML(t, invoice, "s1", false, false)) // by Mallory, who names Anna
	undigested := string(k.edited(t, invoice, func(s string) string { return cut(s, "<xades:SigningCertificateV2>", "</xades:SigningCertificateV2>") }, func(s string) string { return s }))
	for name, c := range map[string]struct {
		file string
		want validate.SubIndication
	}{
		"no digest is signed":     {values(cut(undigested, "<ds:KeyInfo", "</ds:KeyInfo>"), anna.Raw), validate.NoSigningCertificateFound},
		"among the values":        {values(bare, mallory.Raw, anna.Raw), ""},
		"nowhere":                 {bare, validate.NoSigningCertificateFound},
		"another of the same key": {values(bare, again.Raw), validate.NoSigningCertificateFound},
		"another's":               {values(bare, mallory.Raw), validate.NoSigningCertificateFound},
		"no certificate":          {values(bare, []byte("nothing")), validate.NoSigningCertificateFound},
		"signed by another":       {values(cut(forged, "<ds:KeyInfo", "</ds:KeyInfo>"), anna.Raw, mallory.Raw), validate.SigCryptoFailure},
		"another's in KeyInfo":    {values(strings.Replace(signed, base64.StdEncoding.EncodeToString(anna.Raw), base64.StdEncoding.EncodeToString(mallory.Raw), 1), anna.Raw), ""},
	} {
		rep := look(t, []byte(c.file), tr.trust())
		s := rep.Signatures[0]
		if s.SubIndication != c.want || c.want == "" && (rep.Verdict != validate.Valid || s.Level == "B-B" || s.Signer == "") {
			t.Errorf("%s: %s %q %q", name, rep.Words(), s.Level, s.Why)
		}
	}
}

// I9: where the certificates of a file are more than a path is looked for among, what the file carries about revocation is not asked, and
// that is told: who adds certificates does not hide bad news.
func TestI9PathsAmongTooManyCertificates(t *testing.T) {
	tr, key := newTree(t), newKey(t)
	anna := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key)
	revoked, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Second), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: anna.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)}}}, tr.root, tr.key)
	must(t, err)
	for _, more := range []int{10, pkix.MaxPool} {
		store := pdf.ValidationData{CRLs: [][]byte{revoked}}
		for range more + 1 {
			store.Certs = append(store.Certs, tr.issue(t, authorityOf("Other"), tr.root, key.Public(), tr.key).Raw)
		}
		values := ""
		for _, c := range store.Certs {
			values += "<xades:EncapsulatedX509Certificate>" + base64.StdEncoding.EncodeToString(c) + "</xades:EncapsulatedX509Certificate>"
		}
		const end = "</xades:QualifyingProperties>"
		xml := strings.Replace(string((&kit{key: key, chain: [][]byte{anna.Raw}}).signXML(t, invoice, "s1", false, false)), end,
			"<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:CertificateValues>"+values+"</xades:CertificateValues><xades:RevocationValues><xades:CRLValues><xades:EncapsulatedCRLValue>"+
				base64.StdEncoding.EncodeToString(revoked)+"</xades:EncapsulatedCRLValue></xades:CRLValues></xades:RevocationValues></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"+end, 1)
		for form, file := range map[string][]byte{"PDF": (&authority{}).add(t, signAs(t, contract(), key, anna), store), "XML": []byte(xml)} {
			rep := look(t, file, tr.trust())
			want := validate.TryLater
			if more < pkix.MaxPool {
				want = validate.RevokedNoPOE
			}
			if rep.SubIndication != want || rep.Verdict == validate.Valid {
				t.Errorf("%s, %d more: %s %q %q", form, more, rep.Words(), rep.Signatures[0].Why, rep.Notes)
			}
		}
	}
}

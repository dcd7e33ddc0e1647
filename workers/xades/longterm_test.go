package xades_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// longterm is a worker at a level, over an authority.
func longterm(t *testing.T, a *workertest.Authority, level string, more map[string]string) (*workers.Entry, [][]byte, [][]byte) {
	t.Helper()
	_, stamper, tsaChain := a.Key(t, "tsa", algo.P256, certs.TSAProfile)
	_, chain, file := a.Key(t, "anna", algo.P256, certs.SignerProfile)
	p := map[string]string{"level": level, "tsa": "worker:tsa", "trust_anchors": a.Root, "revocation_addresses": "127.0.0.0/8", "revocation_hosts": "127.0.0.1", "ocsp_nonce": "if_answered"}
	maps.Copy(p, more)
	e := entry(t, a.PKI, workers.Config{Name: "tsa", Kind: "tsa", Token: "local", Key: "tsa", Chain: tsaChain, Properties: map[string]string{"policy": "1.3.6.1.4.1.99999.1.1"}},
		workers.Config{Name: "xml", Kind: "xades", Token: "local", Key: "anna", Chain: file, Properties: p})
	return e, chain, stamper
}

// read reads a signed file and the imprint of its archive time-stamp, if it has one.
func read(t *testing.T, name string) (*xmlsig.Signature, [][]byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	d, err := xmlsig.Read(bytes.NewReader(b), int64(len(b)), c14n.Limits{})
	if err != nil || len(d.Signatures) == 0 {
		t.Fatalf("%v", err)
	}
	s := &d.Signatures[len(d.Signatures)-1]
	if _, err := d.Check(bytes.NewReader(b), s, c14n.Limits{}); err != nil {
		t.Fatal(err)
	}
	var imprints [][]byte
	for _, st := range s.Properties.Archives {
		sum, err := d.ArchiveImprint(bytes.NewReader(b), s, st, crypto.SHA256, c14n.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		imprints = append(imprints, sum)
	}
	return s, imprints
}

// ADE-03: B-LT carries the certificates of the signer's path and a statement about each, and beside
// them those of the time-stamp's authority; B-LTA puts a time-stamp over all of it. xmllint and
// xmlsec1 accept the files, and nothing of the user's was changed.
func TestADE03LongTermLevels(t *testing.T) {
	for _, level := range []string{"B-LT", "B-LTA"} {
		for _, parallel := range []string{"false", "true"} {
			a := workertest.NewAuthority(t)
			e, chain, stamper := longterm(t, a, level, map[string]string{"parallel": parallel})
			for _, doc := range documents {
				out := workertest.File(t, "out.xml")
				res, err := workers.SignNow(context.Background(), e, input(doc), out)
				if err != nil || res.Level != level || res.TimeStamp.IsZero() {
					t.Fatalf("%s: %+v, %v", level, res, err)
				}
				if info, err := out.Stat(); err != nil || info.Size() != res.Size {
					t.Errorf("the file has %d bytes, the result says %d (%v)", info.Size(), res.Size, err)
				}
				s, imprints := read(t, out.Name())
				var names []string
				for _, u := range s.Properties.Unsigned {
					names = append(names, u.Name)
				}
				want := "SignatureTimeStamp CertificateValues RevocationValues TimeStampValidationData"
				if level == "B-LTA" {
					want += " ArchiveTimeStamp"
				}
				if got := strings.Join(names, " "); got != want || len(imprints) != len(names)-4 || len(s.Properties.Further) > 0 {
					t.Fatalf("%s: %s, %d archive time-stamps", level, got, len(imprints))
				}
				mine, his := s.Properties.Unsigned[1].Values, s.Properties.Unsigned[3].Values
				if !has(mine.Certs, chain[0]) || !has(mine.Certs, chain[1]) || !has(his.Certs, stamper[0]) || len(mine.Certs) != 3 || len(his.Certs) != 3 {
					t.Errorf("%d and %d certificates, and not all of the paths", len(mine.Certs), len(his.Certs))
				}
				if rev := s.Properties.Unsigned[2].Values; len(rev.OCSPs) != 1 || len(rev.CRLs) != 1 || len(his.OCSPs) != 1 || len(his.CRLs) != 1 {
					t.Errorf("statements: %d %d %d %d", len(rev.OCSPs), len(rev.CRLs), len(his.OCSPs), len(his.CRLs))
				}
				text, err := os.ReadFile(out.Name())
				if err != nil {
					t.Fatal(err)
				}
				kept(t, string(text), doc)
				run(t, "xmllint", "--noout", "--nonet", out.Name())
				if err := xmlsec(t, a.Root, out.Name()); err != nil {
					t.Error(err)
				}
				if level == "B-LTA" {
					openssl(t, a.Root, string(text))
				}
			}
		}
	}
}

func has(list [][]byte, der []byte) bool {
	return slices.ContainsFunc(list, func(have []byte) bool { return bytes.Equal(have, der) })
}

// openssl verifies the archive time-stamp over octets that are put together here by the clause (EN 319 132-1,
// 5.5.2.2), with xmllint as the one who canonicalizes.
func openssl(t *testing.T, root, signed string) {
	t.Helper()
	dir := t.TempDir()
	i, j := strings.LastIndex(signed, "<ds:Signature "), strings.LastIndex(signed, "</ds:Signature>")+len("</ds:Signature>")
	element := signed[i:j]
	canonical := func(text string) string {
		write(t, dir, "part.xml", []byte(text))
		out, err := exec.Command(testenv.Need(t, "xmllint"), "--exc-c14n", filepath.Join(dir, "part.xml")).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	part := func(tag string) string {
		text := element[strings.Index(element, "<"+tag) : strings.Index(element, "</"+tag+">")+len("</"+tag+">")]
		out := canonical(`<w xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:xades="http://uri.etsi.org/01903/v1.3.2#">` + text + "</w>")
		return strings.TrimSuffix(strings.TrimPrefix(out, "<w>"), "</w>")
	}
	octets := regexp.MustCompile(`<!-- c -->\n|\n<!-- end -->`).ReplaceAllString(canonical(signed[:i]+signed[j:]), "")
	for _, tag := range []string{"xades:SignedProperties", "ds:SignedInfo", "ds:SignatureValue", "ds:KeyInfo", "xades:SignatureTimeStamp", "xades:CertificateValues", "xades:RevocationValues", "xades141:TimeStampValidationData"} {
		octets += part(tag)
	}
	token := regexp.MustCompile(`<xades141:ArchiveTimeStamp.*<xades:EncapsulatedTimeStamp>([^<]*)<`).FindStringSubmatch(element)
	der, err := base64.StdEncoding.DecodeString(token[1])
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "octets.bin", []byte(octets))
	write(t, dir, "token.der", der)
	run(t, "openssl", "ts", "-verify", "-in", filepath.Join(dir, "token.der"), "-token_in", "-data", filepath.Join(dir, "octets.bin"), "-CAfile", root)
}

// ADE-03, REV rows: no level is lowered silently and nothing unverified is embedded: each failure is an
// error, and the file is as it was.
func TestADE03LongTermFailures(t *testing.T) {
	for name, c := range workertest.Troubles(t) {
		for _, level := range []string{"B-LT", "B-LTA"} {
			a := workertest.NewAuthority(t)
			e, chain, stamper := longterm(t, a, level, c.Properties)
			c.Begin(t, a, chain, stamper)
			out := workertest.File(t, "out.xml")
			_, err := workers.SignNow(context.Background(), e, input(documents[1]), out)
			c.Judge(t, level+": "+name, err)
			if text, err := os.ReadFile(out.Name()); err != nil || !c.OK && string(text) != documents[1] {
				t.Errorf("%s, %s: the file was changed (%v)", name, level, err)
			}
		}
	}
}

// FPT-05, crash points 11, 15 and 16 of the SSA: a level above B-B is made in memory and written
// at once, so whatever a killed attempt left behind the place of the signature, and whatever failed before, the next
// attempt completes the file.
func TestFPT05LongTermCutAnywhere(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, _, _ := longterm(t, a, "B-LTA", nil)
	doc := documents[1]
	whole := workertest.File(t, "whole.xml")
	in := input(doc)
	in.Chain, in.Alg = e.Chain, algo.ES256
	p, sig := workertest.Approved(t, e, in, whole)
	a.Silent = true
	if _, err := e.Worker.Finish(context.Background(), p, sig, whole); !errors.Is(err, workers.ErrValidation) {
		t.Fatalf("%v", err)
	}
	a.Silent = false
	if _, err := e.Worker.Finish(context.Background(), p, sig, whole); err != nil {
		t.Fatal(err)
	}
	done, err := os.ReadFile(whole.Name())
	if err != nil {
		t.Fatal(err)
	}
	place := strings.LastIndex(string(done), "<ds:Signature ")
	states := [][]byte{[]byte(doc), slices.Concat([]byte(doc), make([]byte, 50_000)), slices.Concat(done, done), slices.Concat(done[:place], make([]byte, len(done)-place))}
	for i := 0; i <= 8; i++ {
		states = append(states, slices.Clone(done[:place+(len(done)-place)*i/8]))
	}
	for i, state := range states {
		f := workertest.File(t, "taken-up.xml")
		if _, err := f.WriteAt(state, 0); err != nil {
			t.Fatal(err)
		}
		res, err := e.Worker.Finish(context.Background(), p, sig, f)
		if err != nil {
			t.Errorf("state %d: %v", i, err)
			continue
		}
		s, imprints := read(t, f.Name())
		if len(s.Properties.Unsigned) != 5 || len(imprints) != 1 {
			t.Errorf("state %d: %d properties, %d archive time-stamps", i, len(s.Properties.Unsigned), len(imprints))
		}
		text, err := os.ReadFile(f.Name())
		if err != nil || int64(len(text)) != res.Size {
			t.Errorf("state %d: %d bytes, %d were written (%v)", i, len(text), res.Size, err)
		}
		kept(t, string(text), doc)
	}
}

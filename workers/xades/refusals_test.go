package xades_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// ADE-05: documents that two readers could read in two ways, or that cost too much, are refused
// before anything is written.
func TestADE05HostileDocuments(t *testing.T) {
	pki := workertest.NewPKI(t)
	_, chain, path := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	e := entry(t, pki, workers.Config{Name: "xml", Kind: "xades", Token: "local", Key: "anna", Chain: path, Properties: map[string]string{"max_size": "1000000"}})
	for name, c := range map[string]struct {
		doc  string
		want error
	}{
		"document type":       {`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, c14n.ErrDTD},
		"external entity":     {`<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`, c14n.ErrDTD},
		"entity":              {`<a>&b;</a>`, c14n.ErrEntity},
		"two of an id":        {`<a Id="x"><b id="x"/></a>`, c14n.ErrDuplicateID},
		"not closed":          {`<a><b></a>`, c14n.ErrSyntax},
		"two roots":           {`<a/><b/>`, c14n.ErrSyntax},
		"nothing":             {``, nil},
		"no XML":              {`hello`, c14n.ErrSyntax},
		"Latin-1":             {`<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, c14n.ErrEncoding},
		"UTF-16":              {"\xFF\xFE<\x00a\x00/\x00>\x00", nil},
		"deep":                {strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000), c14n.ErrDepth},
		"large":               {"<a>" + strings.Repeat("x", 1_000_000) + "</a>", nil},
		"relative namespace":  {`<a xmlns="b"/>`, c14n.ErrRelativeNamespace},
		"a signature":         {`<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"/>`, nil},
		"signed whole":        {`<a><s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:SignedInfo><s:Reference URI=""/></s:SignedInfo></s:Signature></a>`, nil},
		"signed by id":        {`<a Id="r"><s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:SignedInfo><s:Reference URI="#r"/></s:SignedInfo></s:Signature></a>`, nil},
		"signed by a list":    {`<a><s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:Object><s:Manifest><s:Reference URI=""/></s:Manifest></s:Object></s:Signature></a>`, nil},
		"signed, who knows":   {`<a><s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:SignedInfo><s:Reference/></s:SignedInfo></s:Signature></a>`, nil},
		"signed by xpointer":  {`<a><s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:SignedInfo><s:Reference URI="#xpointer(/)"/></s:SignedInfo></s:Signature></a>`, nil},
		"another ds in XPath": {`<a><s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:SignedInfo><s:Reference URI=""><s:Transforms><s:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><s:XPath xmlns:ds="urn:x">not(ancestor-or-self::ds:Signature)</s:XPath></s:Transform></s:Transforms></s:Reference></s:SignedInfo></s:Signature></a>`, nil},
		"much after the root": {`<a/>` + strings.Repeat("<!-- x -->", 10000), nil},
	} {
		in, out := input(c.doc), workertest.File(t, "o.xml")
		in.Chain, in.Alg = chain, algo.ES256
		_, err := e.Worker.Prepare(context.Background(), in, out)
		if !errors.Is(err, workers.ErrInput) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if st, _ := out.Stat(); st.Size() != 0 {
			t.Errorf("%s: %d bytes were written", name, st.Size())
		}
	}
	// A signature over a part is no obstacle: the new one covers it too.
	in, out := input(`<a><b Id="r"/><s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:SignedInfo><s:Reference URI="#r"/><s:Reference URI="other.xml"/></s:SignedInfo></s:Signature></a>`), workertest.File(t, "o.xml")
	in.Chain, in.Alg = chain, algo.ES256
	if _, err := e.Worker.Prepare(context.Background(), in, out); err != nil {
		t.Error(err)
	}
}

// I9: exclusive canonicalization repeats a long namespace name at each element that uses it; what
// comes out is bounded.
func TestADE05CanonicalFormsAreBounded(t *testing.T) {
	pki := workertest.NewPKI(t)
	_, chain, path := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	e := entry(t, pki, workers.Config{Name: "xml", Kind: "xades", Token: "local", Key: "anna", Chain: path})
	in := input(`<a xmlns:p="urn:` + strings.Repeat("x", 1000) + `">` + strings.Repeat(`<p:b/>`, 20_000) + `</a>`)
	in.Chain, in.Alg = chain, algo.ES256
	if _, err := e.Worker.Prepare(context.Background(), in, workertest.File(t, "o.xml")); !errors.Is(err, workers.ErrInput) || !strings.Contains(err.Error(), "canonical form is too large") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	in = input(documents[1])
	in.Chain, in.Alg = chain, algo.ES256
	if _, err := e.Worker.Prepare(ctx, in, workertest.File(t, "o.xml")); !errors.Is(err, context.Canceled) || errors.Is(err, workers.ErrInput) {
		t.Errorf("after its time: %v", err)
	}
}

// The configuration is strict and says what to mend.
func TestConfigRefusals(t *testing.T) {
	pki := workertest.NewPKI(t)
	_, _, chain := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	base := workers.Config{Name: "xml", Kind: "xades", Token: "local", Key: "anna", Chain: chain}
	for _, c := range [][]string{
		{"levle", "B-T"}, {"level", "B-LT"}, {"level", "B-T"}, {"tsa", "worker:none"}, {"signature_packaging", "AROUND"}, {"parallel", "true", "signature_packaging", "DETACHED"}, {"parallel", "true", "signature_packaging", "ENVELOPING"},
		{"enveloping_content", "BASE64"}, {"enveloping_content", "HEX", "signature_packaging", "ENVELOPING"},
		{"parallel", "yes"}, {"max_size", "0"}, {"max_size", "1G"}, {"commitment_types", "PROOF"}, {"commitment_types", "PROOF_OF_ORIGIN,PROOF_OF_ORIGIN"},
		{"commitment_types", "urn:a,"}, {"claimed_role", "a\u202eb"}, {"city", "a\nb"}, {"description", strings.Repeat("x", 301)}, {"policy_id", "urn:oid:1.2"},
		{"policy_hash", "sha256:AAAA"}, {"policy_hash", "sha1:AAAA", "policy_id", "urn:x"}, {"policy_hash", "sha256:AAAA", "policy_id", "urn:x"},
	} {
		cfg := base
		cfg.Properties = map[string]string{}
		for i := 0; i < len(c); i += 2 {
			cfg.Properties[c[i]] = c[i+1]
		}
		if _, err := workers.NewSet(context.Background(), []workers.Config{cfg}, pki.Options(kinds, nil)); err == nil || !strings.Contains(err.Error(), c[0]) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// Requests are checked: parameters and levels that are not known are refused before anything is
// written; those that are known replace the worker's.
func TestRequestRefusals(t *testing.T) {
	pki := workertest.NewPKI(t)
	_, chain, path := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	e := entry(t, pki, workers.Config{Name: "xml", Kind: "xades", Token: "local", Key: "anna", Chain: path, Properties: properties()})
	for name, c := range map[string]struct {
		edit func(*workers.Input)
		want error
	}{
		"parameter":     {func(in *workers.Input) { in.Params = map[string]string{"policy_id": "urn:x"} }, workers.ErrParams},
		"role":          {func(in *workers.Input) { in.Params = map[string]string{"claimed_role": "\u200b"} }, workers.ErrParams},
		"no type":       {func(in *workers.Input) { in.Params = map[string]string{"mime_type": ""} }, workers.ErrParams},
		"commitment":    {func(in *workers.Input) { in.Params = map[string]string{"commitment_types": "none"} }, workers.ErrParams},
		"level":         {func(in *workers.Input) { in.Level = "B-LTA" }, workers.ErrLevel},
		"B-T here":      {func(in *workers.Input) { in.Level = "B-T" }, workers.ErrLevel},
		"algorithm":     {func(in *workers.Input) { in.Alg = algo.RS256 }, workers.ErrInput},
		"no chain":      {func(in *workers.Input) { in.Chain = nil }, workers.ErrInput},
		"time long ago": {func(in *workers.Input) { in.Time = time.Unix(-1, 0) }, workers.ErrParams},
	} {
		in, out := input(documents[1]), workertest.File(t, "o.xml")
		in.Chain, in.Alg = chain, algo.ES256
		c.edit(&in)
		if _, err := e.Worker.Prepare(context.Background(), in, out); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if st, _ := out.Stat(); st.Size() != 0 {
			t.Errorf("%s: %d bytes were written", name, st.Size())
		}
	}
	in := input(documents[1])
	in.Chain, in.Alg, in.Time = chain, algo.ES256, time.Unix(1_800_000_000, 5)
	in.Params = map[string]string{"claimed_role": "", "commitment_types": "PROOF_OF_RECEIPT", "mime_type": "application/xml", "city": "Berlin"}
	p, err := e.Worker.Prepare(context.Background(), in, workertest.File(t, "o.xml"))
	if err != nil {
		t.Fatal(err)
	}
	x := p.XAdES
	if len(x.Roles) != 0 || len(x.Commitments) != 1 || !strings.HasSuffix(x.Commitments[0], "#ProofOfReceipt") || x.MIME != "application/xml" || x.Place.City != "Berlin" || x.Place.Country != "GR" ||
		x.Time != 1_800_000_000 || x.Policy.ID != "urn:oid:1.2.3" {
		t.Errorf("%+v", x)
	}
}

// FuzzPrepare, I9: any bytes are refused, or signed so that our reader accepts the result and nothing of them is lost.
func FuzzPrepare(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d))
	}
	pki := workertest.NewPKI(f)
	key, chain, path := pki.Key(f, "anna", algo.P256, certs.SignerProfile)
	set, err := workers.NewSet(context.Background(), []workers.Config{{Name: "xml", Kind: "xades", Token: "local", Key: "anna", Chain: path}}, pki.Options(kinds, nil))
	if err != nil {
		f.Fatal(err)
	}
	e, _ := set.Get("xml")
	f.Fuzz(func(t *testing.T, doc []byte) {
		in, out := input(string(doc)), workertest.File(t, "o.xml")
		in.Chain, in.Alg = chain, algo.ES256
		p, err := e.Worker.Prepare(context.Background(), in, out)
		if err != nil {
			if !errors.Is(err, workers.ErrInput) {
				t.Fatal(err)
			}
			return
		}
		sig, err := key.Sign(rand.Reader, p.DTBSR, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		res, err := e.Worker.Finish(context.Background(), p, sig, out)
		if err != nil {
			t.Fatal(err)
		}
		if res.Size < int64(len(doc)) {
			t.Fatalf("%d bytes of %d", res.Size, len(doc))
		}
	})
}

package c14n

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// methods are all, with xmllint's flags and the identifiers of XML Signature.
var methods = []struct {
	method    Method
	flag, uri string
}{
	{Inclusive10, "--c14n", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"},
	{Inclusive11, "--c14n11", "http://www.w3.org/2006/12/xml-c14n11"},
	{Exclusive, "--exc-c14n", "http://www.w3.org/2001/10/xml-exc-c14n#"},
}

// xmllint canonicalizes documents with libxml2, with comments, one after the other.
func xmllint(t *testing.T, flag string, docs []made) []byte {
	t.Helper()
	dir := t.TempDir()
	args := []string{"--nonet", flag}
	for i, d := range docs {
		file := filepath.Join(dir, fmt.Sprintf("%d.xml", i))
		if err := os.WriteFile(file, []byte(d.doc), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	cmd := exec.Command(testenv.Need(t, "xmllint"), args...)
	var out, why bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &why
	if err := cmd.Run(); err != nil {
		t.Fatalf("xmllint: %v: %s", err, why.Bytes())
	}
	return out.Bytes()
}

// Whole documents have the octets that libxml2 gives them, with every method.
func TestWholeDocumentsAgreeWithXmllint(t *testing.T) {
	n, seed := amount(t, 200, 10_000)
	const batch = 100
	for first := 0; first < n; first += batch {
		docs := generated(min(batch, n-first), seed*1000+first/batch)
		for _, m := range methods {
			theirs := xmllint(t, m.flag, docs)
			for _, d := range docs {
				ours := canonical(t, d.doc, Job{Method: m.method, Comments: true})
				rest, ok := bytes.CutPrefix(theirs, []byte(ours))
				if !ok {
					t.Fatalf("%s of %q\n got %q\nwant %.*q", m.flag, d.doc, ours, len(ours)+40, theirs)
				}
				theirs = rest
			}
			if len(theirs) != 0 {
				t.Fatalf("%s: xmllint has more: %q", m.flag, theirs)
			}
		}
	}
}

// hmacKey signs what xmlsec1 signs here.
const hmacKey = "a key for tests"

// template is an enveloped signature over a document and elements of it, by every
// method, with and without comments, and with prefix lists.
func template(ids []string, root string, signedBy string) (xml string, jobs []Job) {
	var b strings.Builder
	ds := `<ds:Signature xmlns:ds="` + SignatureNamespace + `" xmlns:u="urn:unused"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="` + signedBy + `"/><ds:SignatureMethod Algorithm="` + SignatureNamespace + `hmac-sha1"/>`
	b.WriteString(ds)
	reference := func(uri string, target Target, enveloped, bare bool, algorithm string, prefixes ...string) {
		b.WriteString(`<ds:Reference URI="` + uri + `"><ds:Transforms>`)
		j, _ := ByURI(algorithm)
		j.Target, j.Prefixes = target, prefixes
		if bare {
			j.Comments = false
		}
		if enveloped {
			b.WriteString(`<ds:Transform Algorithm="` + SignatureNamespace + `enveloped-signature"/>`)
			j.Without = 1 // to be set when its place is known
		}
		b.WriteString(`<ds:Transform Algorithm="` + algorithm + `">`)
		if len(prefixes) > 0 {
			b.WriteString(`<x:InclusiveNamespaces xmlns:x="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="` + strings.Join(prefixes, " ") + `"/>`)
		}
		b.WriteString(`</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference>`)
		jobs = append(jobs, j)
	}
	for _, m := range methods {
		comments := strings.TrimSuffix(m.uri, "#") + "#WithComments"
		reference("", Document(), true, true, m.uri)
		reference("#xpointer(/)", Document(), true, false, comments)
		for _, id := range ids {
			reference("#"+id, ElementByID(id), id == root, true, comments)
			reference("#xpointer(id('"+id+"'))", ElementByID(id), id == root, false, comments)
			if m.method == Exclusive {
				reference("#"+id, ElementByID(id), id == root, true, m.uri, "#default", "a", "q")
				reference("#"+id, ElementByID(id), id == root, true, m.uri, "b", "none")
			}
		}
	}
	b.WriteString(`</ds:SignedInfo><ds:SignatureValue/></ds:Signature>`)
	return b.String(), jobs
}

var (
	digestValue    = regexp.MustCompile(`<ds:DigestValue>([^<]*)</ds:DigestValue>`)
	signatureValue = regexp.MustCompile(`<ds:SignatureValue>([^<]*)</ds:SignatureValue>`)
)

// Subsets (elements by identifier, documents and elements without an enveloped
// signature, prefix lists, comments) have the digests that xmlsec1 gives them, and
// SignedInfo in its place the octets that it signs.
func TestSubsetsAgreeWithXmlsec1(t *testing.T) {
	n, seed := amount(t, 20, 10_000)
	program := testenv.Need(t, "xmlsec1")
	dir := t.TempDir()
	in, out, key := filepath.Join(dir, "in.xml"), filepath.Join(dir, "out.xml"), filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte(hmacKey), 0o600); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for i, d := range generated(n, 7000+seed) {
		root := ""
		if x, err := Scan(strings.NewReader(d.doc), Limits{}); err != nil {
			t.Fatal(err)
		} else if len(d.ids) > 0 {
			if e, err := x.ByID(d.ids[0]); err != nil {
				t.Fatal(err)
			} else if e == x.Root {
				root = d.ids[0]
			}
		}
		method := methods[i%len(methods)]
		xml, jobs := template(d.ids, root, method.uri)
		doc, at := insert(t, d.doc, xml)
		if err := os.WriteFile(in, doc, 0o600); err != nil {
			t.Fatal(err)
		}
		if text, err := exec.Command(program, "--sign", "--hmackey", key, "--output", out, in).CombinedOutput(); err != nil {
			t.Fatalf("xmlsec1: %v: %s\n%q", err, text, doc)
		}
		signed, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		compared += compare(t, doc, at, jobs, signed)
		checkSignedInfo(t, signed, method.method)
	}
	t.Logf("%d digests and %d signature values compared", compared, n)
}

// insert puts a signature into a document as Scan says.
func insert(t *testing.T, doc, signature string) ([]byte, int64) {
	t.Helper()
	x, err := Scan(strings.NewReader(doc), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	where := x.Enveloped()
	if err := where.Copy(&out, strings.NewReader(doc), []byte(signature)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), where.At()
}

// compare computes the jobs in one pass and compares them with the digests in a
// signed document.
func compare(t *testing.T, doc []byte, at int64, jobs []Job, signed []byte) int {
	t.Helper()
	values := digestValue.FindAllSubmatch(signed, -1)
	if len(values) != len(jobs) {
		t.Fatalf("%d digests of %d: %s", len(values), len(jobs), signed)
	}
	hashes := make([]hash.Hash, len(jobs))
	for i := range jobs {
		hashes[i] = sha256.New()
		jobs[i].W = hashes[i]
		if jobs[i].Without != 0 {
			jobs[i].Without = at
		}
	}
	if err := Canonicalize(bytes.NewReader(doc), Limits{}, jobs...); err != nil {
		t.Fatal(err)
	}
	for i, h := range hashes {
		if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != string(values[i][1]) {
			j := jobs[i]
			t.Fatalf("reference %d, %+v:\n got %s\nwant %s\nin %q\noctets %q", i, j.Target, got, values[i][1], doc, canonical(t, string(doc), j))
		}
	}
	return len(jobs)
}

// checkSignedInfo canonicalizes SignedInfo where it stands in a signed document.
func checkSignedInfo(t *testing.T, signed []byte, m Method) {
	t.Helper()
	octets := canonical(t, string(signed), Job{Method: m, Target: ElementAt(int64(bytes.Index(signed, []byte("<ds:SignedInfo>"))))})
	mac := hmac.New(sha1.New, []byte(hmacKey))
	mac.Write([]byte(octets))
	want := strings.Join(strings.Fields(string(signatureValue.FindSubmatch(signed)[1])), "")
	if got := base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
		t.Fatalf("method %d: SignedInfo is not what xmlsec1 signed: %q\nin %q", m, octets, signed)
	}
}

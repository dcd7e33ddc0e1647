package extend_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap/xades"
)

const invoice = "\uFEFF<?xml version=\"1.0\"?>\r\n<!-- c --><invoice xmlns='urn:example:invoice' xml:lang=\"el\"><line Id='l' a = '1'>240 euros</line></invoice>\n<?end?>"

const data = "any bytes \x00\xff, 240 euros"

// element signs what xades composes; edit changes SignedInfo before.
func (d *desk) element(t *testing.T, id string, o xades.Object, edit func(string) string) string {
	t.Helper()
	return d.elements(t, id, []xades.Object{o}, edit)
}

// elements is the same over several data objects.
func (d *desk) elements(t *testing.T, id string, objects []xades.Object, edit func(string) string) string {
	t.Helper()
	p := &xades.Parameters{ID: id, Algorithm: algo.ES256, Certificate: d.chain[0], Time: time.Now().Unix(), Objects: objects}
	bare, err := xades.SignedInfo(p)
	must(t, err)
	info := string(bare)
	if edit != nil {
		info = edit(info)
	}
	sum := crypto.SHA256.New()
	sum.Write([]byte(info))
	value, err := d.key.Sign(rand.Reader, sum.Sum(nil), crypto.SHA256)
	must(t, err)
	out, err := xades.Signature(p, value, d.chain)
	must(t, err)
	return strings.Replace(string(out), string(bare), info, 1)
}

// enveloped puts a signature into a document.
func (d *desk) enveloped(t *testing.T, doc []byte, id string, parallel bool) []byte {
	t.Helper()
	h := crypto.SHA256.New()
	must(t, c14n.Canonicalize(bytes.NewReader(doc), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive, Unsigned: parallel}))
	e := d.element(t, id, xades.Object{Enveloped: true, Parallel: parallel, Hash: crypto.SHA256, Digest: h.Sum(nil), MimeType: "text/xml"}, nil)
	return bytes.Replace(doc, []byte("</invoice>"), []byte(e+"</invoice>"), 1)
}

// internally puts a signature over one element into a document.
func (d *desk) internally(t *testing.T) []byte {
	t.Helper()
	h := crypto.SHA256.New()
	must(t, c14n.Canonicalize(strings.NewReader(invoice), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive, Target: c14n.ElementByID("l")}))
	e := d.element(t, "s1", xades.Object{URI: "#l", Element: true, Hash: crypto.SHA256, Digest: h.Sum(nil), MimeType: "text/xml"}, nil)
	return []byte(strings.Replace(invoice, "</invoice>", e+"</invoice>", 1))
}

// detached signs the bytes of data as the file "a b.bin".
func (d *desk) detached(t *testing.T, edit func(string) string) []byte {
	t.Helper()
	h := crypto.SHA256.New()
	h.Write([]byte(data))
	return []byte(d.element(t, "s1", xades.Object{URI: "a%20b.bin", Hash: crypto.SHA256, Digest: h.Sum(nil), MimeType: "application/octet-stream"}, edit))
}

// several signs the same bytes and those of "c.txt".
func (d *desk) several(t *testing.T) []byte {
	t.Helper()
	object := func(uri, text string) xades.Object {
		sum := sha256.Sum256([]byte(text))
		return xades.Object{URI: uri, Hash: crypto.SHA256, Digest: sum[:], MimeType: "application/octet-stream"}
	}
	return []byte(d.elements(t, "s1", []xades.Object{object("a%20b.bin", data), object("c.txt", second)}, nil))
}

const second = "2 sheds"

// beside are the files that a signature is over.
func beside(signed []byte) (files []validate.Detached) {
	for uri, f := range map[string]validate.Detached{"a%20b.bin": {Name: "a b.bin", ReaderAt: strings.NewReader(data), Size: int64(len(data))},
		"c.txt": {Name: "c.txt", ReaderAt: strings.NewReader(second), Size: int64(len(second))}} {
		if bytes.Contains(signed, []byte(`URI="`+uri+`"`)) {
			files = append(files, f)
		}
	}
	return files
}

// enveloping signs the same bytes, in an Object in base64.
func (d *desk) enveloping(t *testing.T) []byte {
	t.Helper()
	e := d.detached(t, func(info string) string {
		return strings.Replace(info, ` URI="a%20b.bin">`, ` URI="#s1-object"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"></ds:Transform></ds:Transforms>`, 1)
	})
	object := `<ds:Object Id="s1-object" Encoding="http://www.w3.org/2000/09/xmldsig#base64">` + base64.StdEncoding.EncodeToString([]byte(data)) + `</ds:Object>`
	return bytes.Replace(e, []byte("<ds:Object>"), []byte(object+"<ds:Object>"), 1)
}

// template is a signature as other software writes it: the prefix ds only where it is needed, another one for XAdES, inclusive
// canonicalization, white space. UNSIGNED stands for unsigned properties.
const template = `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#" Id="theirs">
 <SignedInfo>
  <CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>
  <SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>
  <Reference URI="">
   <Transforms><Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/></Transforms>
   <DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"/><DigestValue/>
  </Reference>
  <Reference URI="#theirs-sp" Type="http://uri.etsi.org/01903#SignedProperties">
   <DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue/>
  </Reference>
 </SignedInfo>
 <SignatureValue/>
 <KeyInfo><X509Data/></KeyInfo>
 <Object><etsi:QualifyingProperties xmlns:etsi="http://uri.etsi.org/01903/v1.3.2#" Target="#theirs">
  <etsi:SignedProperties Id="theirs-sp">
   <etsi:SignedSignatureProperties>
    <etsi:SigningTime>TIME</etsi:SigningTime>
    <etsi:SigningCertificateV2><etsi:Cert><etsi:CertDigest><DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue>CERT</DigestValue></etsi:CertDigest></etsi:Cert></etsi:SigningCertificateV2>
   </etsi:SignedSignatureProperties>
   <etsi:SignedDataObjectProperties><etsi:DataObjectFormat ObjectReference="#r"><etsi:MimeType>text/xml</etsi:MimeType></etsi:DataObjectFormat></etsi:SignedDataObjectProperties>
  </etsi:SignedProperties>UNSIGNED
 </etsi:QualifyingProperties></Object>
</Signature>`

// theirs is signed by xmlsec1.
func (d *desk) theirs(t *testing.T, unsigned string) []byte {
	t.Helper()
	return d.fill(t, strings.Replace(template, "UNSIGNED", unsigned, 1))
}

// theirsWithoutCertificate does not sign which certificate it is by.
func (d *desk) theirsWithoutCertificate(t *testing.T) []byte {
	t.Helper()
	return d.fill(t, regexp.MustCompile(`UNSIGNED|<etsi:SigningCertificateV2>.*</etsi:SigningCertificateV2>`).ReplaceAllString(template, ""))
}

func (d *desk) fill(t *testing.T, template string) []byte {
	t.Helper()
	tool := testenv.Need(t, "xmlsec1")
	der, err := x509.MarshalPKCS8PrivateKey(d.key)
	must(t, err)
	dir := t.TempDir()
	key, in, out := filepath.Join(dir, "key.pem"), filepath.Join(dir, "in.xml"), filepath.Join(dir, "out.xml")
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	leaf, issuer := filepath.Join(dir, "leaf.pem"), filepath.Join(dir, "issuer.pem")
	must(t, os.WriteFile(leaf, certs.EncodePEM(d.chain[0]), 0o600))
	must(t, os.WriteFile(issuer, certs.EncodePEM(d.chain[1:]...), 0o600))
	h := crypto.SHA256.New()
	h.Write(d.chain[0])
	text := strings.NewReplacer("TIME", time.Now().UTC().Format(time.RFC3339), "CERT", base64.StdEncoding.EncodeToString(h.Sum(nil)),
		`<Reference URI="">`, `<Reference Id="r" URI="">`).Replace(template)
	must(t, os.WriteFile(in, []byte(strings.Replace(invoice, "</invoice>", text+"</invoice>", 1)), 0o600))
	cmd := exec.CommandContext(t.Context(), tool, "--sign", "--privkey-pem", key+","+leaf+","+issuer, "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "--output", out, in)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	signed, err := os.ReadFile(out)
	must(t, err)
	return signed
}

func (d *desk) extendXML(t *testing.T, in []byte, level extend.Level) ([]byte, *extend.Result, error) {
	t.Helper()
	var out memory
	res, err := extend.XML(t.Context(), "a.xml", bytes.NewReader(in), int64(len(in)), &out, level, d.cfg)
	if err == nil && res.Size != int64(len(out)) {
		t.Errorf("%d bytes, the result says %d", len(out), res.Size)
	}
	return out, res, err
}

// put in at one place: of the document nothing else changed, up to the "/>" of an empty element.
func onlyAdded(t *testing.T, was, now []byte) {
	t.Helper()
	head := 0
	for head < len(was) && head < len(now) && was[head] == now[head] {
		head++
	}
	tail := 0
	for tail < len(was)-head && was[len(was)-1-tail] == now[len(now)-1-tail] {
		tail++
	}
	if rest := string(was[head : len(was)-tail]); rest != "" && rest != "/" && rest != "/>" {
		t.Errorf("%q of the document is gone", rest)
	}
	if !strings.Contains(string(was[:head]), "SignedProperties>") {
		t.Errorf("a change at byte %d, which is no unsigned property", head)
	}
}

// xmlJudges are those of others who read XML signatures here.
func (d *desk) xmlJudges(t *testing.T, file []byte) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a b.bin"), []byte(data), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "c.txt"), []byte(second), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "a.xml"), file, 0o600))
	for _, c := range [][]string{{"xmllint", "--noout", "--nonet", "a.xml"},
		{"xmlsec1", "--verify", "--enabled-key-data", "x509", "--trusted-pem", d.a.Root, "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties",
			"--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:Object", "--id-attr:Id", "urn:example:invoice:line", "a.xml"}} {
		cmd := exec.CommandContext(t.Context(), testenv.Need(t, c[0]), c[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", c[0], err, out)
		}
	}
}

// unsigned are the names of the unsigned properties of the first signature.
func unsigned(t *testing.T, file []byte) []string {
	t.Helper()
	d, err := xmlsig.Read(bytes.NewReader(file), int64(len(file)), c14n.Limits{})
	must(t, err)
	var out []string
	for _, u := range d.Signatures[0].Properties.Unsigned {
		out = append(out, u.Name)
	}
	return out
}

const profile = certs.SignerProfile

// stamperOf is a time-stamp authority that the desk trusts.
func (d *desk) stamperOf(t *testing.T) tsp.Stamper {
	t.Helper()
	d.authority(t, "own")
	return d.cfg.Stamper
}

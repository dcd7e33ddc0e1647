//go:build foreign

package conformance_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/workers/workertest"
)

const plainXML = "<?xml version=\"1.0\"?>\n<?style x?><!-- c --><invoice xmlns='urn:example:invoice' xml:lang=\"el\"><line no = '1'>240 euros &amp; more</line></invoice>\n"

// ADE-02, ADE-03: the Commission's DSS recognises the level of each XML signature and finds it
// TOTAL_PASSED under its default policy with the demo root as anchor, for every
// algorithm of every kind of key, in both forms, with no property and with all.
func TestADE02DSSJudgesXML(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	want := map[string]wants{}
	policy := sha256.Sum256([]byte("what a signature here means"))
	for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA3072, algo.RSA4096} {
		for _, alg := range algo.All() {
			if !kt.Fits(alg) {
				continue
			}
			for _, level := range []string{"B", "T"} {
				properties := map[string]string{"level": "B-" + level, "tsa": "worker:tsa"}
				if level == "T" {
					properties = map[string]string{"level": "B-T", "tsa": "worker:tsa", "parallel": "true", "description": "Invoice > 100 & \"more\"", "claimed_role": "Buyer & payer",
						"city": "Αθήνα", "street": "1 Main St", "state": "Attica", "postal_code": "105 57", "country": "GR", "commitment_types": "PROOF_OF_ORIGIN, PROOF_OF_APPROVAL", "policy_id": "urn:oid:1.2.3.4", "policy_hash": "sha256:" + base64.StdEncoding.EncodeToString(policy[:])}
				}
				file := d.xml(t, fmt.Sprintf("%s-%s-%s.xml", kt, alg, level), plainXML, kt, alg, properties)
				want[file] = wants{"XAdES-BASELINE-" + level, "TOTAL_PASSED", ""}
			}
		}
	}
	if len(want) < 20 {
		t.Fatalf("only %d combinations", len(want))
	}
	judged(t, judge.DSSQuestion{Anchor: d.pki.Root, NoRevocation: true}, want)
	// What they say besides the document is what DSS reads in them.
	const claims = "role Buyer & payer; commitment http://uri.etsi.org/01903/v1.2.2#ProofOfOrigin; commitment http://uri.etsi.org/01903/v1.2.2#ProofOfApproval; " +
		"place Αθήνα, 1 Main St, Attica, 105 57, GR; policy 1.2.3.4"
	for name, said := range map[string]string{"P-256-ES256-B.xml": "", "P-256-ES256-T.xml": claims, "RSA-3072-PS512-T.xml": claims} {
		v, err := judge.DSS(t.Context(), testenv.Root(), judge.DSSQuestion{Anchor: d.pki.Root, NoRevocation: true}, filepath.Join(d.dir, name))
		if err != nil || len(v) != 1 || v[0].Claims != said {
			t.Errorf("%s: DSS reads %+v %v, want %q", name, v, err, said)
		}
	}
}

// The judge can say no to XML: a byte of the data or of a property changed,
// the anchor of somebody else.
func TestDSSRefusesXML(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	good := d.xml(t, "good.xml", plainXML, algo.P256, algo.ES256, map[string]string{"level": "B-T", "tsa": "worker:tsa", "claimed_role": "Buyer"})
	signed, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(name, old, by string) string {
		file := filepath.Join(d.dir, name)
		changed := bytes.Replace(signed, []byte(old), []byte(by), 1)
		if bytes.Equal(changed, signed) {
			t.Fatal(name)
		}
		if err := os.WriteFile(file, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	judged(t, judge.DSSQuestion{Anchor: d.pki.Root, NoRevocation: true}, map[string]wants{
		edit("data.xml", "240 euros", "999 euros"): {"XAdES-BASELINE-T", "TOTAL_FAILED", "HASH_FAILURE"},
		edit("role.xml", "Buyer", "Owner"):         {"XAdES-BASELINE-T", "TOTAL_FAILED", "HASH_FAILURE"},
	})
	judged(t, judge.DSSQuestion{Anchor: workertest.NewPKI(t).Root, NoRevocation: true}, map[string]wants{good: {"XAdES-BASELINE-T", "INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND"}})
}

// ADE-03: DSS, with its demand for revocation data in force, recognises XAdES B-LT and
// B-LTA and finds them TOTAL_PASSED and their time-stamps intact, for every kind of key and
// every scheme, in both forms; and it notices that what the archive time-stamp is over was changed.
func TestADE03DSSJudgesLongTermXML(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	want := map[string]wants{}
	pairs(func(kt algo.KeyType, alg algo.Algorithm) {
		r.signer(t, d, kt)
		for _, level := range []string{"LT", "LTA"} {
			for _, parallel := range []string{"false", "true"} {
				file := d.xml(t, fmt.Sprintf("%s-%s-%s-%s.xml", kt, alg, level, parallel), plainXML, kt, alg, r.properties("B-"+level, "parallel", parallel))
				want[file] = wants{"XAdES-BASELINE-" + level, "TOTAL_PASSED", ""}
			}
		}
	})
	const first, last = "SIGNATURE_TIMESTAMP intact PASSED", "; ARCHIVE_TIMESTAMP intact PASSED"
	for file, stamps := range judged(t, judge.DSSQuestion{Anchor: r.a.Root}, want) {
		if archived := strings.Contains(file, "LTA"); stamps != first && !archived || stamps != first+last && archived {
			t.Errorf("%s: %s", filepath.Base(file), stamps)
		}
	}
	good, err := os.ReadFile(filepath.Join(d.dir, "P-256-ES256-LTA-false.xml"))
	if err != nil {
		t.Fatal(err)
	}
	// No reference is over this, and neither is the value: only the archive time-stamp.
	changed := filepath.Join(d.dir, "changed.xml")
	if err := os.WriteFile(changed, bytes.Replace(good, []byte("<xades:OCSPValues>"), []byte("<xades:OCSPValues>\n"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	stamps := judged(t, judge.DSSQuestion{Anchor: r.a.Root}, map[string]wants{changed: {"XAdES-BASELINE-LTA", "TOTAL_PASSED", ""}})[changed]
	if stamps != first+"; ARCHIVE_TIMESTAMP broken FAILED" {
		t.Errorf("changed validation data: %s", stamps)
	}
}

// ADE-02, ADE-03: DSS finds detached signatures over the bytes of a file TOTAL_PASSED with that file, and not
// with another.
func TestADE02DSSJudgesDetachedXML(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	const text = "Terms: 240 euros, \u0391 & <more>\n"
	d.name = "terms 1.txt"
	beside, changed := filepath.Join(t.TempDir(), d.name), filepath.Join(t.TempDir(), d.name)
	if err := errors.Join(os.WriteFile(beside, []byte(text), 0o600), os.WriteFile(changed, []byte(text+" "), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, level := range []string{"B", "T", "LT", "LTA"} {
		want, never := map[string]wants{}, map[string]wants{}
		pairs(func(kt algo.KeyType, alg algo.Algorithm) {
			r.signer(t, d, kt)
			file := d.xml(t, fmt.Sprintf("%s-%s-%s.xml", kt, alg, level), text, kt, alg, r.properties("B-"+level, "signature_packaging", "DETACHED", "mime_type", "text/plain"))
			want[file] = wants{"XAdES-BASELINE-" + level, "TOTAL_PASSED", ""}
			never[file] = wants{"XAdES-BASELINE-" + level, "TOTAL_FAILED", "HASH_FAILURE"}
		})
		judged(t, judge.DSSQuestion{Anchor: r.a.Root, NoRevocation: !strings.HasPrefix(level, "LT"), Detached: []string{beside}}, want)
		judged(t, judge.DSSQuestion{Anchor: r.a.Root, NoRevocation: !strings.HasPrefix(level, "LT"), Detached: []string{changed}}, never)
	}
}

// ADE-02, ADE-03: DSS finds XML, and octets in base64, inside of the signature TOTAL_PASSED at every level, of every
// kind of key and every scheme; and not after a change of what is inside.
func TestADE02DSSJudgesEnvelopingXML(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	for _, level := range []string{"B", "T", "LT", "LTA"} {
		want := map[string]wants{}
		for _, content := range []string{"XML", "BASE64"} {
			data := map[string]string{"XML": plainXML, "BASE64": "any bytes \x00\xff, 240 euros"}[content]
			pairs(func(kt algo.KeyType, alg algo.Algorithm) {
				r.signer(t, d, kt)
				file := d.xml(t, fmt.Sprintf("%s-%s-%s-%s.xml", content, kt, alg, level), data, kt, alg, r.properties("B-"+level, "signature_packaging", "ENVELOPING", "enveloping_content", content))
				want[file] = wants{"XAdES-BASELINE-" + level, "TOTAL_PASSED", ""}
			})
			good := filepath.Join(d.dir, fmt.Sprintf("%s-P-256-ES256-%s.xml", content, level))
			text, err := os.ReadFile(good)
			if err != nil {
				t.Fatal(err)
			}
			at := bytes.LastIndex(text, []byte(`-object">`)) + len(`-object">`)
			changed := filepath.Join(d.dir, "changed-"+filepath.Base(good))
			if err := os.WriteFile(changed, bytes.Join([][]byte{text[:at], text[at:]}, []byte("AAAA")), 0o600); err != nil {
				t.Fatal(err)
			}
			want[changed] = wants{"XAdES-BASELINE-" + level, "TOTAL_FAILED", "HASH_FAILURE"}
		}
		for file, stamps := range judged(t, judge.DSSQuestion{Anchor: r.a.Root, NoRevocation: level == "B" || level == "T"}, want) {
			if level == "LTA" && !strings.Contains(file, "changed") && !strings.Contains(stamps, "ARCHIVE_TIMESTAMP intact PASSED") {
				t.Errorf("%s: %s", filepath.Base(file), stamps)
			}
		}
	}
}

// ADE-02, ADE-03: DSS finds signatures over elements of a document, by their identifiers, TOTAL_PASSED at every level; and not after
// a change of one of them.
func TestADE02DSSJudgesInternallyDetachedXML(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	const doc = "<?xml version='1.0'?><order xmlns='urn:example:order'><head Id='h'>240 euros</head><line Id='l' no = '1'>2 sheds</line><note>none</note></order>"
	for _, level := range []string{"B", "T", "LT", "LTA"} {
		want := map[string]wants{}
		pairs(func(kt algo.KeyType, alg algo.Algorithm) {
			r.signer(t, d, kt)
			for _, ids := range []string{"h", "l,h"} {
				file := d.xml(t, fmt.Sprintf("%s-%s-%s-%s.xml", kt, alg, level, strings.ReplaceAll(ids, ",", "-")), doc, kt, alg, r.properties("B-"+level, "signature_packaging", "INTERNALLY_DETACHED", "reference_ids", ids))
				want[file] = wants{"XAdES-BASELINE-" + level, "TOTAL_PASSED", ""}
			}
		})
		text, err := os.ReadFile(filepath.Join(d.dir, "P-256-ES256-"+level+"-l-h.xml"))
		if err != nil {
			t.Fatal(err)
		}
		changed := filepath.Join(d.dir, "changed-"+level+".xml")
		if err := os.WriteFile(changed, bytes.Replace(text, []byte("240"), []byte("999"), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		want[changed] = wants{"XAdES-BASELINE-" + level, "TOTAL_FAILED", "HASH_FAILURE"}
		judged(t, judge.DSSQuestion{Anchor: r.a.Root, NoRevocation: level == "B" || level == "T"}, want)
	}
}

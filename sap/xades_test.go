package sap

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap/xades"
)

// testXAdES has every property.
func testXAdES() XAdES {
	return XAdES{
		ID: "sig-1f2e3d", Form: XAdESEnveloped, Time: 1_800_000_000, MIME: "text/xml", Description: `An invoice > 100 & < 200 "€"`,
		Commitments: []string{"http://uri.etsi.org/01903/v1.2.2#ProofOfOrigin", "urn:example:a&b"}, Roles: []string{"Buyer", "a <role>"},
		Place:  XAdESPlace{City: "Αθήνα", Street: `1 "Main" St`, State: "A&B", Postal: "105 57", Country: "GR"},
		Policy: XAdESPolicy{ID: "urn:oid:1.2.3.4", Hash: "sha512", Digest: B64(bytes.Repeat([]byte{5}, 64))},
	}
}

// plainXAdES has what every signature has.
func plainXAdES() XAdES {
	return XAdES{ID: "a", Form: XAdESParallel, Time: 1, MIME: "application/xml", Commitments: []string{}, Roles: []string{}}
}

func xadesSAD(t testing.TB, cert []byte) *SAD {
	t.Helper()
	s := testSAD(t, cert, "a.xml", "b.xml")
	doc := sha256.Sum256([]byte("canonical octets"))
	for i, x := range []XAdES{testXAdES(), plainXAdES()} {
		s.Items[i] = must[Item](t)(NewXAdESItem(i, s.Items[i].Name, algo.ES256, doc[:], cert, x))
	}
	return s
}

// SGN-01, SGN-04: what the key signs for an item of kind xades is the digest of the
// SignedInfo that follows from the item, the certificate and the algorithm, and
// nothing else comes out.
func TestSGN04RebuildXAdES(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	for _, it := range xadesSAD(t, cert).Items {
		got := must[[]byte](t)(Rebuild(it, cert, algo.ES256, nil))
		p := must[*xades.Parameters](t)(XAdESParameters(it, cert, algo.ES256))
		info := must[[]byte](t)(xades.SignedInfo(p))
		if sum := sha256.Sum256(info); !bytes.Equal(got, sum[:]) || it.DTBSR != B64(sum[:]) {
			t.Errorf("%s: %x is not the digest of %s", it.Name, got, info)
		}
		doc := must[[]byte](t)(UnB64(it.Doc))
		if !bytes.Equal(p.Objects[0].Digest, doc) || !bytes.Contains(info, []byte(">"+stdB64(doc)+"<")) {
			t.Errorf("the document's digest is not in %s", info)
		}
	}
}

func stdB64(b []byte) string {
	s := strings.NewReplacer("-", "+", "_", "/").Replace(B64(b))
	return s + strings.Repeat("=", (4-len(s)%4)%4)
}

// leavesOf calls f for each text, number and list in a value, with its name.
func leavesOf(v reflect.Value, name string, f func(name string, v reflect.Value)) {
	if v.Kind() != reflect.Struct {
		f(name, v)
		return
	}
	for i := range v.NumField() {
		leavesOf(v.Field(i), strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."), f)
	}
}

var forms = []string{XAdESEnveloped, XAdESParallel, XAdESDetached, XAdESEnveloping, XAdESContained, XAdESBeside}

// SGN-04, SAP-01: whatever is changed in an item, whatever its value becomes, the old digest
// is not accepted for it: each property is signed, none is left out or read twice.
func TestSGN04NoChangedXAdESItemIsAccepted(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	other := fixedCert(t, fixedKey(t, "other"))
	doc := sha256.Sum256([]byte("canonical octets"))
	rapid.Check(t, func(r *rapid.T) {
		x := testXAdES()
		if rapid.Bool().Draw(r, "plain") {
			x = plainXAdES()
		}
		x.Form = rapid.SampledFrom(forms).Draw(r, "form")
		if x.Form == XAdESBeside || x.Form == XAdESDetached {
			x.Objects = objects(x.Form, rapid.IntRange(0, 3).Draw(r, "objects"))
		}
		it := must[Item](t)(NewXAdESItem(0, "a.xml", algo.ES256, doc[:], cert, x))
		var names []string
		leavesOf(reflect.ValueOf(x), "", func(n string, _ reflect.Value) { names = append(names, n) })
		name := rapid.SampledFrom(append(names, "doc", "dtbsr", "certificate", "evidence")).Draw(r, "what")
		by, changed, evidence := cert, x, []byte(nil)
		switch name {
		case "doc":
			it.Doc = B64(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(r, "doc"))
		case "dtbsr":
			it.DTBSR = B64(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(r, "dtbsr"))
		case "certificate":
			by = other
		case "evidence":
			evidence = rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(r, "evidence")
		default:
			changed = mutated(r, x, name)
			if reflect.DeepEqual(changed, x) {
				return
			}
		}
		it.XAdES = &changed
		if sum, err := Rebuild(it, by, algo.ES256, evidence); err == nil || sum != nil {
			r.Fatalf("%s: changed to %+v and accepted", name, it)
		}
	})
}

// mutated is x with another value of one property.
func mutated(r *rapid.T, x XAdES, name string) XAdES {
	x.Commitments, x.Roles = append([]string{}, x.Commitments...), append([]string{}, x.Roles...)
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "a", "sha256", "sha384", "a<b", "urn:oid:1", B64(make([]byte, 32))}), rapid.SampledFrom(forms), rapid.String())
	leavesOf(reflect.ValueOf(&x).Elem(), "", func(n string, v reflect.Value) {
		switch {
		case n != name:
		case v.Kind() == reflect.String:
			v.SetString(text.Draw(r, "text"))
		case v.Kind() == reflect.Int64:
			v.SetInt(rapid.Int64().Draw(r, "number"))
		case n == "Objects":
			if o := x.Objects; o != nil {
				v.Set(reflect.ValueOf(&XAdESObjects{text.Draw(r, "part"), o.More}))
				if rapid.Bool().Draw(r, "of the list") {
					v.Set(reflect.ValueOf(&XAdESObjects{o.Part, mutatedObjects(r, o.More, text)}))
				}
			}
		default:
			v.Set(reflect.ValueOf(rapid.SliceOfN(text, 0, 3).Draw(r, "list")))
		}
	})
	return x
}

// objects are so many further ones of a form.
func objects(form string, n int) *XAdESObjects {
	o := &XAdESObjects{Part: "l1", More: []XAdESObject{}}
	if form != XAdESBeside {
		if o.Part = ""; n == 0 {
			return nil
		}
	}
	for i, name := range []string{"p", "q", "r"}[:n] {
		o.More = append(o.More, XAdESObject{name, B64(bytes.Repeat([]byte{byte(i)}, 32)), "text/plain", "the " + name})
	}
	return o
}

// mutatedObjects are data objects of which one is another, is gone, is new, or stands elsewhere.
func mutatedObjects(r *rapid.T, list []XAdESObject, text *rapid.Generator[string]) []XAdESObject {
	out := slices.Clone(list)
	draw := func(of string, v string) string {
		if rapid.Bool().Draw(r, of+" stays") {
			return v
		}
		return text.Draw(r, of)
	}
	o := XAdESObject{Name: "c", Doc: B64(make([]byte, 32)), MIME: "a/b"}
	i := 0
	if len(out) > 0 {
		i = rapid.IntRange(0, len(out)-1).Draw(r, "object")
		o = out[i]
	}
	o = XAdESObject{draw("name", o.Name), draw("doc", o.Doc), draw("type", o.MIME), draw("description", o.Description)}
	switch rapid.IntRange(0, 3).Draw(r, "how") {
	case 0:
		return slices.Insert(out, i, o)
	case 1:
		if len(out) > 0 {
			return slices.Delete(out, i, i+1)
		}
	case 2:
		slices.Reverse(out)
	default:
		if len(out) > 0 {
			out[i] = o
		}
	}
	return out
}

// SAP-02: the properties of an XAdES signature are shown to the signer, so they are
// texts that look like what they are; and they are in their bounds.
func TestSAP02XAdESForm(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	for name, c := range map[string]struct {
		edit func(*XAdES)
		want Reason
	}{
		"form":             {func(x *XAdES) { x.Form = "external" }, ReasonEvidence},
		"no time":          {func(x *XAdES) { x.Time = 0 }, ReasonEvidence},
		"too late":         {func(x *XAdES) { x.Time = maxTime + 1 }, ReasonEvidence},
		"direction trick":  {func(x *XAdES) { x.Roles[0] = "a\u202eb" }, ReasonText},
		"hidden text":      {func(x *XAdES) { x.Description = "\u3164" }, ReasonText},
		"line feed":        {func(x *XAdES) { x.Place.City = "a\nb" }, ReasonText},
		"long commitment":  {func(x *XAdES) { x.Commitments[0] = strings.Repeat("x", MaxText+1) }, ReasonText},
		"identifier":       {func(x *XAdES) { x.ID = "\u200b" }, ReasonText},
		"long policy name": {func(x *XAdES) { x.Policy.ID = strings.Repeat("x", MaxText+1) }, ReasonText},
	} {
		s := xadesSAD(t, cert)
		c.edit(s.Items[0].XAdES)
		_, err := s.Encode()
		wantReason(t, err, c.want)
		_, err = DecodeSAD(mustJCS(t, s))
		wantReason(t, err, c.want)
		if _, err := Rebuild(s.Items[0], cert, algo.ES256, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: rebuilt: %v", name, err)
		}
	}
	// What can be shown and has no place in a signature is refused when it is rebuilt.
	for name, edit := range map[string]func(*XAdES){
		"no identifier":      func(x *XAdES) { x.ID = "" },
		"identifier":         func(x *XAdES) { x.ID = "a b" },
		"no type":            func(x *XAdES) { x.MIME = "" },
		"empty role":         func(x *XAdES) { x.Roles[1] = "" },
		"empty commitment":   func(x *XAdES) { x.Commitments[0] = "" },
		"many roles":         func(x *XAdES) { x.Roles = make([]string, 21) },
		"policy, no name":    func(x *XAdES) { x.Policy.ID = "" },
		"policy, hash":       func(x *XAdES) { x.Policy.Hash = "sha1" },
		"policy, digest":     func(x *XAdES) { x.Policy.Digest = x.Policy.Digest[1:] },
		"policy, name only":  func(x *XAdES) { x.Policy.Hash, x.Policy.Digest = "", "" },
		"policy, other hash": func(x *XAdES) { x.Policy.Hash = "sha384" },
	} {
		s := xadesSAD(t, cert)
		edit(s.Items[0].XAdES)
		if _, err := Rebuild(s.Items[0], cert, algo.ES256, nil); !errors.Is(err, ReasonEvidence) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := NewXAdESItem(0, "a.xml", algo.ES256, make([]byte, 32), cert, *s.Items[0].XAdES); !errors.Is(err, ReasonEvidence) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// SAP-07: properties are in items of kind xades and in no other, and in one spelling.
func TestSAP07XAdESHasOneSpelling(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	good := must[[]byte](t)(xadesSAD(t, cert).Encode())
	again := must[*SAD](t)(DecodeSAD(good))
	if !reflect.DeepEqual(again, xadesSAD(t, cert)) {
		t.Errorf("read back as %+v", again)
	}
	for name, in := range map[string][2]string{
		"kind":          {`"kind":"xades"`, `"kind":"pades"`},
		"missing":       {`"description":"",`, ``},
		"no objects":    {`"place":`, `"objects":{"more":[],"part":""},"place":`},
		"null":          {`"place":`, `"objects":null,"place":`},
		"part":          {`"place":`, `"objects":{"more":[],"part":"a"},"place":`},
		"half of it":    {`"place":`, `"objects":{"part":"a"},"place":`},
		"unknown":       {`"form":"parallel"`, `"form":"parallel","forms":""`},
		"number":        {`"time":1}`, `"time":"1"}`},
		"order":         {`"city":"","country":""`, `"country":"","city":""`},
		"null list":     {`"roles":[]`, `"roles":null`},
		"space":         {`"roles":[]`, `"roles":[ ]`},
		"no properties": {`"xades":`, `"xade":`},
	} {
		text := strings.Replace(string(good), in[0], in[1], 1)
		if text == string(good) {
			t.Fatalf("%s: nothing changed in %s", name, good)
		}
		if _, err := DecodeSAD([]byte(text)); !errors.Is(err, ReasonEncoding) && !errors.Is(err, ReasonEvidence) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// AUD-11: a receipt of an XAdES approval convinces off line, and says that the content was shown.
func TestAUD11XAdESReceipt(t *testing.T) {
	signer, authn := fixedKey(t, "signer"), fixedKey(t, "authenticator")
	cert := fixedCert(t, signer)
	s := xadesSAD(t, cert)
	text := must[[]byte](t)(s.Encode())
	r := testReceipt(t, signer, authn, cert, 0)
	r.SAD, r.Proof, r.Items = B64(text), B64(mustJCS(t, goodAssertion(t).make(t, must[[]byte](t)(s.Challenge(text))))), nil
	for i, it := range s.Items {
		sig := must[[]byte](t)(signer.Sign(nil, must[[]byte](t)(UnB64(it.DTBSR)), crypto.SHA256))
		r.Items = append(r.Items, ReceiptItem{i, it.DTBSR, B64(sig), true})
	}
	if _, err := r.VerifyEvidence(); err != nil {
		t.Fatal(err)
	}
	r.Items[1].Shown = false
	if _, err := r.VerifyEvidence(); !errors.Is(err, ReasonBinding) {
		t.Errorf("said not to be shown: %v", err)
	}
}

// FuzzRebuildXAdES, SGN-04: any properties are refused, or give one digest that only they give.
func FuzzRebuildXAdES(f *testing.F) {
	cert := fixedCert(f, fixedKey(f, "signer"))
	f.Add("a", "enveloped", int64(1), "text/xml", "d", "urn:oid:1", "role", "City", "urn:oid:1", "sha256", "")
	f.Add("b", "enveloping", int64(5), "text/xml", "", "urn:a", "r", "", "", "", "")
	f.Add("b", "enveloping-base64", int64(5), "a/b", "", "urn:a", "r", "", "", "", "")
	f.Add("b", "internally-detached", int64(5), "a/b", "", "urn:a", "r", "", "", "", "")
	f.Add("_", "parallel", int64(1<<40), "a", "]]>", "&", "<", "\"", "", "", "")
	f.Fuzz(func(t *testing.T, id, form string, at int64, mime, description, commitment, role, city, policy, hash, sum string) {
		x := XAdES{ID: id, Form: form, Time: at, MIME: mime, Description: description, Commitments: []string{commitment}, Roles: []string{role},
			Place: XAdESPlace{City: city}, Policy: XAdESPolicy{policy, hash, sum}}
		if form == XAdESBeside || len(mime) > 5 {
			x.Objects = &XAdESObjects{Part: city}
		}
		if len(mime) > 5 {
			x.Objects.More = []XAdESObject{{role, B64(make([]byte, 32)), mime, description}, {id, sum, mime, ""}}
		}
		it, err := NewXAdESItem(0, "a.xml", algo.ES256, make([]byte, 32), cert, x)
		if err != nil {
			if !errors.Is(err, ReasonEvidence) && !errors.Is(err, ReasonText) && !errors.Is(err, ReasonDigest) {
				t.Fatal(err)
			}
			return
		}
		if _, err := Rebuild(it, cert, algo.ES256, nil); err != nil {
			t.Fatal(err)
		}
		x.Roles = []string{role + "x"}
		it.XAdES = &x
		if _, err := Rebuild(it, cert, algo.ES256, nil); err == nil {
			t.Fatal("another role was accepted")
		}
	})
}

package sap

import (
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap/xades"
)

type xadesVector struct {
	Name       string `json:"name"`
	File       string `json:"file"`
	Alg        string `json:"alg"`
	Doc        string `json:"doc"`
	XAdES      XAdES  `json:"xades"`
	Properties string `json:"signedProperties"` // octets; "" means refused
	Info       string `json:"signedInfo"`
	DTBSR      string `json:"dtbsr"`
}

func vectorsXAdES(t *testing.T, v *vectors, cert []byte) {
	named := func(file, name string, a algo.Algorithm, x XAdES) {
		doc := digest(a.Hash(), []byte("canonical octets"))
		c := xadesVector{Name: name, File: file, Alg: a.String(), Doc: B64(doc), XAdES: x}
		it, err := NewXAdESItem(0, file, a, doc, cert, x)
		if err == nil {
			p := must[*xades.Parameters](t)(XAdESParameters(it, cert, a))
			c.Properties, c.Info, c.DTBSR = B64(must[[]byte](t)(xades.SignedProperties(p))), B64(must[[]byte](t)(xades.SignedInfo(p))), it.DTBSR
		}
		v.XAdES = append(v.XAdES, c)
	}
	add := func(name string, a algo.Algorithm, x XAdES) { named("a.xml", name, a, x) }
	for _, a := range algo.All() {
		add("every property", a, testXAdES())
		add("no property", a, plainXAdES())
	}
	for _, at := range []int64{1, 951782399, 951782400, 1_800_000_000, 253402300799, 253402300800, 0, -1} {
		x := testXAdES()
		x.Time = at
		add("time", algo.ES256, x)
	}
	for _, e := range []func(*XAdES){
		func(x *XAdES) { x.ID = "" }, func(x *XAdES) { x.ID = "1a" }, func(x *XAdES) { x.ID = strings.Repeat("a", 64) }, func(x *XAdES) { x.ID = strings.Repeat("a", 65) }, func(x *XAdES) { x.ID = "é" },
		func(x *XAdES) { x.Form = "external" }, func(x *XAdES) { x.MIME = "" }, func(x *XAdES) { x.Description = "a\tb" }, func(x *XAdES) { x.Description = "😀 & ]]>" },
		func(x *XAdES) { x.Roles = []string{""} }, func(x *XAdES) { x.Roles = make([]string, 21) }, func(x *XAdES) { x.Roles = []string{"\u202e"} }, func(x *XAdES) { x.Roles = []string{"a\u00a0b"} },
		func(x *XAdES) { x.Roles = nil; x.Commitments = []string{} }, func(x *XAdES) { x.Commitments = []string{"urn:oid:1.2"} }, func(x *XAdES) { x.Place = XAdESPlace{State: "BE"} },
		func(x *XAdES) { x.Policy = XAdESPolicy{ID: "urn:x"} }, func(x *XAdES) { x.Policy.ID = "" }, func(x *XAdES) { x.Policy.Hash = "sha1" }, func(x *XAdES) { x.Policy.Digest = B64(make([]byte, 32)) },
		func(x *XAdES) {
			x.Policy = XAdESPolicy{ID: "urn:example:p?a=1&b=2", Hash: "sha256", Digest: B64(make([]byte, 32))}
		},
	} {
		x := testXAdES()
		e(&x)
		if x.Roles == nil {
			x.Roles = []string{}
		}
		add("edited", algo.ES256, x)
	}
	for _, file := range []string{"a.xml", "", "a b/c?d#e%f:g", "..", "Τιμολόγιο 😀.xml", "!'()*-_.~\"<&>", "\u00e9"} {
		x := testXAdES()
		x.Form = XAdESDetached
		named(file, "detached", algo.ES256, x)
	}
	for _, form := range []string{XAdESEnveloping, XAdESContained} {
		for _, a := range algo.All() {
			x := testXAdES()
			x.Form = form
			named("a.xml", form, a, x)
		}
		for _, id := range []string{"", "_", "1a", strings.Repeat("a", 64)} {
			x := plainXAdES()
			x.Form, x.ID = form, id
			named("b.bin", form, algo.ES256, x)
		}
	}
}

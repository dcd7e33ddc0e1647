package sap

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
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
	several(named)
}

// several are signatures over elements by their identifiers, and over several data objects.
func several(named func(file, name string, a algo.Algorithm, x XAdES)) {
	object := func(name string, h int) XAdESObject {
		return XAdESObject{name, B64(bytes.Repeat([]byte{byte(h)}, h)), "text/plain", "No. <" + name + ">"}
	}
	of := func(form, part string, more ...XAdESObject) XAdES {
		x := testXAdES()
		x.Form = form
		if part != "" || more != nil {
			x.Objects = &XAdESObjects{part, append([]XAdESObject{}, more...)}
		}
		return x
	}
	for _, a := range algo.All() {
		n := a.Hash().Size()
		named("a.xml", "one element", a, of(XAdESBeside, "l-1.a_"))
		named("a.xml", "elements", a, of(XAdESBeside, "b", object("a", n), object("_c", n)))
		named("a b.xml", "files", a, of(XAdESDetached, "", object("\u00e9 ?.txt", n), object("a", n)))
	}
	plain := object("a", 32)
	plain.Description = ""
	many := make([]XAdESObject, 50)
	for i := range many {
		many[i] = object(fmt.Sprintf("f%d", i), 32)
	}
	named("a.xml", "no description", algo.ES256, of(XAdESDetached, "", plain))
	named("a.xml", "the most", algo.ES256, of(XAdESDetached, "", many[:49]...))
	refused := map[string]XAdES{
		"01 too many": of(XAdESDetached, "", many...), "02 two of a name": of(XAdESDetached, "", plain, plain), "03 the first again": of(XAdESDetached, "", object("a.xml", 32)),
		"04 an element again": of(XAdESBeside, "a", plain), "05 no name": of(XAdESDetached, "", object("", 32)), "06 no identifier": of(XAdESBeside, "a", object("", 32)), "07 a pointer": of(XAdESBeside, "a", object("x(y)", 32)),
		"08 no element": of(XAdESBeside, ""), "09 an element of another form": of(XAdESDetached, "a"), "10 several of another form": of(XAdESEnveloped, "", plain), "11 several inside": of(XAdESContained, "", plain),
		"12 the properties": of(XAdESBeside, "sig-1f2e3d-props"), "13 the signature": of(XAdESBeside, "a", object("sig-1f2e3d", 32)), "14 not ASCII": of(XAdESBeside, "\u00e9"), "15 a long one": of(XAdESBeside, strings.Repeat("a", 129)),
		"16 a digest of another length": of(XAdESBeside, "b", object("a", 48)), "17 no type": of(XAdESDetached, "", XAdESObject{"a", B64(make([]byte, 32)), "", ""}), "18 hidden": of(XAdESDetached, "", object("\u202ea", 32)),
		"19 a long name": of(XAdESDetached, "", object(strings.Repeat("a", 301), 32)), "20 hidden identifier": of(XAdESBeside, "a\u200b"),
	}
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		named("a.xml", name, algo.ES256, refused[name])
	}
}

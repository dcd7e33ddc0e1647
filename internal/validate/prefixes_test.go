package validate_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-05: exclusive canonicalization leaves out what a prefix stands for that no name of an element or attribute has. The signature holds whatever it is
// bound to, as the standard has it; that values go by it, such as the units of XBRL, is said.
func TestADE05MeaningOfPrefixesInValues(t *testing.T) {
	k := newKit(t)
	enveloped := `<ds:Transform Algorithm="` + xmldsigNS + `enveloped-signature"></ds:Transform>`
	signed := func(t *testing.T, doc, list string, method c14n.Method) string {
		var over bytes.Buffer
		must(t, c14n.Canonicalize(strings.NewReader(strings.Replace(doc, signHere, "", 1)), c14n.Limits{}, c14n.Job{W: &over, Method: method, Prefixes: strings.Fields(list)}))
		transform := enveloped + `<ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"></ds:Transform>`
		if method == c14n.Exclusive {
			transform = exclusive(enveloped)
			if list != "" {
				transform = enveloped + `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="` + list + `"></ec:InclusiveNamespaces></ds:Transform>`
			}
		}
		return k.dsig(t, doc, "sig", "", ref{"", "", transform, over.String()})
	}
	const euro, dollar = `xmlns:c="urn:example:euro"`, `xmlns:c="urn:example:dollar"`
	for name, c := range map[string]struct {
		doc    string
		list   string
		method c14n.Method
		open   bool
	}{
		"in text":                    {"<order " + euro + "><line>c:240</line>" + signHere + "</order>", "", c14n.Exclusive, true},
		"in a text of parts":         {"<order " + euro + "><line>c<![CDATA[:]]>cur<!-- -->rency</line>" + signHere + "</order>", "", c14n.Exclusive, true},
		"in a value":                 {"<order " + euro + `><line unit=" c:currency ">240</line>` + signHere + "</order>", "", c14n.Exclusive, true},
		"in a list":                  {"<order " + euro + `><line unit="a c:currency">240</line>` + signHere + "</order>", "", c14n.Exclusive, true},
		"declared again":             {"<c:order " + euro + "><line " + dollar + ">c:currency</line>" + signHere + "</c:order>", "", c14n.Exclusive, true},
		"no name":                    {"<order " + euro + "><line>c: 240, x:y urn:c:80 2:c</line>" + signHere + "</order>", "", c14n.Exclusive, false},
		"an element has it":          {"<c:order " + euro + "><line>c:currency</line>" + signHere + "</c:order>", "", c14n.Exclusive, false},
		"in the list of prefixes":    {"<order " + euro + "><line>c:currency</line>" + signHere + "</order>", "c", c14n.Exclusive, false},
		"inclusive canonicalization": {"<order " + euro + "><line>c:currency</line>" + signHere + "</order>", "", c14n.Inclusive10, false},
	} {
		file := signed(t, strings.Replace(c.doc, "c:240", "c:currency", 1), c.list, c.method)
		said := func(file string) bool {
			rep := k.look(t, []byte(file), k.trust())
			if rep.Verdict != validate.Valid {
				t.Errorf("%s: %+v", name, rep)
			}
			return slices.ContainsFunc(rep.Signatures[0].Warnings, func(w string) bool { return strings.Contains(w, "prefixes c,") })
		}
		if said(file) != c.open {
			t.Errorf("%s: said %v", name, !c.open)
		}
		if strings.HasPrefix(c.doc, "<order") && c.open {
			if !said(strings.Replace(file, euro, dollar, 1)) {
				t.Errorf("%s, bound to another: nothing said", name)
			}
		}
	}
}

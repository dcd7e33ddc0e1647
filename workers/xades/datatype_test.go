package xades_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// ADE-04: under the policy for qualified signatures a file is signed as what the signer sees and as nothing else: a PDF as a PDF, text as
// text in UTF-8. Under others the type is whatever was asked for.
func TestADE04TypeIsHeldAgainstTheContent(t *testing.T) {
	const text, page, xml = "I owe 1 euro", "<html><body>I owe 999 euros</body></html>", "<a>1</a>"
	for name, c := range map[string]struct {
		packaging        map[string]string
		data, mime, want string
	}{
		"a PDF":                            {enveloping("BASE64"), pdfWith(""), "application/pdf", "ok"},
		"a PDF, in capitals":               {enveloping("BASE64"), pdfWith(""), "Application/PDF", "ok"},
		"text":                             {enveloping("BASE64"), text, "text/plain", "ok"},
		"text in UTF-8":                    {enveloping("BASE64"), text, `text/csv; charset="UTF-8"`, "ok"},
		"JSON of somebody":                 {enveloping("BASE64"), `{"a":1}`, "application/ld+json", "ok"},
		"XML":                              {enveloping("XML"), xml, "application/xml", "ok"},
		"XML of somebody":                  {enveloping("XML"), xml, "application/vnd.oasis.ubl+xml", "ok"},
		"a PDF that is HTML too":           {enveloping("BASE64"), pdfWith("") + page, "text/html", "hazard"},
		"a PDF as text":                    {enveloping("BASE64"), pdfWith(""), "text/plain", "hazard"},
		"a PDF with a parameter":           {enveloping("BASE64"), pdfWith(""), "application/pdf; charset=utf-16", "hazard"},
		"HTML in front of a PDF":           {enveloping("BASE64"), "<html>" + pdfWith(""), "application/pdf", "hazard"},
		"a line in front of a PDF":         {enveloping("BASE64"), "\n" + pdfWith(""), "application/pdf", "hazard"},
		"HTML behind a PDF":                {enveloping("BASE64"), pdfWith("") + page, "application/pdf", "hazard"},
		"blanks behind a PDF":              {enveloping("BASE64"), pdfWith("") + "\r\n \x00", "application/pdf", "ok"},
		"a ZIP in a PDF":                   {enveloping("BASE64"), strings.Replace(pdfWith(""), "\n", "\n%PK\x05\x06\n", 1), "application/pdf", "hazard"},
		"XML in UTF-7":                     {enveloping("BASE64"), "<?xml version='1.0' encoding='utf-7'?><a>+ADEAMAAw-</a>", "text/xml", "hazard"},
		"XML in UTF-7, far behind":         {enveloping("BASE64"), "<?xml version='1.0'" + strings.Repeat(" ", 1100) + "encoding='utf-7'?><a/>", "text/xml", "hazard"},
		"XML in UTF-8":                     {enveloping("BASE64"), "\ufeff<?xml version='1.0' encoding = \"utf-8\"?><a encoding='utf-7'/>", "text/xml", "ok"},
		"text as a PDF":                    {enveloping("BASE64"), page, "application/pdf", "hazard"},
		"text as HTML":                     {enveloping("BASE64"), page, "text/html", "hazard"},
		"text in UTF-7":                    {enveloping("BASE64"), "I owe +ADEAMAAw- euros", "text/plain; charset=utf-7", "hazard"},
		"text with more":                   {enveloping("BASE64"), text, "text/plain; charset=utf-8; format=flowed", "hazard"},
		"text of a program":                {enveloping("BASE64"), `{\rtf1 I owe {\v 99}1 euros}`, "application/rtf", "hazard"},
		"no type":                          {enveloping("BASE64"), text, "text", "hazard"},
		"XML as HTML":                      {enveloping("XML"), xml, "text/html", "hazard"},
		"XML as HTML in XML":               {enveloping("XML"), xml, "application/xhtml+xml", "hazard"},
		"XML as a picture":                 {enveloping("XML"), xml, "image/svg+xml", "hazard"},
		"enveloped, as a picture":          {nil, xml, "image/svg+xml", "hazard"},
		"detached text as a PDF":           {map[string]string{"signature_packaging": "DETACHED"}, text, "application/pdf", "hazard"},
		"detached text in another charset": {map[string]string{"signature_packaging": "DETACHED"}, text, "text/plain; charset=utf-16le", "hazard"},
	} {
		e, chain, _ := longterm(t, workertest.NewAuthority(t), "B-B", c.packaging)
		for _, policy := range []string{sap.PolicyQualified, ""} {
			in, out := input(c.data), workertest.File(t, "out.xml")
			in.Chain, in.Alg, in.Policy, in.Params = chain, algo.ES256, policy, map[string]string{"mime_type": c.mime}
			_, err := e.Worker.Prepare(t.Context(), in, out)
			ok := policy == "" || c.want == "ok"
			if (err == nil) != ok || !ok && (!errors.Is(err, workers.ErrHazard) || !errors.Is(err, workers.ErrInput)) {
				t.Errorf("%s under the policy %q: %v", name, policy, err)
			}
		}
	}
}

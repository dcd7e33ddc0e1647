package proof

import (
	"fmt"
	"io"
	"strings"

	"github.com/assent-sign/assent/sap"
)

// Print writes the result for people.
func (res *Result) Print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	b.WriteString("RECEIPT HOLDS\n")
	line("module", "%s, audit chain %s, record %d", res.Audience, res.Instance, res.AuditSeq)
	line("signer", "%s with key %s", res.Signer, res.Key)
	line("name", "%s (in the certificate)", res.Subject)
	line("when", "%s by the module's clock", res.Time.Format("2006-01-02 15:04:05 UTC"))
	line("asked by", "%s; purpose: %s; level %s; operation %s", res.Asker, res.Purpose, res.Level, res.Operation)
	line("how", "approved %s, at %s", carrierWords(res.Carrier), res.Origin)
	line("label", "%s", assuranceWords(res.Assurance))
	if res.InFile == "" {
		b.WriteString("  no file was compared\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	line("document", "%s, item %d of %d, %s", res.Name, res.Item+1, res.Items, shownWords(res.Shown))
	line("in file", "%s  (digest recomputed from the file)", res.InFile)
	line("approved", "%s  (digest in the signer's approval)", res.Approved)
	line("signed", "%s  (digest in the signature)", res.Signed)
	line("key signed", "%s  (rebuilt from digest and certificate, equal in all three)", res.DTBSR)
	for _, m := range res.More {
		line("document", "%s, under the same signature", m.Name)
		line("in file", "%s  (digest recomputed from the file, equal to the approved and the signed one)", m.Digest)
	}
	if len(res.Missing) > 0 {
		line("note", "the signature is over files too that were not compared: %s", strings.Join(res.Missing, ", "))
	}
	if !res.Whole {
		line("note", "something was added to the file after this signature; assent verify says what")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func carrierWords(c string) string {
	if c == sap.CarrierJWS {
		return "with the signer's device key"
	}
	return "with the signer's passkey, user verified"
}

func assuranceWords(a string) string {
	switch a {
	case sap.AssuranceSCAL2:
		return a + ": sole control enforced by the module, token not certified"
	case sap.AssuranceQualified:
		return a + ": the token reports a certified device"
	}
	return a + ": software or unfit token, no claim is made"
}

func shownWords(shown bool) string {
	if shown {
		return "shown to the signer"
	}
	return "CONTENT NOT SHOWN to the signer"
}

func printable(s string) string {
	if sap.Displayable(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' || sap.Displayable(string(r)) {
			return r
		}
		return '\uFFFD'
	}, s)
}

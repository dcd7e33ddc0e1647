package validate

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// Print writes the report for people: one line of verdict, then each signature.
// Text from the file is shown without control or direction characters, because
// a terminal obeys them.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s %s\n", clean(r.File), strings.ToUpper(string(r.Verdict)), parens(r.Words()))
	fmt.Fprintf(&b, "  %d bytes, SHA-256 %s\n", r.Size, r.SHA256)
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "  note: %s\n", clean(n))
	}
	if len(r.Signatures) == 0 && !r.Stopped {
		b.WriteString("  no signature in the file\n")
	}
	for i := range r.Signatures {
		r.Signatures[i].print(&b, i+1, len(r.Signatures), r.Size)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *Signature) print(b *strings.Builder, n, of int, size int64) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(b, "    %-11s %s\n", name, clean(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(b, "\n  %s %d of %d: %s %s\n", s.Kind, n, of, s.Verdict, parens(s.Words()))
	if s.Signer != "" {
		line("who", "%s", s.Signer)
	}
	if s.Issuer != "" {
		line("says", "%s (the issuer of the certificate)", s.Issuer)
	}
	s.printTime(line)
	if s.Level != "" {
		line("level", "%s", strings.TrimSpace(s.Level+" "+parens(s.Algorithm)))
	}
	switch {
	case s.SubFilter == "XAdES" || s.SubFilter == "XML Signature":
		if s.Scope != "" {
			line("covers", "%s", s.Scope)
		}
	case s.Whole:
		line("covers", "the whole file")
	default:
		line("covers", "%d of %d bytes: the file as it was at revision %d", s.Covers, size, s.Revision)
	}
	if len(s.Chain) > 0 {
		line("chain", "%s (trusted)", strings.Join(s.Chain, " <- "))
	}
	for _, t := range s.Stamps {
		line("time-stamp", "%s by %s, serial %s", stampTime(t.Time), t.Authority, t.Serial)
	}
	if s.Reason != "" {
		line("reason", "%s", s.Reason)
	}
	if s.Location != "" {
		line("place", "%s", s.Location)
	}
	s.printPolicy(line)
	for _, c := range s.Later {
		line("later", "%s", c)
	}
	if s.Countersigns != "" {
		line("over", "the value of the signature %q (counter-signature)", s.Countersigns)
	}
	for _, u := range s.Unjudged {
		line("not judged", "%s", u)
	}
	for _, w := range s.Warnings {
		line("warning", "%s", w)
	}
	for _, w := range s.Why {
		line("because", "%s", w)
	}
	if s.Present.Indication != "" && s.Present != s.Status {
		line("at present", "%s, were it not proven when the signature was made", s.Present.Words())
	}
	if s.Revocation != "" {
		line("revocation", "%s", s.Revocation)
	} else if s.Verdict != NotValid {
		line("unchecked", "whether a certificate was revoked")
	}
}

func (s *Signature) printPolicy(line func(string, string, ...any)) {
	if s.Policy == nil {
		return
	}
	line("rules", "signature policy %s", s.Policy.Words)
	if s.Policy.Description != "" {
		line("", "%s", s.Policy.Description)
	}
	for _, q := range s.Policy.Qualifiers {
		line("", "%s: %s", q.Kind, q.Text)
	}
	line("", "%s", s.Policy.Checked)
}

func (s *Signature) printTime(line func(string, string, ...any)) {
	switch {
	case s.Proven != nil:
		line("when", "%s, proven by a time-stamp (existed at the latest then)", stampTime(*s.Proven))
	case s.Claimed != nil:
		line("when", "%s, claimed by the signer's software and proven by nobody", stampTime(*s.Claimed))
	default:
		line("when", "not stated")
	}
}

func stampTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func parens(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

func clean(s string) string {
	const longest = 1000
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > longest {
			return -1
		}
		if r == ' ' || unicode.IsGraphic(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

package validate_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// property writes a time-stamp property behind the others, with a token of each kit over
// what its form is over now.
func property(t *testing.T, file []byte, archive bool, by ...*kit) []byte {
	t.Helper()
	d, err := xmlsig.Read(bytes.NewReader(file), int64(len(file)), c14n.Limits{})
	must(t, err)
	in := &d.Signatures[0]
	st := xmlsig.Stamp{Form: c14n.Job{Method: c14n.Inclusive10}, Before: len(in.Properties.Unsigned)}
	over, name := d.Imprint, "xades:SignatureTimeStamp"
	if archive {
		over, name = d.ArchiveImprint, "xades141:ArchiveTimeStamp"
	}
	imprint, err := over(bytes.NewReader(file), in, st, crypto.SHA256, c14n.Limits{})
	must(t, err)
	text := `<` + name + ` xmlns:xades141="http://uri.etsi.org/01903/v1.4.1#">`
	for _, k := range by {
		token, _, err := k.stamp.Stamp(t.Context(), crypto.SHA256, imprint)
		must(t, err)
		text += "<xades:EncapsulatedTimeStamp>" + base64.StdEncoding.EncodeToString(token) + "</xades:EncapsulatedTimeStamp>"
	}
	text += `</` + name + `>`
	const end, whole = "</xades:UnsignedSignatureProperties>", "</xades:QualifyingProperties>"
	if !bytes.Contains(file, []byte(end)) {
		file = bytes.Replace(file, []byte(whole), []byte("<xades:UnsignedProperties><xades:UnsignedSignatureProperties>"+end+"</xades:UnsignedProperties>"+whole), 1)
	}
	return bytes.Replace(file, []byte(end), []byte(text+end), 1)
}

// ADE-03: an archive time-stamp proves the time of what it is over and of nothing that
// was written behind or beside it (EN 319 132-1, 5.5.2): whoever has the key of an authority
// that has ended could have made that yesterday.
func TestADE03ArchivesProveWhatTheyCover(t *testing.T) {
	k := newKit(t)
	long, longer := k.longer(t, 8), k.longer(t, 8)
	bare := k.signXML(t, invoice, "s1", false, false)
	opt := k.trust()
	opt.Now = time.Now().AddDate(5, 0, 0)
	for name, c := range map[string]struct {
		file []byte
		want validate.Verdict
	}{
		"over the time-stamp":       {property(t, property(t, bare, false, k), true, long), validate.Valid},
		"before the time-stamp":     {property(t, property(t, bare, true, long), false, k), validate.Indeterminate},
		"one before and one behind": {property(t, property(t, property(t, bare, false, long), true, long), false, k), validate.Valid}, // by the first; the other proves nothing any more
		"two of them, in order":     {property(t, property(t, property(t, bare, false, k), true, k), true, long), validate.Valid},
		"two in one property":       {property(t, property(t, bare, false, k), true, k, long), validate.Indeterminate},
		"two that are good":         {property(t, property(t, bare, false, k), true, long, longer), validate.Valid},
	} {
		now := k.look(t, c.file, k.trust())
		if now.Verdict != validate.Valid {
			t.Errorf("%s, now: %s %s", name, now.Verdict, now.Words())
		}
		rep := k.look(t, c.file, opt)
		if rep.Verdict != c.want || c.want != validate.Valid && rep.SubIndication != validate.OutOfBoundsNoPOE {
			t.Errorf("%s: %s %s, want %s; %+v", name, rep.Verdict, rep.Words(), c.want, rep.Signatures)
		}
	}
}

// EN 319 102-1, 5.6.2.4: the order of times is held against what a time-stamp covers, and
// not against what stands behind it.
func TestADE03OrderOfArchives(t *testing.T) {
	k := newKit(t)
	late := k.ahead(t, 30*time.Minute)
	bare := k.signXML(t, invoice, "s1", false, false)
	opt := k.trust()
	opt.Now = time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		file []byte
		want validate.SubIndication
	}{
		"older than what it covers":    {property(t, property(t, bare, false, late), true, k), validate.TimestampOrderFailure},
		"older than what comes behind": {property(t, property(t, property(t, bare, false, k), true, k), false, late), ""},
		"older than one beside it":     {property(t, property(t, bare, false, k), true, late, k), ""},
	} {
		if rep := k.look(t, c.file, opt); rep.SubIndication != c.want {
			t.Errorf("%s: %s, want %q", name, rep.Words(), c.want)
		}
	}
}

// EN 319 102-1, 5.4: a time that is still to come is proven by nobody: an authority whose clock
// is that wrong, or who lies, would let a certificate count that is not valid yet.
func TestADE03TimeStampsOfTheFuture(t *testing.T) {
	k := newKit(t)
	late := k.ahead(t, 30*time.Minute)
	bare := k.signXML(t, invoice, "s1", false, false)
	for name, file := range map[string][]byte{
		"over the signature":  late.sign(t, contract(), true),
		"over the document":   late.stamped(t, k.sign(t, contract(), false), ""),
		"of XML":              property(t, bare, false, late),
		"archive time-stamp":  property(t, property(t, bare, false, k), true, late),
		"of a later document": late.stamped(t, k.sign(t, contract(), true), ""),
	} {
		for by, want := range map[time.Duration]validate.Verdict{0: validate.Indeterminate, 31 * time.Minute: validate.Valid} {
			opt := k.trust()
			opt.Now = time.Now().Add(by)
			over := strings.HasPrefix(name, "over the signature") || name == "of XML"
			if over { // it proves nothing yet, and harms nothing
				if s := k.look(t, file, opt).Signatures[0]; s.Verdict != validate.Valid || (s.Proven != nil) != (want == validate.Valid) || (s.Level == "B-T") != (want == validate.Valid) {
					t.Errorf("%s, %s later: %s at %q, proven %v", name, by, s.Words(), s.Level, s.Proven)
				}
			} else if rep := k.look(t, file, opt); rep.Verdict != want || want != validate.Valid && rep.SubIndication != validate.NoPOE {
				t.Errorf("%s, %s later: %s %s", name, by, rep.Verdict, rep.Words())
			}
		}
	}
	soon := k.ahead(t, 20*time.Second).sign(t, contract(), true)
	if rep := k.look(t, soon, k.trust()); rep.Verdict != validate.Valid {
		t.Errorf("within what clocks may differ: %s", rep.Words())
	}
}

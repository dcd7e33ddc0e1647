package extend_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/revocation"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-03: XAdES signatures of ours and of others are raised to each level, in one step or in several, in
// every packaging and whatever unsigned properties they have; but for those no byte changes, and judges of others accept the result.
func TestADE03XMLSignaturesAreExtended(t *testing.T) {
	const all = "SignatureTimeStamp CertificateValues RevocationValues TimeStampValidationData ArchiveTimeStamp"
	const policy = `<etsi:UnsignedSignatureProperties><p:SignaturePolicyStore xmlns:p="http://uri.etsi.org/01903/v1.4.1#"><p:SPDocSpecification><etsi:Identifier>urn:x</etsi:Identifier></p:SPDocSpecification><p:SigPolDocLocalURI>urn:x</p:SigPolDocLocalURI></p:SignaturePolicyStore></etsi:UnsignedSignatureProperties>`
	for name, c := range map[string]struct {
		make func(t *testing.T, d *desk) []byte
		want string
	}{
		"enveloped":     {func(t *testing.T, d *desk) []byte { return d.enveloped(t, []byte(invoice), "s1", false) }, all},
		"parallel":      {func(t *testing.T, d *desk) []byte { return d.enveloped(t, []byte(invoice), "s1", true) }, all},
		"enveloping":    {func(t *testing.T, d *desk) []byte { return d.enveloping(t) }, all},
		"detached":      {func(t *testing.T, d *desk) []byte { return d.detached(t, nil) }, all},
		"several files": {func(t *testing.T, d *desk) []byte { return d.several(t) }, all},
		"internally detached": {func(t *testing.T, d *desk) []byte {
			d.cfg.Parts = []string{"l"}
			return d.internally(t)
		}, all},
		"of xmlsec1":       {func(t *testing.T, d *desk) []byte { return d.theirs(t, "") }, all},
		"empty properties": {func(t *testing.T, d *desk) []byte { return d.theirs(t, "<etsi:UnsignedProperties/>") }, all},
		"empty inner one": {func(t *testing.T, d *desk) []byte {
			return d.theirs(t, "<etsi:UnsignedProperties><etsi:UnsignedSignatureProperties /></etsi:UnsignedProperties>")
		}, all},
		"empty in two tags": {func(t *testing.T, d *desk) []byte {
			return d.theirs(t, "\n<etsi:UnsignedProperties> </etsi:UnsignedProperties>\n")
		}, all},
		"with other than it": {func(t *testing.T, d *desk) []byte {
			return d.theirs(t, "<etsi:UnsignedProperties>\n"+policy+"\n</etsi:UnsignedProperties>")
		}, "SignaturePolicyStore " + all},
	} {
		for _, levels := range [][]extend.Level{{extend.LevelT}, {extend.LevelLT}, {extend.LevelLTA}, {extend.LevelT, extend.LevelLT, extend.LevelLTA}} {
			t.Run(fmt.Sprint(name, levels), func(t *testing.T) {
				d := newDesk(t)
				file := c.make(t, d)
				d.cfg.Detached = beside(file)
				for _, level := range levels {
					out, res, err := d.extendXML(t, file, level)
					must(t, err)
					onlyAdded(t, file, out)
					d.xmlJudges(t, out)
					for _, s := range res.Report.Signatures {
						if s.Indication != validate.TotalPassed || !s.IsTimeStamp() && s.Level != string(level) || level != extend.LevelT && !s.Settled() {
							t.Errorf("%s: %s %s %v", level, s.Words(), s.Level, s.Why)
						}
					}
					file = out
				}
				n := map[extend.Level]int{extend.LevelT: 4, extend.LevelLT: 1}[levels[len(levels)-1]]
				want := strings.Fields(c.want)
				if got := strings.Join(unsigned(t, file), " "); got != strings.Join(want[:len(want)-n], " ") {
					t.Errorf("unsigned properties: %s", got)
				}
			})
		}
	}
}

// ADE-03: an archive time-stamp is renewed by one of another authority, over what is to be known of the
// authority of the one before; as often as wanted, all keep their verdict, and what was there stays.
func TestADE03XMLRenewal(t *testing.T) {
	d := newDesk(t)
	file, _, err := d.extendXML(t, d.enveloped(t, []byte(invoice), "s1", false), extend.LevelLTA)
	must(t, err)
	for n := range 3 {
		d.authority(t, fmt.Sprintf("tsa%d", n))
		out, res, err := d.extendXML(t, file, extend.LevelLTA)
		must(t, err)
		onlyAdded(t, file, out)
		d.xmlJudges(t, out)
		if len(res.Report.Signatures) != n+3 {
			t.Errorf("%d signatures", len(res.Report.Signatures))
		}
		for _, s := range res.Report.Signatures {
			if s.Indication != validate.TotalPassed || !s.Settled() {
				t.Errorf("renewal %d: %s %q %v", n+1, s.Words(), s.Revocation, s.Why)
			}
		}
		file = out
	}
	// Each archive time-stamp but the last is followed by validation data that names it, before the next.
	parts := regexp.MustCompile(`<xades141:(ArchiveTimeStamp|TimeStampValidationData)[^>]* (Id|URI)="#?([^"]*)"`).FindAllStringSubmatch(string(file), -1)
	last := ""
	for _, p := range parts[1:] { // the first is of the time-stamp over the value
		if p[1] == "ArchiveTimeStamp" {
			last = p[3]
		} else if p[3] != last {
			t.Errorf("validation data is for %q, behind %q", p[3], last)
		}
	}
	if got := strings.Join(unsigned(t, file)[4:], " "); got != "ArchiveTimeStamp"+strings.Repeat(" TimeStampValidationData ArchiveTimeStamp TimeStampValidationData", 3) {
		t.Error(got)
	}
}

// ADE-03: a renewal before the certificate of the last time-stamp's authority ends keeps the signature valid after
// that; without it, or too late, nothing is proven any more, and nothing is extended.
func TestADE03XMLRenewalInTime(t *testing.T) {
	d := newDesk(t)
	signed := d.enveloped(t, []byte(invoice), "s1", false)
	d.a.Life = time.Hour
	d.authority(t, "short")
	short, _, err := d.extendXML(t, signed, extend.LevelLTA)
	must(t, err)
	d.a.Life = 0
	d.authority(t, "long")
	long, _, err := d.extendXML(t, short, extend.LevelLTA)
	must(t, err)
	later := time.Now().Add(2 * time.Hour)
	for name, c := range map[string]struct {
		file []byte
		want validate.Status
	}{
		"not renewed": {short, validate.Status{Indication: validate.InDoubt, SubIndication: validate.OutOfBoundsNoPOE}},
		"renewed":     {long, validate.Status{Indication: validate.TotalPassed}},
	} {
		rep, err := validate.File(t.Context(), "a.xml", bytes.NewReader(c.file), int64(len(c.file)), validate.Options{Anchors: d.cfg.Anchors, Now: later})
		must(t, err)
		if rep.Status != c.want {
			t.Errorf("%s, later: %s", name, rep.Words())
		}
	}
	d.cfg.Now = func() time.Time { return later }
	_, _, err = d.extendXML(t, short, extend.LevelLTA)
	if !errors.Is(err, extend.ErrNotValid) || !strings.Contains(err.Error(), "a.xml") || !strings.Contains(err.Error(), "OUT_OF_BOUNDS_NO_POE") || !strings.Contains(err.Error(), "extend a copy that was time-stamped in time") {
		t.Errorf("too late: %v", err)
	}
}

// ADE-03: what is not valid, is no XAdES baseline signature, or cannot be had is refused and said: what, where, and what may help.
func TestADE03XMLExtensionRefuses(t *testing.T) {
	d := newDesk(t)
	good := d.enveloped(t, []byte(invoice), "s1", false)
	lt, _, err := d.extendXML(t, good, extend.LevelLT)
	must(t, err)
	change := func(file []byte, old, by string) []byte {
		out := bytes.Replace(file, []byte(old), []byte(by), 1)
		if bytes.Equal(out, file) {
			t.Fatal(old)
		}
		return out
	}
	covered := d.enveloped(t, d.enveloped(t, []byte(invoice), "s1", true), "s2", false)
	for name, c := range map[string]struct {
		file  []byte
		level extend.Level
		want  error
		words string
	}{
		"not signed":         {[]byte(invoice), extend.LevelLTA, extend.ErrNotValid, "a.xml has no signature"},
		"data changed":       {change(good, "240", "999"), extend.LevelT, extend.ErrNotValid, `signature "s1" in a.xml is TOTAL-FAILED, HASH_FAILURE`},
		"value changed":      {change(good, `-value">`, `-value">AAAA`), extend.LevelT, extend.ErrNotValid, "get the document as it was signed"},
		"wrapped":            {change(change(good, "<invoice ", "<w>999<invoice "), "</invoice>", "</invoice></w>"), extend.LevelT, extend.ErrNotValid, `"s1"`},
		"style sheet":        {append([]byte(`<?xml-stylesheet type="text/xsl" href="evil.xsl"?>`), d.enveloping(t)...), extend.LevelLTA, extend.ErrNotValid, "a processing instruction"},
		"hidden data":        {change(good, "<ds:Object>", "<ds:Object>999</ds:Object><ds:Object>"), extend.LevelT, extend.ErrNotValid, `"s1"`},
		"file not at hand":   {d.detached(t, nil), extend.LevelT, extend.ErrNotValid, "give the files that it names"},
		"a part of it":       {d.internally(t), extend.LevelT, extend.ErrNotValid, "it covers only a part of the document"},
		"covered by another": {covered, extend.LevelT, extend.ErrBreaks, `signature "s2" covers the properties of "s1"; extend "s2" alone`},
		"has the level":      {lt, extend.LevelLT, extend.ErrNothing, "B-LT"},
		"has a higher one":   {lt, extend.LevelT, extend.ErrNothing, "B-T"},
		"no level":           {good, "B-B", extend.ErrLevel, "B-B"},
		"no XAdES baseline":  {d.theirsWithoutCertificate(t), extend.LevelT, extend.ErrNotXAdES, `signature "theirs" in a.xml`},
		"is a PDF too":       {change(good, "<!-- c -->", "<!-- %PDF-1.7 -->"), extend.LevelT, validate.ErrTwoFaced, "a.xml"},
		"another encoding":   {change(good, "\uFEFF<?xml version=\"1.0\"?>", "<?xml version='1.0' encoding='ISO-8859-1'?>"), extend.LevelT, c14n.ErrEncoding, "a.xml"},
		"document type":      {change(good, "<!-- c -->", "<!DOCTYPE invoice>"), extend.LevelT, nil, "a.xml"},
	} {
		out, _, err := d.extendXML(t, c.file, c.level)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %v with %q", name, err, c.want, c.words)
		}
		if len(out) > 0 {
			t.Errorf("%s: %d bytes were written", name, len(out))
		}
	}
	other := newDesk(t)
	other.cfg.Stamper = d.cfg.Stamper
	if _, _, err := other.extendXML(t, good, extend.LevelLTA); !errors.Is(err, extend.ErrNotValid) || !strings.Contains(err.Error(), "give the roots") {
		t.Errorf("another anchor: %v", err)
	}
	d.cfg.Stamper = other.stamperOf(t)
	if _, _, err := d.extendXML(t, good, extend.LevelT); err == nil {
		t.Error("a time-stamp of somebody else was taken")
	}
}

// ADE-03, REV rows: without answers about revocation, or with bad ones, no level is reached and nothing is written.
func TestADE03XMLExtensionAsksAboutRevocation(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(d *desk)
		want error
	}{
		"silent":                    {func(d *desk) { d.a.Silent = true }, longterm.ErrStatus},
		"older than the signature":  {func(d *desk) { d.a.Skew = -10 * time.Minute }, longterm.ErrStatus},
		"signer revoked":            {func(d *desk) { d.a.Revoke(t, d.chain[0], time.Now().Add(-time.Minute)) }, revocation.ErrRevoked},
		"issuing authority revoked": {func(d *desk) { d.a.Revoke(t, d.chain[1], time.Now().Add(-time.Minute)) }, revocation.ErrRevoked},
		"stamper revoked":           {func(d *desk) { d.a.Revoke(t, d.stamps[0], time.Now().Add(-time.Minute)) }, revocation.ErrRevoked},
	} {
		d := newDesk(t)
		signed := d.enveloped(t, []byte(invoice), "s1", false)
		c.do(d)
		for _, level := range []extend.Level{extend.LevelLT, extend.LevelLTA} {
			out, _, err := d.extendXML(t, signed, level)
			if !errors.Is(err, c.want) || len(out) > 0 || !strings.Contains(fmt.Sprint(err), `signature "s1"`) {
				t.Errorf("%s, %s: %v, %d bytes", name, level, err, len(out))
			}
		}
	}
	d := newDesk(t)
	file, _, err := d.extendXML(t, d.enveloped(t, []byte(invoice), "s1", false), extend.LevelLTA)
	must(t, err)
	d.a.Revoke(t, d.stamps[0], time.Now().Add(-time.Minute))
	d.authority(t, "another")
	if out, _, err := d.extendXML(t, file, extend.LevelLTA); !errors.Is(err, revocation.ErrRevoked) || len(out) > 0 {
		t.Errorf("renewal of one whose authority was revoked: %v", err)
	}
}

// ADE-03: of two parallel signatures both are extended, or none, or the one that was chosen; the other one keeps
// every byte and its verdict, whatever that is.
func TestADE03XMLChoiceOfSignatures(t *testing.T) {
	d := newDesk(t)
	one := d.enveloped(t, []byte(invoice), "s1", true)
	first := d.chain
	d.chain, d.file = d.a.Certify(t, "bert", d.key.Public(), profile)
	two := d.enveloped(t, one, "s2", true)
	out, res, err := d.extendXML(t, two, extend.LevelLTA)
	must(t, err)
	d.xmlJudges(t, out)
	for _, s := range res.Report.Signatures {
		if s.Indication != validate.TotalPassed || !s.IsTimeStamp() && s.Level != "B-LTA" {
			t.Errorf("both: %s %s %v", s.Words(), s.Level, s.Why)
		}
	}
	levels := func(res *extend.Result) (out []string) {
		for _, s := range res.Report.Signatures {
			if !s.IsTimeStamp() {
				out = append(out, s.Field+" "+s.Level)
			}
		}
		return out
	}
	for chosen, want := range map[string]string{"s1": "[s1 B-LTA s2 B-B]", "s2": "[s1 B-B s2 B-LTA]"} {
		d.cfg.Signatures = []string{chosen}
		out, res, err := d.extendXML(t, two, extend.LevelLTA)
		must(t, err)
		onlyAdded(t, two, out)
		if fmt.Sprint(levels(res)) != want {
			t.Errorf("%s: %v", chosen, levels(res))
		}
	}
	d.cfg.Signatures = []string{"s1", "s3"}
	if _, _, err := d.extendXML(t, two, extend.LevelLTA); !errors.Is(err, extend.ErrChoice) || !strings.Contains(err.Error(), `"s3" in a.xml; there are ["s1" "s2"]`) {
		t.Errorf("unknown: %v", err)
	}
	// One signer was revoked: all or none; the other one can be chosen.
	d.a.Revoke(t, first[0], time.Now().Add(-time.Minute))
	for _, choice := range [][]string{nil, {"s1"}, {"s2", "s1"}} {
		d.cfg.Signatures = choice
		if out, _, err := d.extendXML(t, two, extend.LevelLTA); !errors.Is(err, revocation.ErrRevoked) || len(out) > 0 {
			t.Errorf("%v, one revoked: %v", choice, err)
		}
	}
	d.cfg.Signatures = []string{"s2"}
	_, res, err = d.extendXML(t, two, extend.LevelLTA)
	must(t, err)
	if fmt.Sprint(levels(res)) != "[s1 B-B s2 B-LTA]" {
		t.Errorf("the good one: %v", levels(res))
	}
	// One is broken: the other one can be chosen, and the broken one stays broken.
	broken := bytes.Replace(two, []byte(`Id="s1-value">`), []byte(`Id="s1-value">AAAA`), 1)
	_, res, err = d.extendXML(t, broken, extend.LevelLTA)
	must(t, err)
	if res.Report.Verdict != validate.NotValid || fmt.Sprint(levels(res)) != "[s1  s2 B-LTA]" {
		t.Errorf("beside a broken one: %s %v", res.Report.Verdict, levels(res))
	}
	d.cfg.Signatures = nil
	if out, _, err := d.extendXML(t, broken, extend.LevelLTA); !errors.Is(err, extend.ErrNotValid) || !strings.Contains(err.Error(), `"s1"`) || len(out) > 0 {
		t.Errorf("all, one broken: %v", err)
	}
}

// ADE-03: validation data that is there and does not settle the matter stays as it is, and what is added stands where EN 319 132-1
// has a place for more than one of it.
func TestADE03XMLFurtherMaterial(t *testing.T) {
	d := newDesk(t)
	d.a.Skew, d.cfg.Current = -10*time.Minute, true
	old, res, err := d.extendXML(t, d.enveloped(t, []byte(invoice), "s1", false), extend.LevelLT)
	must(t, err)
	if s := res.Report.Signatures[0]; s.Settled() || s.Level != "B-LT" {
		t.Fatalf("answers of before the signature settle it: %s %s", s.Level, s.Revocation)
	}
	d.a.Skew, d.cfg.Current = 0, false
	for _, level := range []extend.Level{extend.LevelLT, extend.LevelLTA} {
		out, res, err := d.extendXML(t, old, level)
		must(t, err)
		onlyAdded(t, old, out)
		d.xmlJudges(t, out)
		want := "SignatureTimeStamp CertificateValues RevocationValues TimeStampValidationData AnyValidationData TimeStampValidationData"
		if level == extend.LevelLTA {
			want += " ArchiveTimeStamp"
		}
		if got := strings.Join(unsigned(t, out), " "); got != want {
			t.Errorf("%s: %s", level, got)
		}
		if s := res.Report.Signatures[0]; !s.Settled() || s.Level != string(level) {
			t.Errorf("%s: %s %s", level, s.Level, s.Revocation)
		}
	}
}

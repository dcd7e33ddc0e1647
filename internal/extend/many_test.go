package extend_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// ADE-03: a file is renewed as long as verifiers judge all of its time-stamps, and refused then, before anything is asked
// for, with what to do.
func TestADE03FilesOfManyTimeStamps(t *testing.T) {
	d := newDesk(t)
	pdf := d.signed(t, contract(), 16<<10, 0)
	for range 34 {
		pdf = d.stamped(t, pdf)
	}
	out, res, err := d.extend(t, pdf, extend.LevelLTA)
	if err != nil || res.Report.Verdict != validate.Valid || len(res.Report.Signatures) < 36 {
		t.Errorf("PDF, 34 time-stamps: %v", err)
	}
	for range validate.MaxSignatures - len(res.Report.Signatures) {
		out = d.stamped(t, out)
	}
	_, _, err = d.extend(t, out, extend.LevelLTA)
	full(t, "PDF", err)

	xml, _, err := d.extendXML(t, d.enveloped(t, []byte(invoice), "s1", false), extend.LevelT)
	must(t, err)
	from, to := bytes.Index(xml, []byte("<xades:SignatureTimeStamp")), bytes.Index(xml, []byte("</xades:UnsignedSignatureProperties>"))
	id := xml[from+bytes.Index(xml[from:], []byte(`Id="`)):]
	id = id[:bytes.IndexByte(id[len(`Id="`):], '"')+len(`Id="`)]
	var more []byte
	for i := range xmlsig.MaxStamps - 2 {
		more = append(more, bytes.Replace(xml[from:to], id, fmt.Appendf(nil, `Id="more-%d`, i), 1)...)
	}
	xml = append(bytes.Clone(xml[:to]), append(more, xml[to:]...)...)
	xml, res, err = d.extendXML(t, xml, extend.LevelLTA)
	if err != nil || res.Report.Verdict != validate.Valid {
		t.Fatalf("XML, %d time-stamps: %v", xmlsig.MaxStamps-1, err)
	}
	_, _, err = d.extendXML(t, xml, extend.LevelLTA)
	full(t, "XML", err)
}

// I9: a renewal judges the file before and after, and no more: judging a file costs with each time-stamp that it has.
func TestI9RenewalJudgesTwice(t *testing.T) {
	d := newDesk(t)
	pdf, _, err := d.extend(t, d.signed(t, contract(), 16<<10, 0), extend.LevelLTA)
	must(t, err)
	asked := 0
	d.cfg.Now = func() time.Time { asked++; return time.Now() }
	_, _, err = d.extend(t, pdf, extend.LevelLTA)
	must(t, err)
	if asked != 3 { // each judgement and the new time-stamp ask for the time
		t.Errorf("the time was asked for %d times", asked)
	}
}

func full(t *testing.T, name string, err error) {
	t.Helper()
	if !errors.Is(err, extend.ErrFull) || !strings.Contains(err.Error(), "--packaging enveloping") {
		t.Errorf("%s, full: %v", name, err)
	}
}

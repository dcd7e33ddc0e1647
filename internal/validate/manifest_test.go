package validate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/internal/xmlsig"
)

const (
	manifestType = xmldsigNS + "Manifest"
	enveloped    = `<ds:Transform Algorithm="` + xmldsigNS + `enveloped-signature"></ds:Transform>`
)

// manifest is a list of references, canonical, and the reference to it.
func manifest(id string, refs ...ref) (string, ref) {
	var list strings.Builder
	for _, r := range refs {
		list.WriteString(r.String())
	}
	text := `<ds:Manifest xmlns:ds="` + xmldsigNS + `" Id="` + id + `">` + list.String() + `</ds:Manifest>`
	return text, ref{uri: "#" + id, kind: manifestType, transforms: exclusive(""), over: text}
}

// file is a reference to octets beside the document.
func file(name, data string) ref { return ref{uri: name, over: data} }

func object(inside string) string { return "<ds:Object>" + inside + "</ds:Object>" }

// ADE-05, XML Signature 5.1: what a signed list of references is over is judged as what SignedInfo is over: with what is at hand it is
// valid and named, changed it is a HASH_FAILURE, and what is not at hand is not decided.
func TestADE05ManifestsAreJudged(t *testing.T) {
	k := newKit(t)
	a, b := file("a.txt", "first"), file("b.txt", "second")
	files, toFiles := manifest("m", a, b)
	byObject := ref{uri: "#o", kind: manifestType, transforms: exclusive(""), over: `<ds:Object xmlns:ds="` + xmldsigNS + `" Id="o">` + strings.Replace(files, ` xmlns:ds="`+xmldsigNS+`"`, "", 1) + `</ds:Object>`}
	whole, toWhole := manifest("m", ref{transforms: exclusive(enveloped), over: form(t, order, c14n.Job{})})
	parallel, toParallel := manifest("m", ref{transforms: exclusive(subtractAll), over: form(t, order, c14n.Job{})})
	inner, toInner := manifest("m", ref{uri: "#o2", transforms: `<ds:Transform Algorithm="` + xmldsigNS + `base64"></ds:Transform>`, over: "text"})
	part, toPart := manifest("m", ref{uri: "#l", transforms: exclusive(""), over: `<line Id="l">240 euros</line>`})
	detachedDoc := k.dsig(t, signHere, "s1", object(files), toFiles)
	good := []validate.Detached{detached("a.txt", "first"), detached("b.txt", "second")}
	for name, c := range map[string]struct {
		doc   string
		files []validate.Detached
		want  validate.Verdict
		sub   validate.SubIndication
		scope string
	}{
		"files":                   {detachedDoc, good, validate.Valid, "", `the bytes of the file "a.txt"; the bytes of the file "b.txt"`},
		"by the Object":           {k.dsig(t, signHere, "s1", byObject.over, byObject), good, validate.Valid, "", `the bytes of the file "b.txt"`},
		"an Object that says so":  {strings.Replace(detachedDoc, "<ds:Object>", `<ds:Object MimeType="`+manifestType+`">`, 1), good, validate.Valid, "", ""},
		"a file changed":          {detachedDoc, []validate.Detached{good[0], detached("b.txt", "2nd")}, validate.NotValid, validate.HashFailure, ""},
		"a file exchanged":        {detachedDoc, []validate.Detached{detached("b.txt", "first"), detached("a.txt", "second")}, validate.NotValid, validate.HashFailure, ""},
		"a file less":             {detachedDoc, good[:1], validate.Indeterminate, validate.SignedDataNotFound, ""},
		"no file":                 {detachedDoc, nil, validate.Indeterminate, validate.SignedDataNotFound, ""},
		"a file more":             {detachedDoc, append(good[:2:2], detached("c.txt", "third")), validate.Indeterminate, validate.SigConstraintsFailure, ""},
		"the list changed":        {strings.Replace(detachedDoc, `URI="b.txt"`, `URI="c.txt"`, 1), []validate.Detached{good[0], detached("c.txt", "second")}, validate.NotValid, validate.HashFailure, ""},
		"the document":            {k.dsig(t, orderWith(signHere), "s1", object(whole), toWhole), nil, validate.Valid, "", "the whole document but for this signature"},
		"the document changed":    {strings.Replace(k.dsig(t, orderWith(signHere), "s1", object(whole), toWhole), "240", "2400", 1), nil, validate.NotValid, validate.HashFailure, ""},
		"parallel":                {k.dsig(t, orderWith(signHere), "s1", object(parallel), toParallel), nil, validate.Valid, "", "the whole document but for all signatures in it"},
		"parallel, hidden data":   {strings.Replace(k.dsig(t, orderWith(signHere), "s1", object(parallel), toParallel), "</order>", `<ds:Signature xmlns:ds="`+xmldsigNS+`"><line/></ds:Signature></order>`, 1), nil, validate.NotValid, validate.FormatFailure, ""},
		"another Object":          {k.dsig(t, signHere, "s1", object(inner)+`<ds:Object Id="o2">dGV4dA==</ds:Object>`, toInner), nil, validate.Valid, "", "that file's bytes"},
		"another Object, changed": {k.dsig(t, signHere, "s1", object(inner)+`<ds:Object Id="o2">dGV4dB==</ds:Object>`, toInner), nil, validate.NotValid, "", ""},
		"a part":                  {k.dsig(t, orderWith(signHere), "s1", object(part), toPart), nil, validate.Indeterminate, validate.SigConstraintsFailure, "not the document around it"},
	} {
		opt := k.trust()
		opt.Detached = c.files
		rep := k.look(t, []byte(c.doc), opt)
		if rep.Verdict != c.want || c.sub != "" && rep.SubIndication != c.sub || !strings.Contains(rep.Signatures[0].Scope, c.scope) {
			t.Errorf("%s: %s %s %q %q", name, rep.Verdict, rep.SubIndication, rep.Signatures[0].Scope, rep.Signatures[0].Why)
		}
		if name == "parallel, hidden data" && rep.Signatures[0].Verdict == validate.Valid {
			t.Error("hidden data in a signature that a list leaves out")
		}
	}
}

// ADE-05: only a list that is signed as it stands, in an Object of the signature, counts: others, put in or moved, sign nothing.
func TestADE05ManifestsOfNobody(t *testing.T) {
	k := newKit(t)
	list, to := manifest("m", ref{transforms: exclusive(enveloped), over: form(t, order, c14n.Job{})})
	line := ref{uri: "#l", transforms: exclusive(""), over: `<line Id="l">240 euros</line>`}
	good := k.dsig(t, orderWith(signHere), "s1", object(list), to)
	changed := strings.Replace(order, "240 euros", "1 euro", 1)
	fake, _ := manifest("fake", ref{transforms: exclusive(enveloped), over: form(t, changed, c14n.Job{})})
	deep, toDeep := manifest("d", to)
	text, toText := manifest("m", line)
	toText.transforms, toText.over = `<ds:Transform Algorithm="`+xmldsigNS+`base64"></ds:Transform>`, string(digestOf([]byte(line.over)))
	nothing, toNothing := manifest("m")
	move := func(where string) string {
		s := strings.Replace(strings.Replace(good, "240 euros", "1 euro", 1), object(list), object(fake), 1)
		return strings.Replace(s, where, list+where, 1)
	}
	for name, doc := range map[string]string{
		"unsigned":                 k.dsig(t, orderWith(signHere), "s1", object(list), line),
		"unsigned, marked":         strings.Replace(k.dsig(t, orderWith(signHere), "s1", object(list), line), `URI="#l"`, `Type="`+manifestType+`" URI="#l"`, 1),
		"something else as one":    k.dsig(t, orderWith(signHere), "s1", "", ref{uri: "#l", kind: manifestType, transforms: exclusive(""), over: line.over}),
		"moved to the document":    move("</order>"),
		"moved to the KeyInfo":     move("</ds:KeyInfo>"),
		"moved deeper":             strings.Replace(strings.Replace(strings.Replace(good, "240 euros", "1 euro", 1), object(list), object("<w>"+list+"</w>"), 1), "</ds:Signature>", object(fake)+"</ds:Signature>", 1),
		"beside a fake":            strings.Replace(strings.Replace(good, "240 euros", "1 euro", 1), object(list), object(list+fake), 1),
		"a list in a list":         k.dsig(t, orderWith(signHere), "s1", object(list)+object(deep), toDeep),
		"its text alone":           k.dsig(t, orderWith(signHere), "s1", object(text), toText),
		"of nothing":               k.dsig(t, orderWith(signHere), "s1", object(nothing), toNothing),
		"an Object with more data": strings.Replace(good, object(list), object(list+"<line/>"), 1),
		"with text beside":         strings.Replace(good, object(list), object(list+"999 euros"), 1),
	} {
		rep := k.look(t, []byte(doc), k.trust())
		if rep.Verdict == validate.Valid || rep.Signatures[0].Verdict == validate.Valid {
			t.Errorf("%s: %s %q", name, rep.Verdict, rep.Signatures[0].Scope)
		}
		if says := rep.Signatures[0].Scope; !strings.Contains(name, " beside") && name != "an Object with more data" && strings.Contains(says, "the whole document") {
			t.Errorf("%s: what it is said to cover: %q %q", name, says, rep.Signatures[0].Why)
		}
	}
	// A list that somebody puts in does not make a file beside a signed one.
	signed := k.dsig(t, signHere, "s1", "", file("a.txt", "first"))
	more, _ := manifest("m", file("b.txt", "second"))
	opt := k.trust()
	opt.Detached = []validate.Detached{detached("a.txt", "first"), detached("b.txt", "second")}
	if rep := k.look(t, []byte(strings.Replace(signed, "</ds:Signature>", object(more)+"</ds:Signature>", 1)), opt); rep.Verdict == validate.Valid || rep.Signatures[0].Verdict == validate.Valid {
		t.Errorf("put in: %s", rep.Verdict)
	}
}

// I9: lists are bounded, each and together.
func TestI9ManifestsAreBounded(t *testing.T) {
	k := newKit(t)
	for n, want := range map[int]error{400: nil, 600: nil, 1200: xmlsig.ErrTooLarge} {
		refs := make([]ref, n)
		for i := range refs {
			refs[i] = ref{uri: "#l", transforms: exclusive(""), over: `<line Id="l">240 euros</line>`}
		}
		list, to := manifest("m", refs...)
		doc := k.dsig(t, orderWith(signHere), "s1", object(list), to)
		rep, err := validate.File(context.Background(), "x.xml", strings.NewReader(doc), int64(len(doc)), k.trust())
		if !errors.Is(err, want) {
			t.Errorf("%d: %v", n, err)
		}
		if want == nil && strings.Contains(strings.Join(rep.Signatures[0].Why, " "), "too large") != (n == 600) {
			t.Errorf("%d: %q", n, rep.Signatures[0].Why)
		}
	}
}

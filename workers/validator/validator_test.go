package validator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/pades"
	"github.com/assent-sign/assent/workers/tsa"
	"github.com/assent-sign/assent/workers/validator"
	"github.com/assent-sign/assent/workers/workertest"
	"github.com/assent-sign/assent/workers/xades"
)

var kinds = map[string]workers.Kind{"pades": pades.Kind(), "tsa": tsa.Kind(), "xades": xades.Kind(), "validator": validator.Kind()}

const page = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n" +
	"3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>\nendobj\nxref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000058 00000 n \n0000000115 00000 n \n" +
	"trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n178\n%%EOF\n"

// set has a signer at B-T and validators.
func set(t *testing.T, checks ...workers.Config) (*workers.Set, *workertest.PKI, error) {
	t.Helper()
	p := workertest.NewPKI(t)
	_, _, stamps := p.Key(t, "tsa", algo.P256, certs.TSAProfile)
	_, _, signer := p.Key(t, "anna", algo.P256, certs.SignerProfile)
	all := []workers.Config{
		{Name: "tsa", Kind: "tsa", Token: "local", Key: "tsa", Chain: stamps, Properties: map[string]string{"policy": "1.3.6.1.4.1.99999.1.1"}},
		{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: signer, Properties: map[string]string{"level": "B-T", "tsa": "worker:tsa"}},
	}
	all = append(all, workers.Config{Name: "xml", Kind: "xades", Token: "local", Key: "anna", Chain: signer, Properties: map[string]string{"signature_packaging": "INTERNALLY_DETACHED", "reference_ids": "head"}})
	for _, c := range checks {
		if c.Properties["trust_anchors"] == "ROOT" {
			c.Properties["trust_anchors"] = p.Root
		}
		all = append(all, c)
	}
	s, err := workers.NewSet(t.Context(), all, p.Options(kinds, nil))
	return s, p, err
}

func check(name string, properties map[string]string) workers.Config {
	return workers.Config{Name: name, Kind: "validator", Properties: properties}
}

// ADE-03: a document of the one worker is judged by the other, against its anchors and its policy.
func TestADE03ValidatorJudges(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.pem")
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	must(t, err)
	must(t, os.WriteFile(other, certs.EncodePEM(ca.Root.Raw), 0o600))
	s, _, err := set(t, check("any", map[string]string{"trust_anchors": "ROOT"}), check("told", map[string]string{"trust_anchors": "ROOT", "revocation": "required"}),
		check("long", map[string]string{"trust_anchors": "ROOT", "level": "B-LT"}), check("t", map[string]string{"trust_anchors": "ROOT", "level": "B-T"}),
		check("stranger", map[string]string{"trust_anchors": other}))
	must(t, err)
	signer, err := s.Get("pdf")
	must(t, err)
	out := workertest.File(t, "out.pdf")
	_, err = workers.SignNow(t.Context(), signer, workers.Input{Document: strings.NewReader(page), Size: int64(len(page)), Name: "a.pdf"}, out)
	must(t, err)
	file, err := os.ReadFile(out.Name())
	must(t, err)
	changed := bytes.Replace(file, []byte("[0 0 9 9]"), []byte("[0 0 8 8]"), 1)
	for _, c := range []struct {
		worker string
		file   []byte
		want   validate.Status
	}{
		{"any", file, validate.Status{Indication: validate.TotalPassed}},
		{"t", file, validate.Status{Indication: validate.TotalPassed}},
		{"told", file, validate.Status{Indication: validate.InDoubt, SubIndication: validate.TryLater}},
		{"long", file, validate.Status{Indication: validate.InDoubt, SubIndication: validate.SigConstraintsFailure}},
		{"stranger", file, validate.Status{Indication: validate.InDoubt, SubIndication: validate.NoCertificateChainFound}},
		{"any", changed, validate.Status{Indication: validate.TotalFailed, SubIndication: validate.HashFailure}},
		{"any", []byte(page), validate.Status{}},
	} {
		e, err := s.Get(c.worker)
		must(t, err)
		text, err := e.Validator.Validate(t.Context(), "a.pdf", bytes.NewReader(c.file), int64(len(c.file)), nil)
		must(t, err)
		var rep validate.Report
		must(t, json.Unmarshal(text, &rep))
		if rep.Schema != validate.Schema || rep.Status != c.want || rep.Policy.Anchors != 1 {
			t.Errorf("%s: %s", c.worker, text)
		}
	}
	e, err := s.Get("any")
	must(t, err)
	if _, err := e.Validator.Validate(t.Context(), "a.txt", strings.NewReader("hello"), 5, nil); !errors.Is(err, workers.ErrInput) {
		t.Errorf("no document: %v", err)
	}
	if e.Worker != nil || e.Signer != nil {
		t.Error("a validator signs")
	}
	if _, err := workers.SignNow(t.Context(), e, workers.Input{}, nil); !errors.Is(err, workers.ErrNeedSigner) {
		t.Errorf("signing with it: %v", err)
	}
}

// ADE-03, ADE-05: the files beside a detached signature are judged with it by their names.
func TestADE05ValidatorTakesFilesBesideASignature(t *testing.T) {
	s, _, err := set(t, check("any", map[string]string{"trust_anchors": "ROOT"}))
	must(t, err)
	e, err := s.Get("any")
	must(t, err)
	const digest = "6UVSzgNtBPzF/b1v3h9pK0RbrWZqLbPB1hOeuJ8Jx0A="
	sig := `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>` +
		`<ds:Reference URI="a.txt"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>` + digest + `</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature>`
	for want, beside := range map[validate.SubIndication][]workers.Beside{
		validate.SignedDataNotFound: {{Name: "b.txt", ReaderAt: strings.NewReader("hello"), Size: 5}},
		validate.HashFailure:        {{Name: "a.txt", ReaderAt: strings.NewReader("hello"), Size: 5}},
	} {
		text, err := e.Validator.Validate(t.Context(), "a.xml", strings.NewReader(sig), int64(len(sig)), nil, beside...)
		must(t, err)
		var rep validate.Report
		must(t, json.Unmarshal(text, &rep))
		if rep.SubIndication != want {
			t.Errorf("%s: want %s: %s", beside[0].Name, want, text)
		}
	}
}

// ADE-05: the documents of signature policies that the worker is configured with are those that a signature is held
// against; the policy of the signature is in the report.
func TestADE05ValidatorHasPolicies(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules.txt")
	must(t, os.WriteFile(rules, []byte("rules"), 0o600))
	s, _, err := set(t, check("any", map[string]string{"trust_anchors": "ROOT"}), check("held", map[string]string{"trust_anchors": "ROOT", "signature_policies": "urn:example:p=" + rules}))
	must(t, err)
	for worker, want := range map[string]int{"any": 0, "held": 1} {
		e, err := s.Get(worker)
		must(t, err)
		text, err := e.Validator.Validate(t.Context(), "a.pdf", strings.NewReader(page), int64(len(page)), nil)
		must(t, err)
		var rep validate.Report
		must(t, json.Unmarshal(text, &rep))
		if rep.Policy.SignaturePolicies != want {
			t.Errorf("%s: %s", worker, text)
		}
	}
}

// ADE-05: a signature over one element passes where the request, or the worker, goes by that element, and nothing else is
// said to be covered; a request cannot take a part of the worker's away.
func TestADE05ValidatorGoesByParts(t *testing.T) {
	s, _, err := set(t, check("any", map[string]string{"trust_anchors": "ROOT"}), check("head", map[string]string{"trust_anchors": "ROOT", "parts": "head"}),
		check("both", map[string]string{"trust_anchors": "ROOT", "parts": "head, foot"}))
	must(t, err)
	signer, err := s.Get("xml")
	must(t, err)
	const order = "<order><head Id='head'>240 euros</head><foot Id='foot'>999</foot></order>"
	out := workertest.File(t, "out.xml")
	_, err = workers.SignNow(t.Context(), signer, workers.Input{Document: strings.NewReader(order), Size: int64(len(order)), Name: "a.xml"}, out)
	must(t, err)
	signed, err := os.ReadFile(out.Name())
	must(t, err)
	for _, c := range []struct {
		worker string
		parts  []string
		passes bool
	}{{"any", nil, false}, {"any", []string{"head"}, true}, {"any", []string{"foot"}, false}, {"any", []string{"head", "foot"}, false}, {"head", nil, true}, {"head", []string{"head"}, true}, {"both", nil, false}, {"both", []string{"head"}, false}} {
		e, err := s.Get(c.worker)
		must(t, err)
		text, err := e.Validator.Validate(t.Context(), "a.xml", bytes.NewReader(signed), int64(len(signed)), c.parts)
		must(t, err)
		var rep validate.Report
		must(t, json.Unmarshal(text, &rep))
		if (rep.Verdict == validate.Valid) != c.passes {
			t.Errorf("%s, %q: %s", c.worker, c.parts, text)
		}
	}
}

// The configuration is proven when it is read, with the reason.
func TestValidatorConfiguration(t *testing.T) {
	for name, c := range map[string]workers.Config{
		"trust_anchors is required": check("c", nil),
		"no such file":              check("c", map[string]string{"trust_anchors": "/nowhere.pem"}),
		"revocation":                check("c", map[string]string{"trust_anchors": "ROOT", "revocation": "never"}),
		"level":                     check("c", map[string]string{"trust_anchors": "ROOT", "level": "B-X"}),
		"signature_policies":        check("c", map[string]string{"trust_anchors": "ROOT", "signature_policies": "/nowhere.pdf"}),
		"has no property":           check("c", map[string]string{"trust_anchors": "ROOT", "tsa": "worker:tsa"}),
		"must not be given":         {Name: "c", Kind: "validator", Token: "local", Properties: map[string]string{"trust_anchors": "ROOT"}},
	} {
		if _, _, err := set(t, c); !errors.Is(err, workers.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// ADE-03: a trust anchor that has ended does not keep the service from starting: it vouches for archived
// signatures still. The operator is told, by the worker's name.
func TestADE03EndedAnchorIsKeptWithAWarning(t *testing.T) {
	p := workertest.NewPKI(t)
	path := filepath.Join(t.TempDir(), "anchors.pem")
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	must(t, err)
	old, err := certs.NewDemoCA(certs.DemoConfig{Clock: func() time.Time { return time.Now().AddDate(-60, 0, 0) }})
	must(t, err)
	must(t, os.WriteFile(path, append(certs.EncodePEM(ca.Root.Raw), certs.EncodePEM(old.Root.Raw)...), 0o600))
	var said []string
	opt := p.Options(kinds, nil)
	opt.Warn = func(worker, text string) { said = append(said, worker+": "+text) }
	cfgs := []workers.Config{check("judge", map[string]string{"trust_anchors": path})}
	must(t, workers.Check(t.Context(), cfgs, opt))
	s, err := workers.NewSet(t.Context(), cfgs, opt)
	must(t, err)
	ended := old.Root.NotAfter.UTC().Format(time.DateOnly)
	if len(said) != 2 || said[0] != said[1] || !strings.HasPrefix(said[0], "judge: trust_anchors: "+old.Root.Subject.String()) || !strings.Contains(said[0], ended) {
		t.Errorf("said: %q; want the end of %s on %s, once each", said, old.Root.Subject, ended)
	}
	e, err := s.Get("judge")
	must(t, err)
	text, err := e.Validator.Validate(t.Context(), "a.pdf", strings.NewReader(page), int64(len(page)), nil)
	must(t, err)
	var rep validate.Report
	must(t, json.Unmarshal(text, &rep))
	if rep.Policy.Anchors != 2 {
		t.Errorf("%d anchors", rep.Policy.Anchors)
	}
	opt.Warn = nil
	must(t, workers.Check(t.Context(), cfgs, opt))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package sam_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// posing is a token that reports what it is told to.
type posing struct {
	samtest.Full
	mu          sync.Mutex
	development bool
	id          cryptotoken.Identity
}

func (p *posing) Info(ctx context.Context) (cryptotoken.Info, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := p.Full.Info(ctx)
	info.Development, info.Identity = p.development, p.id
	return info, err
}

func (p *posing) pose(development bool, firmware string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.development, p.id = development, cryptotoken.Identity{Manufacturer: "Example HSM Inc", Model: "M7", Firmware: firmware}
}

// statements are QcCompliance and QcSSCD.
var statements = []byte{0x30, 0x14, 0x30, 0x08, 6, 6, 4, 0, 0x8e, 0x46, 1, 1, 0x30, 0x08, 6, 6, 4, 0, 0x8e, 0x46, 1, 4}

// qualify makes a certificate QCP-n-qscd with the statements.
func qualify(t *testing.T) func(*x509.Certificate) {
	id, err := x509.OIDFromInts([]uint64{0, 4, 0, 194112, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	return func(c *x509.Certificate) {
		c.Policies = []x509.OID{id}
		c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 3, 6, 1, 5, 5, 7, 1, 3}, Value: statements}}
	}
}

// certifiedWorld has a token that is the certified one, and one signer with a
// qualified certificate and one with another.
func certifiedWorld(t *testing.T) (w *samtest.World, p *posing, qualified, plain *samtest.Signer) {
	t.Helper()
	w = samtest.New(t, func(cfg *sam.Config) {
		full, ok := cfg.Token.(samtest.Full)
		if !ok {
			t.Fatal("token")
		}
		p = &posing{Full: full}
		p.pose(false, "4.2")
		cfg.Token, cfg.Production = p, true
		cfg.Certified = &sam.CertifiedToken{Manufacturer: "Example HSM Inc", Model: "M7", Firmware: []string{"4.2"}, Reference: "X-1"}
	})
	plain = w.NewSigner("plain", algo.P256)
	qualified = &samtest.Signer{ID: "qualified", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	w.Enrol(qualified)
	cred, err := w.M.Generate(context.Background(), samtest.Officer, qualified.ID, "P-256", "")
	if err != nil {
		t.Fatal(err)
	}
	qualified.Key, qualified.Cert = cred.Key, w.CA.Issue(t, cred.CSR, w.Clock.Now(), qualify(t))
	if _, err := w.M.LinkCertificate(context.Background(), samtest.Officer, cred.Key, [][]byte{qualified.Cert.Raw, w.CA.Cert.Raw}); err != nil {
		t.Fatal(err)
	}
	return w, p, qualified, plain
}

// approveQualified approves one item under the policy "qualified".
func approveQualified(t *testing.T, w *samtest.World, s *samtest.Signer) (sad, proof []byte) {
	t.Helper()
	req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Policy: sam.PolicyQualified})
	if req.Assurance != sap.AssuranceQualified {
		t.Errorf("the signer is told %q", req.Assurance)
	}
	full, err := s.Device.SAD(req, s.Items(t, req, 1))
	if err != nil {
		t.Fatal(err)
	}
	if sad, proof, err = s.Device.Sign(full); err != nil {
		t.Fatal(err)
	}
	return sad, proof
}

func askQualified(w *samtest.World, s *samtest.Signer) func() error {
	return func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Policy: sam.PolicyQualified})
		return err
	}
}

func labelOf(t *testing.T, w *samtest.World, s *samtest.Signer) string {
	t.Helper()
	list, err := w.M.Credentials(context.Background(), samtest.SSPU, "", s.Key)
	if err != nil {
		t.Fatal(err)
	}
	return list[0].Assurance
}

// KEY-02: while the connected token does not report what the certificate covers,
// nothing is qualified: the policy refuses requests and approvals that were given
// before; other policies go on under the lower label. It is seen while running.
func TestKEY02OtherTokenIsNotQualified(t *testing.T) {
	w, p, q, _ := certifiedWorld(t)
	ctx := context.Background()
	sad, proof := approveQualified(t, w, q)
	answer, err := w.Redeem(sad, proof)
	if err != nil {
		t.Fatal(err)
	}
	if _, r := w.Decode(answer); r.Assurance != sap.AssuranceQualified {
		t.Errorf("receipt says %s", r.Assurance)
	}
	sad, proof = approveQualified(t, w, q)
	p.pose(false, "4.3") // an update that is not certified
	if err := w.M.Health(ctx, samtest.SSPU); err != nil {
		t.Fatal(err)
	}
	if _, err := w.M.Status(ctx, samtest.Officer); err != nil { // as housekeeping does every minute
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonAssurance, func() error { _, err := w.Redeem(sad, proof); return err })
	refused(t, w, sap.ReasonAssurance, askQualified(w, q))
	if got := labelOf(t, w, q); got != sap.AssuranceSCAL2 {
		t.Errorf("label %s", got)
	}
	sad, proof = w.Approve(q, 1) // policy standard
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Error(err)
	}
	p.pose(false, "4.2")
	if _, err := w.M.Status(ctx, samtest.Officer); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Redeem(approveQualified(t, w, q)); err != nil {
		t.Errorf("certified again: %v", err)
	}
}

// KEY-09, OPS-04: with the certified token a certificate without QCP-n-qscd and
// QcSSCD gets no qualified label and no request under the policy; the label is in
// what the signer is asked and in the receipt.
func TestKEY09NoQualifiedLabelWithoutStatements(t *testing.T) {
	w, _, q, plain := certifiedWorld(t)
	if got := labelOf(t, w, plain); got != sap.AssuranceSCAL2 {
		t.Errorf("plain certificate: %s", got)
	}
	if got := labelOf(t, w, q); got != sap.AssuranceQualified {
		t.Errorf("qualified certificate: %s", got)
	}
	refused(t, w, sap.ReasonAssurance, askQualified(w, plain))
	sad, proof := w.Approve(plain, 1)
	answer, err := w.Redeem(sad, proof)
	if err != nil {
		t.Fatal(err)
	}
	if _, r := w.Decode(answer); r.Assurance != sap.AssuranceSCAL2 {
		t.Errorf("receipt says %s", r.Assurance)
	}
}

// OPS-04: a token for development has the label "development" whatever its
// certificate and configuration say, and production refuses the policy
// "qualified" without a configured certified token.
func TestOPS04DevelopmentClaimsNothing(t *testing.T) {
	w, p, q, _ := certifiedWorld(t)
	p.pose(true, "4.2")
	if _, err := w.M.Status(context.Background(), samtest.Officer); err != nil {
		t.Fatal(err)
	}
	if got := labelOf(t, w, q); got != sap.AssuranceDevelopment {
		t.Errorf("label %s", got)
	}
	refused(t, w, sap.ReasonAssurance, askQualified(w, q))
	p.pose(false, "4.2")
	cfg := w.Cfg
	cfg.Certified, cfg.Store, cfg.AnchorPath = nil, &nopStore{}, filepath.Join(t.TempDir(), "anchor")
	if _, err := sam.Open(context.Background(), cfg); !errors.Is(err, sam.ErrConfig) {
		t.Errorf("policy qualified without a certified token: %v", err)
	}
	cfg.Certified = &sam.CertifiedToken{Model: "M7"}
	if _, err := sam.Open(context.Background(), cfg); !errors.Is(err, sam.ErrConfig) {
		t.Errorf("half a certified token: %v", err)
	}
}

// KEY-09, SAP-02: a key whose label is qualified is used under the policy "qualified"
// alone, whatever the application asks for: not under another one, not under the default,
// not with what was asked for while the token was not the certified one. A key that is not
// qualified is asked for under the others; where there is no policy "qualified", so is one
// that is. What the application is told of a key names its policy.
func TestKEY09QualifiedKeyUnderItsPolicyOnly(t *testing.T) {
	w, p, q, plain := certifiedWorld(t)
	ctx := context.Background()
	known := func() {
		t.Helper()
		if _, err := w.M.Status(ctx, samtest.Officer); err != nil { // as housekeeping does every minute
			t.Fatal(err)
		}
	}
	policyOf := func(s *samtest.Signer) string {
		t.Helper()
		list, err := w.M.Credentials(ctx, samtest.SSPU, "", s.Key)
		if err != nil {
			t.Fatal(err)
		}
		return list[0].Policy
	}
	for _, policy := range []string{"", "standard", "bulk"} {
		refused(t, w, sap.ReasonTooLoose, func() error {
			_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: q.ID, Key: q.Key, N: 1, Policy: policy})
			return err
		})
		if _, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: plain.ID, Key: plain.Key, N: 1, Policy: policy}); err != nil {
			t.Errorf("%q: %v", policy, err)
		}
	}
	if got := policyOf(q) + " " + policyOf(plain); got != "qualified " {
		t.Errorf("told: %s", got)
	}
	p.pose(false, "4.3")
	known()
	early, earlyProof := w.Approve(q, 1) // under the default, and the key has the lower label
	if got := policyOf(q); got != "" {
		t.Errorf("told: %s", got)
	}
	p.pose(false, "4.2")
	known()
	refused(t, w, sap.ReasonTooLoose, func() error { _, err := w.Redeem(early, earlyProof); return err })
	if _, err := w.Redeem(approveQualified(t, w, q)); err != nil {
		t.Error(err)
	}
	closeAll(t, w)
	w.Cfg.Policies = w.Cfg.Policies[:2]
	if err := w.OpenAccepted(); err != nil {
		t.Fatal(err)
	}
	answer, err := w.Redeem(w.Approve(q, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, r := w.Decode(answer); r.Assurance != sap.AssuranceQualified || policyOf(q) != "" {
		t.Errorf("%s, %s", r.Assurance, policyOf(q))
	}
}

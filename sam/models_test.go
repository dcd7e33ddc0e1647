package sam_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/attestation/attestationtest"
	"github.com/assent-sign/assent/internal/mds"
	"github.com/assent-sign/assent/internal/mds/mdstest"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// maker is a manufacturer with two models in the metadata.
type maker struct {
	*attestationtest.Maker
	good, bad mds.AAGUID
	service   *mdstest.Service
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	m := &maker{Maker: attestationtest.New(t), service: mdstest.New(t, "ES256")}
	m.good, m.bad = mds.AAGUID{0: 1, 15: 1}, mds.AAGUID{0: 1, 15: 2}
	return m
}

// blob is issue no of the metadata; statuses are those of model bad.
func (m *maker) blob(t *testing.T, no int64, statuses ...string) *mds.Blob {
	t.Helper()
	roots := []*x509.Certificate{m.Root}
	text := m.service.Blob(no, "2026-12-01",
		mdstest.Entry{AAGUID: m.good.String(), Statuses: []string{"FIDO_CERTIFIED_L1"}, Anchors: roots},
		mdstest.Entry{AAGUID: m.bad.String(), Statuses: append([]string{"FIDO_CERTIFIED_L1"}, statuses...), Anchors: roots})
	b, err := mds.Read(text, mds.Options{Roots: []*x509.Certificate{m.service.Root}, Now: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (m *maker) device(format string, id mds.AAGUID) *samtest.Device {
	d := samtest.NewDevice(samtest.Origin, samtest.RPID)
	d.Format, d.AAGUID, d.Maker = format, id, m.Maker
	return d
}

// ENR-03: the tier that a registration reaches, and whether the least tier of
// enrolments lets it in: format, chain, metadata, backup flag.
func TestENR03Tiers(t *testing.T) {
	m := newMaker(t)
	zero := uint32(0)
	stranger := attestationtest.New(t)
	cases := map[string]struct {
		device func() *samtest.Device
		want   sam.Tier   // reached
		forged sap.Reason // refused at every tier
	}{
		"none":                       {func() *samtest.Device { return m.device("none", m.good) }, sam.TierDeviceBound, ""},
		"none, backed up":            {func() *samtest.Device { d := m.device("none", m.good); d.Flags |= samtest.BE; return d }, sam.TierAny, ""},
		"self":                       {func() *samtest.Device { d := m.device("packed", m.good); d.Maker = nil; return d }, sam.TierDeviceBound, ""},
		"packed":                     {func() *samtest.Device { return m.device("packed", m.good) }, sam.TierAttested, ""},
		"packed, backed up":          {func() *samtest.Device { d := m.device("packed", m.good); d.Flags |= samtest.BE; return d }, sam.TierAny, ""},
		"tpm":                        {func() *samtest.Device { return m.device("tpm", m.good) }, sam.TierAttested, ""},
		"tpm, key may leave":         {func() *samtest.Device { m.TPM.Attributes = &zero; return m.device("tpm", m.good) }, sam.TierDeviceBound, ""},
		"packed, model not known":    {func() *samtest.Device { return m.device("packed", mds.AAGUID{5}) }, sam.TierDeviceBound, ""},
		"packed, AAGUID nought":      {func() *samtest.Device { return m.device("packed", mds.AAGUID{}) }, sam.TierDeviceBound, ""},
		"packed, somebody else made": {func() *samtest.Device { d := m.device("packed", m.good); d.Maker = stranger; return d }, "", sap.ReasonAttestation},
		"tpm, somebody else made":    {func() *samtest.Device { d := m.device("tpm", m.good); d.Maker = stranger; return d }, "", sap.ReasonAttestation},
		"packed, certificate of another model": {func() *samtest.Device {
			d := m.device("packed", m.good)
			m.Change = func(c *x509.Certificate) { c.ExtraExtensions[0] = m.AAGUID(m.bad) }
			return d
		}, "", sap.ReasonAttestation},
		"revoked model":              {func() *samtest.Device { return m.device("packed", m.bad) }, "", sap.ReasonModel},
		"says it is a revoked model": {func() *samtest.Device { return m.device("none", m.bad) }, "", sap.ReasonModel},
	}
	ranks := map[sam.Tier]int{sam.TierAny: 0, sam.TierDeviceBound: 1, sam.TierAttested: 2}
	for least, rank := range ranks {
		o := &opened{World: samtest.New(t, func(cfg *sam.Config) { cfg.Models = sam.Models{Tier: least, Metadata: m.blob(t, 3, "REVOKED")} })}
		n := 0
		for name, c := range cases {
			t.Run(name+" at "+string(least), func(t *testing.T) {
				n++
				id := fmt.Sprint("signer-", n)
				o.again(t, id)
				reg := o.register(t, c.device(), o.code.Code)
				if want := c.forged; want != "" || ranks[c.want] < rank {
					if want == "" && c.want == sam.TierAny {
						want = sap.ReasonBackup
					} else if want == "" {
						want = sap.ReasonTier
					}
					refused(t, o.World, want, func() error { return o.finish(reg) })
					return
				}
				if err := o.finish(reg); err != nil {
					t.Fatal(err)
				}
				v, err := o.M.Signer(context.Background(), samtest.Officer, id)
				if err != nil || v.Authenticators[0].Tier != c.want {
					t.Fatalf("%+v, %v", v, err)
				}
			})
		}
	}
}

// ENR-03: formats that the configuration does not list are refused, by default
// all but none, packed and tpm.
func TestENR03Formats(t *testing.T) {
	m := newMaker(t)
	for format, want := range map[string]sap.Reason{"none": "", "packed": "", "tpm": "", "android-key": sap.ReasonAttestation, "apple": sap.ReasonAttestation,
		"fido-u2f": sap.ReasonAttestation, "android-safetynet": sap.ReasonAttestation, "compound": sap.ReasonAttestation, "NONE": sap.ReasonAttestation} {
		t.Run(format, func(t *testing.T) {
			o := open(t)
			reg := o.register(t, m.device(format, m.good), o.code.Code)
			if want == "" {
				if err := o.finish(reg); err != nil {
					t.Fatal(err)
				}
				return
			}
			refused(t, o.World, want, func() error { return o.finish(reg) })
		})
	}
	o := open(t, func(c *sam.Config) { c.Models.Formats = []string{"tpm"} })
	refused(t, o.World, sap.ReasonAttestation, func() error { return o.finish(o.register(t, m.device("none", m.good), o.code.Code)) })
}

// ENR-03: allowed and denied models.
func TestENR03AllowAndDeny(t *testing.T) {
	m := newMaker(t)
	for name, c := range map[string]struct {
		models sam.Models
		device func() *samtest.Device
		want   sap.Reason
	}{
		"allowed":                   {sam.Models{Allow: []string{m.good.String()}}, func() *samtest.Device { return m.device("packed", m.good) }, ""},
		"not on the list":           {sam.Models{Allow: []string{m.good.String()}}, func() *samtest.Device { return m.device("packed", m.bad) }, sap.ReasonModel},
		"on the list by its word":   {sam.Models{Allow: []string{m.good.String()}}, func() *samtest.Device { return m.device("none", m.good) }, sap.ReasonModel},
		"denied":                    {sam.Models{Deny: []string{m.good.String()}}, func() *samtest.Device { return m.device("packed", m.good) }, sap.ReasonModel},
		"denied and allowed":        {sam.Models{Deny: []string{m.good.String()}, Allow: []string{m.good.String()}}, func() *samtest.Device { return m.device("packed", m.good) }, sap.ReasonModel},
		"denied, without statement": {sam.Models{Deny: []string{m.good.String()}}, func() *samtest.Device { return m.device("none", m.good) }, sap.ReasonModel},
		"another is denied":         {sam.Models{Deny: []string{m.bad.String()}}, func() *samtest.Device { return m.device("none", m.good) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, func(cfg *sam.Config) { cfg.Models = c.models; cfg.Models.Metadata = m.blob(t, 3) })
			reg := o.register(t, c.device(), o.code.Code)
			if c.want != "" {
				refused(t, o.World, c.want, func() error { return o.finish(reg) })
				return
			}
			if err := o.finish(reg); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// SAP-02, ENR-03: an authenticator whose model is denied, or reported as
// compromised, after its enrolment is refused at its next use and offered no
// more; a status that says less does not matter; another report lets it go on.
func TestSAP02ModelRevokedSince(t *testing.T) {
	m := newMaker(t)
	w := samtest.New(t, func(c *sam.Config) { c.Models.Metadata = m.blob(t, 3) })
	s := &samtest.Signer{ID: "alice", Device: m.device("packed", m.bad)}
	w.Enrol(s)
	w.NewKey(s, algo.P256)
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Fatal(err)
	}
	no := int64(3)
	for _, status := range []string{"REVOKED", "ATTESTATION_KEY_COMPROMISE", "USER_VERIFICATION_BYPASS", "USER_KEY_REMOTE_COMPROMISE", "USER_KEY_PHYSICAL_COMPROMISE", "denied"} {
		t.Run(status, func(t *testing.T) {
			sad, proof := w.Approve(s, 1)
			reopen := func(models sam.Models) {
				t.Helper()
				if err := w.M.Close(); err != nil {
					t.Fatal(err)
				}
				w.Cfg.Models = models
				if err := w.OpenAccepted(); err != nil {
					t.Fatal(err)
				}
			}
			no++
			if status == "denied" {
				reopen(sam.Models{Deny: []string{m.bad.String()}})
			} else {
				reopen(sam.Models{Metadata: m.blob(t, no, status, "UPDATE_AVAILABLE")})
			}
			refused(t, w, sap.ReasonModel, func() error { _, err := w.Redeem(sad, proof); return err })
			refused(t, w, sap.ReasonModel, func() error {
				_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
				return err
			})
			no++
			reopen(sam.Models{Metadata: m.blob(t, no, "UPDATE_AVAILABLE")})
			if _, err := w.Redeem(sad, proof); err != nil {
				t.Errorf("taken back: %v", err)
			}
		})
	}
}

// SAP-02: a policy that asks for more than an authenticator showed is neither
// offered nor accepted, whatever the others allow.
func TestSAP02PolicyAsksForATier(t *testing.T) {
	m := newMaker(t)
	w := samtest.New(t, func(c *sam.Config) {
		c.Models.Metadata = m.blob(t, 3)
		c.Policies[1].Tier, c.Policies[2].Tier = sam.TierDeviceBound, sam.TierAttested
	})
	for name, c := range map[string]struct {
		device *samtest.Device
		may    map[string]bool
	}{
		"synced":   {func() *samtest.Device { d := m.device("none", m.good); d.Flags |= samtest.BE | samtest.BS; return d }(), map[string]bool{"standard": true}},
		"bound":    {m.device("none", m.good), map[string]bool{"standard": true, "bulk": true}},
		"attested": {m.device("tpm", m.good), map[string]bool{"standard": true, "bulk": true, sam.PolicyQualified: true}},
	} {
		s := &samtest.Signer{ID: name, Device: c.device}
		w.Enrol(s)
		w.NewKey(s, algo.P256)
		for _, policy := range []string{"standard", "bulk", sam.PolicyQualified} {
			ask := func() error {
				_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Policy: policy})
				return err
			}
			if !c.may[policy] {
				refused(t, w, sap.ReasonTier, ask)
			} else if err := ask(); err != nil {
				t.Errorf("%s under %s: %v", name, policy, err)
			}
		}
	}
	// The policy became stricter after the request was issued.
	s := &samtest.Signer{ID: "late", Device: m.device("none", m.good)}
	w.Enrol(s)
	w.NewKey(s, algo.P256)
	sad, proof := w.Approve(s, 1)
	w.Stop()
	w.Cfg.Policies[0].Tier = sam.TierAttested
	if err := w.OpenAccepted(); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonTier, func() error { _, err := w.Redeem(sad, proof); return err })
}

// ENR-03, BKP-03: older metadata than the module knew is refused at the start: it
// would hide a revocation. Metadata that is long overdue admits no new
// authenticator to the tier "attested".
func TestENR03MetadataDoesNotGoBack(t *testing.T) {
	m := newMaker(t)
	w := samtest.New(t, func(c *sam.Config) { c.Models.Metadata = m.blob(t, 8) })
	w.Stop()
	w.Cfg.Models.Metadata = m.blob(t, 7)
	if err := w.Open(); !errors.Is(err, sam.ErrOpen) {
		t.Fatalf("older metadata: %v", err)
	}
	w.Cfg.Models = sam.Models{Metadata: m.blob(t, 8), Tier: sam.TierAttested}
	if err := w.OpenAccepted(); err != nil {
		t.Fatal(err)
	}
	w.Clock.Set(time.Date(2026, 12, 30, 0, 0, 0, 0, time.UTC)) // due 1 December, 30 days of grace
	w.Enrol(&samtest.Signer{ID: "alice", Device: m.device("packed", m.good)})
	w.Clock.Advance(48 * time.Hour)
	o := &opened{World: w}
	o.again(t, "bob")
	refused(t, w, sap.ReasonTier, func() error { return o.finish(o.register(t, m.device("packed", m.good), o.code.Code)) })
}

// again opens an enrolment for one more signer.
func (o *opened) again(t *testing.T, id string) {
	t.Helper()
	ctx := context.Background()
	if _, err := o.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: id, Name: id, Proof: "p"}); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.code, err = o.M.OpenEnrolment(ctx, samtest.Officer, id); err != nil {
		t.Fatal(err)
	}
	if o.req, err = o.M.BeginEnrolment(ctx, samtest.SSPU, o.code.ID); err != nil {
		t.Fatal(err)
	}
}

// Models that contradict themselves are refused when the module is opened.
func TestModelsThatAreRefused(t *testing.T) {
	m := newMaker(t)
	for name, models := range map[string]sam.Models{
		"unknown tier":              {Tier: "qualified"},
		"unknown format":            {Formats: []string{"none", "android-safetynet"}},
		"attested without metadata": {Tier: sam.TierAttested},
		"allowed without metadata":  {Allow: []string{m.good.String()}},
		"AAGUID in capitals":        {Deny: []string{"CB69481E-8FF7-4039-93EC-0A2729A154A8"}},
		"negative grace":            {Grace: -1},
	} {
		w := samtest.New(t)
		w.Stop()
		w.Cfg.Models = models
		if err := w.Open(); !errors.Is(err, sam.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

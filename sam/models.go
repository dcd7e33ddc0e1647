package sam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/attestation"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/mds"
	"github.com/assent-sign/assent/sap"
)

// Tier is how strongly an authenticator must have shown what it is. Each tier
// includes what the weaker ones ask.
type Tier string

// Tiers, see tiers.
const (
	TierAny         Tier = "any"
	TierDeviceBound Tier = "device-bound"
	TierAttested    Tier = "attested"
)

// tierRule is what a tier asks for at enrolment. UV is asked for always, BS only
// together with BE always.
type tierRule struct {
	tier     Tier
	backup   bool // BE=1 is accepted: the key may live in a provider's cloud
	attested bool // a trust path to an anchor of the AAGUID, and a model without a compromise
}

// tiers is the table, the weakest first (ENR-03). "device-bound" believes a flag
// that only an attested authenticator cannot lie about.
func tiers() [3]tierRule {
	return [...]tierRule{
		{TierAny, true, false},
		{TierDeviceBound, false, false},
		{TierAttested, false, true},
	}
}

// rank is the place of a tier in the table, -1 for an unknown one.
func (t Tier) rank() int {
	for i, r := range tiers() {
		if r.tier == t {
			return i
		}
	}
	return -1
}

// tier is what an authenticator showed. Records from before tiers existed say
// what their flags say.
func (r *Authenticator) tier() Tier {
	switch {
	case r.Tier != "":
		return r.Tier
	case r.BackupEligible:
		return TierAny
	}
	return TierDeviceBound
}

// Models is the policy on kinds of authenticators (ENR-03).
type Models struct {
	Tier     Tier      // least tier of an enrolment; "any"
	Formats  []string  // accepted attestation formats; none, packed and tpm
	Allow    []string  // AAGUIDs; when there are any, only these, and attested
	Deny     []string  // AAGUIDs
	Metadata *mds.Blob // anchors and status reports; nil: no authenticator is "attested"
	// Grace is how long after its next update is due the metadata still admits new
	// authenticators to the tier "attested"; 720h. What is enrolled goes on.
	Grace time.Duration
}

// Events of authenticators in the audit chain, beside those in events.go.
const (
	EventMetadata = "metadata_loaded"              // which metadata the module opened with
	EventCopy     = "authenticator_copy_suspected" // alarm: the refusal of a counter that went back (T3)
)

const metadataObject = "metadata"

// models is Models, checked and ready to be asked.
type models struct {
	Models
	refused map[mds.AAGUID]string // and why
	allowed map[mds.AAGUID]bool
}

// known formats; those that are not in the default list need to be asked for.
func knownFormats() []string {
	return []string{"none", "packed", "tpm", "android-key", "apple", "fido-u2f"}
}

var errModels = errors.New("authenticator models")

func newModels(c Models, deviceBound bool) (*models, error) {
	setDefault(&c.Tier, TierAny)
	setDefault(&c.Grace, 30*24*time.Hour)
	if len(c.Formats) == 0 {
		c.Formats = []string{"none", "packed", "tpm"}
	}
	if deviceBound && c.Tier == TierAny {
		c.Tier = TierDeviceBound
	}
	for _, f := range c.Formats {
		if !slices.Contains(knownFormats(), f) {
			return nil, fmt.Errorf("%w: attestation format %q is not one of %v", errModels, f, knownFormats())
		}
	}
	if c.Tier.rank() < 0 || c.Grace < 0 {
		return nil, fmt.Errorf("%w: tier %q is not any, device-bound or attested, or the grace is negative", errModels, c.Tier)
	}
	if c.Metadata == nil && (c.Tier == TierAttested || len(c.Allow) > 0) {
		return nil, fmt.Errorf("%w: tier attested and a list of allowed AAGUIDs need metadata: without it any software can claim any AAGUID", errModels)
	}
	m := &models{Models: c, refused: map[mds.AAGUID]string{}, allowed: map[mds.AAGUID]bool{}}
	if c.Metadata != nil {
		for id, e := range c.Metadata.Entries {
			if s := e.Compromise(); s != "" {
				m.refused[id] = "metadata reports " + string(s)
			}
		}
	}
	for _, text := range c.Deny {
		id, err := mds.ParseAAGUID(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errModels, err)
		}
		m.refused[id] = "denied by configuration"
	}
	for _, text := range c.Allow {
		id, err := mds.ParseAAGUID(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errModels, err)
		}
		m.allowed[id] = true
	}
	return m, nil
}

// usable is asked at enrolment and at every use: a model that is denied, or was
// compromised since, is refused (SAP-02, ENR-03), whatever tier it was enrolled
// under: an unproven AAGUID that claims to be a broken model is believed.
func (m *models) usable(aaguid []byte, t Tier) error {
	var id mds.AAGUID
	if copy(id[:], aaguid) != len(aaguid) {
		return fmt.Errorf("%w: AAGUID of %d octets", sap.ReasonSeal, len(aaguid))
	}
	if why, ok := m.refused[id]; ok {
		return fmt.Errorf("%w: %s: %s", sap.ReasonModel, id, why)
	}
	if len(m.allowed) > 0 && (!m.allowed[id] || t != TierAttested) {
		return fmt.Errorf("%w: %s is not on the list of allowed models, or not attested", sap.ReasonModel, id)
	}
	return nil
}

// judge tells which tier a registration reached, and refuses what is below the
// least or contradicts the metadata.
func (m *models) judge(o *attestation.Object, r *attestation.Result, now time.Time) (Tier, error) {
	path, err := m.path(o, r, now)
	if err != nil {
		return "", err
	}
	backup := o.AuthData.Flags&attestation.FlagBE != 0
	reached := Tier("")
	for _, rule := range tiers() {
		if (rule.backup || !backup) && (!rule.attested || path) {
			reached = rule.tier
		}
	}
	if err := m.usable(o.AuthData.AAGUID[:], reached); err != nil {
		return "", err
	}
	if reached.rank() < m.Tier.rank() {
		reason := sap.ReasonTier
		if backup {
			reason = sap.ReasonBackup
		}
		return "", fmt.Errorf("%w: %s (attestation %s %s, BE=%v), enrolment asks for %s", reason, reached, o.Format, r.Type, backup, m.Tier)
	}
	return reached, nil
}

// path tells whether the statement leads to an anchor of its AAGUID. A certified
// statement of a model that the metadata knows must: else it is a forgery.
func (m *models) path(o *attestation.Object, r *attestation.Result, now time.Time) (bool, error) {
	if r.Type != attestation.TypeBasic || m.Metadata == nil || now.After(m.Metadata.NextUpdate.Add(m.Grace)) {
		return false, nil
	}
	e := m.Metadata.Entries[o.AuthData.AAGUID]
	if e == nil || o.AuthData.AAGUID == (mds.AAGUID{}) {
		return false, nil
	}
	if err := r.Trust(e.Anchors, now); err != nil {
		return false, fmt.Errorf("%w: %w", sap.ReasonAttestation, err)
	}
	return r.Bound, nil
}

// noteMetadata records which metadata the module opens with, and refuses an
// older one than before: put back, it would hide that a model was revoked.
func (m *Module) noteMetadata(ctx context.Context) error {
	b := m.models.Metadata
	if b == nil {
		return nil
	}
	return m.update(ctx, self(), func(w *work) error {
		seq, err := w.Audit.LastOf(metadataObject)
		if err != nil {
			return err
		}
		if seq >= 0 {
			list, err := w.Audit.Page(seq, 1)
			if err != nil || len(list) != 1 {
				return fmt.Errorf("%w: record %d of the metadata: %w", ErrOpen, seq, err)
			}
			var last struct {
				No     int64  `json:"no"`
				Digest string `json:"digest"`
			}
			if err := json.Unmarshal([]byte(list[0].Data), &last); err != nil {
				return fmt.Errorf("%w: record %d of the metadata: %w", ErrOpen, seq, err)
			}
			if last.No > b.No {
				return fmt.Errorf("%w: the metadata has number %d, number %d was loaded before; configure a newer file", ErrOpen, b.No, last.No)
			}
			if last.No == b.No && last.Digest == b64(b.Digest[:]) {
				return nil
			}
		}
		_, err = w.log(EventMetadata, audit.OK, "", audit.Data{
			"obj": metadataObject, "no": b.No, "digest": b64(b.Digest[:]), "models": len(b.Entries), "next": b.NextUpdate.Unix(),
		})
		return err
	})
}

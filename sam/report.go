package sam

import (
	"context"
	"fmt"
	"strconv"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// Info is what a module says of itself.
type Info struct {
	Audience, Instance string
	StatementKey       []byte
	KeyID              string
	FirstKey           []byte                 // the module's first statement key
	Successions        []sap.SignedSuccession // from that one to this one (KPR-06)
	Origin, RPID       string
	Assurance, Version string
	Policies           []Policy
}

// Status is for operators.
type Status struct {
	Info
	State         string // open, closed
	Why           string
	Token         string
	KeyUses       uint64 // of all keys
	SignerKeyUses uint64 // of signers' keys
	AuditSeq      int64
	AuditSum      []byte
	Crypto        string         // profile of algorithms
	Warnings      []string       // what ends within 12 months, or has ended
	SelfTest      SelfTestReport // the last one
	Clock         ClockStatus
	Alarms        []Raised      // the last ones, the oldest first
	KEK           string        // label and epoch of the current wrapping key; "" when the token has no epochs
	SealEpoch     int64         // of the key under which records are sealed (KPR-06)
	SealLow       int64         // first epoch that counts; below SealEpoch while records are sealed anew
	Backup        *BackupReport // the last one of this run; nil: none
	Waiting       []Waiting     // what two officers must accept before the module opens
	ToDestroy     WaitingKeys   // revoked keys, which two officers have to destroy
	Certificates  []CertificateEnd
	Checkpoint    string // newest signed checkpoint of this run, as audit.Signed; keep it elsewhere
}

// CertificateEnd is when a certificate of the process around the module ends.
type CertificateEnd struct {
	Use     string // tls, caller_ca
	Subject string
	End     int64 // Unix seconds
}

// WaitingKeys are keys that are out of use for ever and whose octets are still there
// (KPR-07).
type WaitingKeys struct {
	Count int64
	Since int64 // Unix milliseconds of the audit record that ended the first of them; 0: none
}

// Info tells who the module is (all roles).
func (m *Module) Info(ctx context.Context, c Caller) (*Info, error) {
	if err := m.admit(ctx, c, OpInfo); err != nil {
		return nil, err
	}
	i := m.info()
	return &i, nil
}

func (m *Module) info() Info {
	m.nameMu.Lock()
	defer m.nameMu.Unlock()
	key := m.key()
	return Info{
		Audience: m.audience, Instance: m.instance, StatementKey: key.spki, KeyID: key.id, FirstKey: key.first, Successions: key.chain, Origin: m.cfg.Origin, RPID: m.cfg.RPID,
		Assurance: m.tokenLabel(), Version: m.cfg.Version, Policies: m.cfg.Policies,
	}
}

// Health tells whether keys could be used now (all roles).
func (m *Module) Health(ctx context.Context, c Caller) error {
	if err := m.admit(ctx, c, OpHealth); err != nil {
		return err
	}
	if why := m.closedWhy(); why != "" {
		return &Refusal{Reason: sap.ReasonClosed, Ref: -1, Err: fmt.Errorf("%w: %s", ErrClosed, why)}
	}
	if _, err := m.token.Info(ctx); err != nil {
		m.heed(err)
		return &Refusal{Reason: sap.ReasonToken, Ref: -1, Err: err}
	}
	err := m.view(ctx, func(tx *Tx) error { _, err := tx.Audit.Last(); return err })
	if err != nil {
		return &Refusal{Reason: sap.ReasonStore, Ref: -1, Err: err}
	}
	return nil
}

// Status tells an operator how the module is (officer, auditor).
func (m *Module) Status(ctx context.Context, c Caller) (*Status, error) {
	if err := m.admit(ctx, c, OpStatus); err != nil {
		return nil, err
	}
	s := &Status{Info: m.info(), State: "open", Crypto: m.crypto.Name(), Warnings: m.cryptoWarnings(m.clock.Now())}
	if why := m.closedWhy(); why != "" {
		s.State, s.Why = "closed", why
	}
	s.Backup, s.Certificates = m.backup.Load(), m.cfg.Certificates
	seals := m.seal.now.Load()
	s.SealEpoch, s.SealLow = seals.records.epoch, seals.low
	if r, ok := m.token.(cryptotoken.Rotator); ok {
		s.KEK, _ = r.CurrentKEK(ctx)
	}
	if now := m.waiting.Load(); now != nil {
		s.Waiting = now.list
	}
	s.SelfTest, s.Clock, s.Alarms = *m.lastTest.Load(), m.clockStatus(), m.alarms.raised()
	if c := m.newest.Load(); c != nil {
		s.Checkpoint = c.String()
	}
	info, err := m.learnToken(ctx)
	if err != nil {
		s.State, s.Why = "closed", err.Error()
	}
	s.Token = info.Driver + " " + info.Name + " (" + info.Model + ")"
	s.KeyUses, s.SignerKeyUses = info.KeyUses, info.WrappedUses
	err = m.view(ctx, func(tx *Tx) error {
		head, err := tx.Audit.Last()
		s.AuditSeq, s.AuditSum = head.Seq, head.Hash
		if err != nil {
			return err
		}
		w, err := tx.RetiredKeys.Waiting()
		if err == nil {
			s.ToDestroy = *w
		}
		return err
	})
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpStatus), err, audit.Data{})
	}
	return s, nil
}

// MaxAuditPage bounds one page of Audit.
const MaxAuditPage = 1000

// Audit returns records from a number on (auditor). Reading is recorded too
// (AUD-07).
func (m *Module) Audit(ctx context.Context, c Caller, from int64, limit int) ([]audit.Record, error) {
	found, err := m.SearchAudit(ctx, c, AuditQuery{}, from, limit)
	if err != nil {
		return nil, err
	}
	return found.Records, nil
}

// Explain returns the record that a refusal's reference names (auditor,
// officer).
func (m *Module) Explain(ctx context.Context, c Caller, ref string) (*audit.Record, error) {
	if err := m.admit(ctx, c, OpExplain); err != nil {
		return nil, err
	}
	seq, err := strconv.ParseInt(ref, 10, 64)
	var rec []audit.Record
	if err != nil || seq < 0 {
		err = fmt.Errorf("%w: reference", sap.ReasonInvalid)
	} else {
		err = m.view(ctx, func(tx *Tx) error {
			var err error
			rec, err = tx.Audit.Page(seq, 1)
			return err
		})
	}
	if err == nil && (len(rec) != 1 || rec[0].Seq != seq) {
		err = fmt.Errorf("%w: no record %d", sap.ReasonInvalid, seq)
	}
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpExplain), err, audit.Data{"ref": clip(ref, 32)})
	}
	return &rec[0], nil
}

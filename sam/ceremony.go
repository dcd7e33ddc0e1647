package sam

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/ceremony"
)

// openCeremony reads the document of the ceremony at the first start that has
// one, and never again: without it nobody has a role and nothing works; a second
// one would make other people officers without the first ones' word (ROL-06). It
// also looks at every record of a caller: one that was edited in the database
// keeps the module closed (ROL-02).
func (m *Module) openCeremony(ctx context.Context) error {
	var meta *Meta
	err := m.view(ctx, func(tx *Tx) error {
		var err error
		if meta, err = tx.Meta.Get(); err != nil {
			return err
		}
		if err := m.verified(tx, meta, true); err != nil {
			return err
		}
		list, err := tx.Identities.List(maxIdentities)
		if err != nil {
			return err
		}
		for _, r := range list {
			if err := m.verified(tx, r, true); err != nil {
				return fmt.Errorf("role of %s: %w", r.Name, err)
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrOpen, err)
	case meta.Ceremony == "" && len(m.cfg.Ceremony) == 0:
		file := "no file is configured (ceremony)"
		if m.cfg.CeremonyFile != "" {
			file = m.cfg.CeremonyFile + " is not there"
		}
		m.logger.Warn("samd: nobody has a role yet, nothing will be done", "ceremony", file,
			"do", "hold it (assent ceremony init), put its document there, readable for this user, and restart samd", "err", ErrCeremony)
		return nil
	case meta.Ceremony == "":
		if err := m.holdCeremony(ctx, meta); err != nil {
			return fmt.Errorf("%w: %s: %w; look at it with assent ceremony show FILE, make another one with assent ceremony init", ErrOpen, m.cfg.CeremonyFile, err)
		}
	case len(m.cfg.Ceremony) > 0 && ceremony.Hash(m.cfg.Ceremony) != meta.Ceremony:
		return fmt.Errorf("%w: %w: a ceremony was held already (document %s), another one (%s, in %s) is refused; put the first one back; roles change by two officers: assent role grant",
			ErrOpen, ErrCeremonyDocument, meta.Ceremony, ceremony.Hash(m.cfg.Ceremony), m.cfg.CeremonyFile)
	}
	m.known = true
	return nil
}

// ErrCeremonyDocument is the cause why a module does not open with the document that
// it is given: a restart mends nothing.
var ErrCeremonyDocument = errors.New("sam: the ceremony's document cannot be used")

// holdCeremony checks the document and grants what it says, in one transaction
// with its record.
func (m *Module) holdCeremony(ctx context.Context, meta *Meta) error {
	d, err := ceremony.Open(m.cfg.Ceremony)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCeremonyDocument, err)
	}
	switch {
	case d.Cluster != m.cfg.Cluster:
		return fmt.Errorf("%w: it is for the module %q, this is %q (cluster in samd.yaml)", ErrCeremonyDocument, d.Cluster, m.cfg.Cluster)
	case d.Automatic && m.cfg.Production:
		return fmt.Errorf("%w: its officers are automatic, which the profile production refuses", ErrCeremonyDocument)
	case len(m.cfg.CallerCAs) > 0 && !slices.Contains(m.cfg.CallerCAs, d.CA):
		return fmt.Errorf("%w: its CA %s is not among those whose certificates callers carry", ErrCeremonyDocument, d.CA)
	}
	return m.update(ctx, self(), func(w *work) error {
		officers := []string{}
		for _, id := range d.Identities {
			g := Grant{Name: id.Name, Person: id.Person, Role: Role(id.Role), Key: id.Key}
			if err := w.mayGrant(g); err != nil {
				return fmt.Errorf("%w: %s: %w", ErrCeremonyDocument, id.Name, err)
			}
			if err := w.grant(g); err != nil {
				return err
			}
			if g.Role == RoleOfficer {
				officers = append(officers, g.Name)
			}
		}
		meta.Ceremony = ceremony.Hash(m.cfg.Ceremony)
		seq, err := w.log(EventCeremony, audit.OK, "", audit.Data{
			"obj": meta.object(), "document": meta.Ceremony, "ca": d.CA, "held": d.Created, "automatic": d.Automatic,
			"identities": len(d.Identities), "officers": officers,
		})
		if err != nil {
			return err
		}
		w.stamp(meta, seq)
		return w.Meta.Update(meta)
	})
}

package sam

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// Bounds of proposals.
const (
	maxArgs    = 64 << 10 // octets of a proposal's arguments
	maxPending = 100      // proposals that wait at one time
	maxListed  = 500      // proposals of one answer
	shownArgs  = 2 << 10  // longer arguments are in the audit record by their hash only
)

// Decision events of the audit chain: each step of a decision is one record.
const (
	EventProposed  = "decision_proposed"
	EventApproved  = "decision_approved"
	EventWithdrawn = "decision_withdrawn"
	EventLapsed    = "decision_expired"
)

// Propose is the first half of a privileged act (ROL-04): officer c asks for the
// act kind with args, canonical JSON (RFC 8785) as the kind defines it. Nothing
// happens until another officer approves. What could not be done now is refused
// at once. The proposal expires after Config.ProposalLife.
func (m *Module) Propose(ctx context.Context, c Caller, kind string, args []byte) (*Proposal, error) {
	if err := m.admit(ctx, c, OpPropose); err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	if err := m.draw(id); err != nil {
		return nil, m.refuse(ctx, c, string(OpPropose), err, audit.Data{})
	}
	p := &Proposal{ID: "d-" + hex.EncodeToString(id), Kind: kind, Args: args, State: ProposalPending, By: c.Identity}
	failpoint.Before("samd/41-proposal-saved")
	err := m.update(ctx, c, func(w *work) error {
		d, err := m.decision(kind, args)
		if err != nil {
			return err
		}
		me, err := w.officer(c)
		if err != nil {
			return err
		}
		if err := w.lapse(); err != nil {
			return err
		}
		waiting, err := w.Proposals.List(ProposalPending, maxPending)
		if err != nil {
			return err
		}
		if len(waiting) >= maxPending {
			return fmt.Errorf("%w: %d proposals wait; approve or withdraw some", sap.ReasonTooMany, len(waiting))
		}
		if err := d.check(w, args); err != nil {
			return err
		}
		p.ByPerson, p.Created, p.Expires = me.Person, w.now.Unix(), w.now.Add(m.cfg.ProposalLife).Unix()
		return w.propose(p, d.private)
	})
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpPropose), err, audit.Data{"kind": clip(kind, 64)})
	}
	failpoint.After("samd/41-proposal-saved")
	return p, nil
}

func (w *work) propose(p *Proposal, private bool) error {
	data := audit.Data{"obj": p.object(), "kind": p.Kind, "args_hash": b64(digestsHash("args", [][]byte{p.Args})), "person": p.ByPerson, "expires": p.Expires}
	if len(p.Args) <= shownArgs && !private {
		data["args"] = string(p.Args)
	}
	seq, err := w.log(EventProposed, audit.OK, "", data)
	if err != nil {
		return err
	}
	w.stamp(p, seq)
	return w.Proposals.Insert(p)
}

// Approve is the second half: another officer, and another person, agrees, and
// the act happens in the same transaction (ROL-04). The first officer must still
// be one. A decision happens once.
func (m *Module) Approve(ctx context.Context, c Caller, id string) (*Proposal, error) {
	if err := m.admit(ctx, c, OpApprove); err != nil {
		return nil, err
	}
	var p *Proposal
	var d decision
	failpoint.Before("samd/42-approval-saved")
	err := m.update(ctx, c, func(w *work) error {
		var err error
		if p, err = w.pending(id); err != nil {
			return err
		}
		if d, err = m.decision(p.Kind, p.Args); err != nil {
			return err
		}
		if err := w.second(c, p); err != nil {
			return err
		}
		if err := d.check(w, p.Args); err != nil {
			return err
		}
		data, err := d.apply(w, [2]Caller{{Identity: p.By, Role: RoleOfficer}, c}, p.Args)
		if err != nil {
			return err
		}
		return w.decide(p, ProposalApproved, EventApproved, data)
	})
	failpoint.After("samd/42-approval-saved")
	if d.after != nil {
		// Even when the commit failed: it may have been written all the same.
		afterErr := d.after(context.WithoutCancel(ctx), m, p.Args)
		if err == nil {
			err = afterErr
		}
	}
	if err == nil && d.done != nil {
		err = d.done(context.WithoutCancel(ctx), m, p)
	}
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpApprove), err, audit.Data{"proposal": clip(id, 64)})
	}
	return p, nil
}

// Withdraw ends a proposal (any officer): to stop an act takes one person.
func (m *Module) Withdraw(ctx context.Context, c Caller, id string) (*Proposal, error) {
	if err := m.admit(ctx, c, OpWithdraw); err != nil {
		return nil, err
	}
	var p *Proposal
	err := m.update(ctx, c, func(w *work) error {
		var err error
		if p, err = w.pending(id); err != nil {
			return err
		}
		if _, err := w.officer(c); err != nil {
			return err
		}
		return w.decide(p, ProposalWithdrawn, EventWithdrawn, audit.Data{})
	})
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpWithdraw), err, audit.Data{"proposal": clip(id, 64)})
	}
	return p, nil
}

// Proposals lists the youngest proposals, at most limit and 500, in a state or
// in all when it is "" (officer, auditor). Proposals whose time is over are shown
// as expired.
func (m *Module) Proposals(ctx context.Context, c Caller, state string, limit int) ([]*Proposal, error) {
	if err := m.admit(ctx, c, OpProposals); err != nil {
		return nil, err
	}
	var out []*Proposal
	err := m.view(ctx, func(tx *Tx) error {
		list, err := tx.Proposals.List(state, max(1, min(limit, maxListed)))
		if err != nil {
			return err
		}
		out = out[:0]
		for _, p := range list {
			if err := m.verified(tx, p, true); err != nil {
				return err
			}
			if p.State == ProposalPending && m.clock.Now().Unix() >= p.Expires {
				p.State = ProposalExpired
			}
			out = append(out, p)
		}
		return nil
	})
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpProposals), err, audit.Data{})
	}
	return out, nil
}

// officer reads the caller's own record inside the transaction: what was taken
// away a moment ago counts (IAM-04).
func (w *work) officer(c Caller) (*Identity, error) {
	r, err := w.identity(c.Identity)
	if err != nil {
		return nil, err
	}
	if err := remember(r, 0).fits(c); err != nil {
		return nil, err
	}
	if r.Role != RoleOfficer {
		return nil, fmt.Errorf("%w: %s is no officer", sap.ReasonRole, r.Name)
	}
	return r, nil
}

// second checks that caller c may be the second officer of p.
func (w *work) second(c Caller, p *Proposal) error {
	me, err := w.officer(c)
	if err != nil {
		return err
	}
	first, err := w.identity(p.By)
	if err != nil {
		return err
	}
	if first.State != IdentityActive || first.Role != RoleOfficer || first.Person != p.ByPerson {
		return fmt.Errorf("%w: %s, who proposed it, is no officer any more", sap.ReasonSecond, p.By)
	}
	if me.Name == first.Name || samePerson(me.Person, first.Person) {
		return fmt.Errorf("%w: %s cannot approve what %s proposed", sap.ReasonSecond, me.Name, first.Name)
	}
	return nil
}

// pending reads a proposal that can still be decided.
func (w *work) pending(id string) (*Proposal, error) {
	p, err := w.Proposals.Get(id)
	if err != nil {
		return nil, notFound(err, sap.ReasonInvalid)
	}
	if err := w.m.verified(w.Tx, p, false); err != nil {
		return nil, err
	}
	switch {
	case p.State != ProposalPending:
		return nil, fmt.Errorf("%w: the proposal is %s", sap.ReasonState, p.State)
	case w.now.Unix() >= p.Expires:
		return nil, fmt.Errorf("%w: the proposal", sap.ReasonExpired)
	}
	return p, nil
}

// decide moves a proposal out of the state pending, which it does once.
func (w *work) decide(p *Proposal, state, event string, data audit.Data) error {
	p.State, p.Second, p.Decided = state, w.caller.Identity, w.now.Unix()
	if data == nil {
		data = audit.Data{}
	}
	data["obj"], data["kind"], data["first"], data["second"] = p.object(), p.Kind, p.By, p.Second
	data["args_hash"] = b64(digestsHash("args", [][]byte{p.Args}))
	seq, err := w.log(event, audit.OK, "", data)
	if err != nil {
		return err
	}
	w.stamp(p, seq)
	return w.Proposals.Update(p)
}

// lapse marks what expired, each with its record. It is called with every new
// proposal, so that what has expired takes no room.
func (w *work) lapse() error {
	list, err := w.Proposals.List(ProposalPending, maxPending)
	if err != nil {
		return err
	}
	for _, p := range list {
		if w.now.Unix() < p.Expires {
			continue
		}
		if err := w.m.verified(w.Tx, p, false); err != nil {
			return err
		}
		who := w.caller
		w.caller = self()
		err := w.decide(p, ProposalExpired, EventLapsed, audit.Data{})
		w.caller = who
		if err != nil {
			return err
		}
	}
	return nil
}

// decision finds the line of the table and refuses arguments that could be read
// in two ways: what the second officer reads is what happens.
func (m *Module) decision(kind string, args []byte) (decision, error) {
	d, ok := decisions()[kind]
	if !ok {
		return decision{}, fmt.Errorf("%w: no decision of the kind %q", sap.ReasonInvalid, clip(kind, 64))
	}
	if why := m.closedWhy(); why != "" && !d.closed {
		return decision{}, fmt.Errorf("%w: %w: %s", sap.ReasonClosed, ErrClosed, why)
	}
	if len(args) > maxArgs {
		return decision{}, fmt.Errorf("%w: arguments over %d octets", sap.ReasonTooLarge, maxArgs)
	}
	return d, nil
}

// decodeArgs reads the arguments of a decision strictly: canonical, known members
// only.
func decodeArgs[T any](args []byte) (T, error) {
	var v T
	if err := jcs.Unmarshal(args, &v); err != nil {
		return v, fmt.Errorf("%w: arguments: %w", sap.ReasonInvalid, err)
	}
	return v, nil
}

// samePerson compares person ids as people read them.
func samePerson(a, b string) bool { return plainID(a) == plainID(b) }

// plainID is an id without case and punctuation: two ids that differ in nothing
// else are taken for one.
func plainID(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' && r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

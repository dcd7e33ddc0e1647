package cheats

import (
	"bytes"
	"context"
	"errors"
	"net/url"

	"github.com/assent-sign/assent/cmd/assent/internal/caller"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/device"
	"github.com/assent-sign/assent/sap/sapclient"
)

// Roles are the cheats with ssad's certificate alone: what is an officer's or an
// auditor's to do, enrolment without the officer's code, and keys of others.
func Roles() []Cheat {
	post := func(path string, in func(l *Lab) any) func(context.Context, *Lab) error {
		return func(ctx context.Context, l *Lab) error {
			return l.shoot(ctx, func() error { return l.SSPU.Post(ctx, path, in(l), nil) })
		}
	}
	const role = sap.ReasonRole
	return []Cheat{
		{"ssad records a signer", role, post(sapclient.PathSigners, func(*Lab) any { return sapclient.SignerIn{ID: "mallory", Name: "Mallory", Proof: "none"} })},
		{"ssad opens an enrolment for Anna", role, post(sapclient.PathEnrolCode, func(l *Lab) any { return sapclient.EnrolCodeIn{Signer: l.Anna.ID} })},
		{"ssad generates a key for Anna", role, post(sapclient.PathCredentials, func(l *Lab) any { return sapclient.GenerateIn{Signer: l.Anna.ID, KeyType: "P-256"} })},
		{"ssad links another certificate to Anna's key", role, post(sapclient.PathCertificate, func(l *Lab) any {
			return sapclient.CertificateIn{Key: l.Anna.Key, Chain: l.Bob.Chain}
		})},
		{"ssad allows unseen content for Anna's key", role, post(sapclient.PathPermission, func(l *Lab) any { return sapclient.PermissionIn{Key: l.Anna.Key, Raw: true} })},
		{"ssad proposes to destroy Anna's key", role, func(ctx context.Context, l *Lab) error {
			return l.shoot(ctx, func() error { return l.propose(ctx, l.SSPU, nil) })
		}},
		{"an officer destroys Anna's key alone", sap.ReasonSecond, destroyAlone},
		{"ssad lifts a lockout", role, post(sapclient.PathLift, func(l *Lab) any {
			return sapclient.LiftIn{Signer: l.Anna.ID, Credential: sap.B64(l.Anna.Device.CredentialID()), Why: "please"}
		})},
		{"ssad reads the audit records", role, func(ctx context.Context, l *Lab) error {
			return l.shoot(ctx, func() error {
				return l.SSPU.Get(ctx, sapclient.PathAudit, url.Values{"from": {"0"}, "limit": {"10"}}, nil)
			})
		}},
		{"an officer asks for an activation", role, func(ctx context.Context, l *Lab) error {
			return l.shoot(ctx, func() error {
				return l.Officer.Post(ctx, sapclient.PathRequest, sapclient.ActivationRequestIn{Signer: l.Anna.ID, Key: l.Anna.Key, N: 1}, nil)
			})
		}},
		{"ssad asks for Bob's key in Anna's name", sap.ReasonSigner, func(ctx context.Context, l *Lab) error {
			return l.shoot(ctx, func() error {
				_, err := l.request(ctx, sapclient.ActivationRequestIn{Signer: l.Anna.ID, Key: l.Bob.Key, N: 1})
				return err
			})
		}},
		{"ssad begins an enrolment that no officer opened", sap.ReasonEnrolment, post(sapclient.PathEnrolBegin, func(*Lab) any {
			return sapclient.EnrolBeginIn{ID: sap.B64(bytes.Repeat([]byte{3}, 16))}
		})},
		{"ssad enrols its own passkey with a guessed code", sap.ReasonEnrolCode, guessedCode},
	}
}

// propose proposes the destruction of Anna's key.
func (l *Lab) propose(ctx context.Context, c *caller.Client, out *sapclient.Proposal) error {
	anna := sapclient.Credential{Key: l.Anna.Key, Signer: l.Anna.ID, Chain: l.Anna.Chain}
	args, err := jcs.Marshal(anna.Destruction("demo"))
	if err != nil {
		return err
	}
	in := sapclient.ProposeIn{Kind: sapclient.KindDestroy, Args: args}
	if out == nil {
		return c.Post(ctx, sapclient.PathDecisions, in, nil)
	}
	return c.Post(ctx, sapclient.PathDecisions, in, out)
}

// destroyAlone: an officer, or who has an officer's certificate, proposes to
// destroy a key and approves it; afterwards the proposal is withdrawn.
func destroyAlone(ctx context.Context, l *Lab) error {
	var p sapclient.Proposal
	if err := l.propose(ctx, l.Officer, &p); err != nil {
		return err
	}
	answer := l.shoot(ctx, func() error {
		return l.Officer.Post(ctx, sapclient.PathApprove, sapclient.ProposalIn{ID: p.ID}, nil)
	})
	if err := l.Officer.Post(ctx, sapclient.PathWithdraw, sapclient.ProposalIn{ID: p.ID}, nil); err != nil {
		return errors.Join(ErrNotRefused, err)
	}
	return answer
}

// guessedCode: the officer has opened an enrolment for a new signer; ssad, which
// relays everything but does not see the code, puts its own passkey in.
func guessedCode(ctx context.Context, l *Lab) error {
	if err := l.RA.Post(ctx, sapclient.PathSigners, sapclient.SignerIn{ID: "carol", Name: "DEMO Carol", Proof: "demo"}, nil); err != nil {
		return err
	}
	var open sapclient.EnrolCodeOut
	if err := l.Officer.Post(ctx, sapclient.PathEnrolCode, sapclient.EnrolCodeIn{Signer: "carol"}, &open); err != nil {
		return err
	}
	var begin sapclient.EnrolBeginOut
	if err := l.SSPU.Post(ctx, sapclient.PathEnrolBegin, sapclient.EnrolBeginIn{ID: open.ID}, &begin); err != nil {
		return err
	}
	evil, err := device.New(l.Anna.Device.SAMKey, l.Anna.Device.Origin, l.Anna.Device.RPID)
	if err != nil {
		return err
	}
	// One character of the real code is changed: a guess that comes very near.
	guess := []byte(open.Code)
	for i := range guess {
		if guess[i] == '2' {
			guess[i] = '3'
		} else if guess[i] != '-' {
			guess[i] = '2'
		} else {
			continue
		}
		break
	}
	reg, err := evil.Register(begin.Request, string(guess))
	if err != nil {
		return err
	}
	return l.shoot(ctx, func() error {
		return l.SSPU.Post(ctx, sapclient.PathEnrolFinish, sapclient.EnrolFinishIn{ID: open.ID, Registration: reg}, nil)
	})
}

// Lockout fails limit times with Anna's authenticator, then redeems a genuine
// approval that was made before, which must be refused, has the officer lift the
// lockout, and approves anew, which must work.
func Lockout(ctx context.Context, l *Lab, limit int) (Result, error) {
	r := Result{Name: "the genuine approval after too many failed ones", Want: string(sap.ReasonLocked)}
	genuine, err := l.approve(ctx, sapclient.ActivationRequestIn{}, nil)
	if err != nil {
		return r, err
	}
	bad := ceremony(func(_ *Lab, c *device.Ceremony) { c.Flags = present })
	for range limit {
		if err := bad(ctx, l); err == nil {
			return r, ErrNotRefused
		}
	}
	locked, err := l.try(ctx, Cheat{r.Name, sap.ReasonLocked, func(ctx context.Context, l *Lab) error {
		return l.redeem(ctx, genuine.text, genuine.proof)
	}})
	if err != nil || !locked.OK {
		return locked, err
	}
	lift := sapclient.LiftIn{Signer: l.Anna.ID, Credential: sap.B64(l.Anna.Device.CredentialID()), Why: "demo"}
	if err := l.Officer.Post(ctx, sapclient.PathLift, lift, nil); err != nil {
		return locked, err
	}
	return locked, l.redeemEdited(ctx, nil)
}

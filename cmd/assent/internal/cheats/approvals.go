package cheats

import (
	"bytes"
	"context"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/device"
	"github.com/assent-sign/assent/sap/sapclient"
)

// Flags of an assertion: user present, user verified.
const (
	present  = 0x01
	verified = 0x05
)

// Approvals are the cheats with approvals that are genuine in part.
func Approvals() []Cheat {
	return []Cheat{
		{"another digest put into an approval", sap.ReasonChallenge, otherDigest},
		{"a digest added to an approval", sap.ReasonBinding, addedDigest},
		{"two approved digests in another order", sap.ReasonChallenge, reordered},
		{"an approval used twice", sap.ReasonConsumed, usedTwice},
		{"a device that lies about what follows from the document", sap.ReasonDTBSR, wrongDTBSR},
		{"a hidden signed attribute", sap.ReasonDTBSR, hiddenAttribute},
		{"approval at another origin (a page of ssad's own)", sap.ReasonOrigin, ceremony(func(l *Lab, c *device.Ceremony) { c.Origin = l.AppOrigin })},
		{"approval for another relying party", sap.ReasonRPID, ceremony(func(_ *Lab, c *device.Ceremony) { c.RPID = "example.org" })},
		{"user present but not verified (UV=0)", sap.ReasonUserVerified, ceremony(func(_ *Lab, c *device.Ceremony) { c.Flags = present })},
		{"a registration in the place of an approval", sap.ReasonCeremony, ceremony(func(_ *Lab, c *device.Ceremony) { c.Type = "webauthn.create" })},
		{"a login's assertion for another challenge", sap.ReasonChallenge, ceremony(func(_ *Lab, c *device.Ceremony) { c.Challenge = make([]byte, 32) })},
		{"the login passkey in the place of the signing passkey", sap.ReasonAuthenticator, loginPasskey},
		{"another signer's passkey", sap.ReasonAuthenticator, otherSigner},
		{"an approval turned to another signer's key", sap.ReasonBinding, otherKey},
		{"an approval for another module", sap.ReasonAudience, otherModule},
		{"a session that samd never opened", sap.ReasonSession, unknownSession},
		{"a life made longer by the device", sap.ReasonBinding, longerLife},
		{"a digest of unseen content without permission", sap.ReasonRaw, rawDigest},
		{"a PDF's digest passed off as unseen content", sap.ReasonRaw, padesAsRaw},
		{"one changed byte in the approval", sap.ReasonChallenge, changedByte},
		{"the same approval spelt differently", sap.ReasonEncoding, otherSpelling},
		{"an approval after its time", sap.ReasonExpired, expired},
	}
}

func otherDigest(ctx context.Context, l *Lab) error {
	a, err := l.approve(ctx, sapclient.ActivationRequestIn{}, nil)
	if err != nil {
		return err
	}
	changed := bytes.Replace(l.prepared, []byte("240 euros"), []byte("999 euros"), 1)
	if a.sad.Items[0], err = l.item(ctx, 0, changed); err != nil {
		return err
	}
	return l.resend(ctx, a)
}

// resend redeems the changed SAD with the proof over the original.
func (l *Lab) resend(ctx context.Context, a *approval) error {
	text, err := jcs.Marshal(a.sad) // not Encode: its checks are samd's to make
	if err != nil {
		return err
	}
	return l.redeem(ctx, text, a.proof)
}

func addedDigest(ctx context.Context, l *Lab) error {
	a, err := l.approve(ctx, sapclient.ActivationRequestIn{}, nil)
	if err != nil {
		return err
	}
	changed := bytes.Replace(l.prepared, []byte("240 euros"), []byte("999 euros"), 1)
	more, err := l.item(ctx, 1, changed)
	if err != nil {
		return err
	}
	a.sad.Items, a.sad.Bind.N = append(a.sad.Items, more), 2
	return l.resend(ctx, a)
}

func reordered(ctx context.Context, l *Lab) error {
	changed := bytes.Replace(l.prepared, []byte("12 square"), []byte("99 square"), 1)
	a, err := l.approve(ctx, sapclient.ActivationRequestIn{N: 2}, func(s *sap.SAD) error {
		more, err := l.item(ctx, 1, changed)
		s.Items = append(s.Items, more)
		return err
	})
	if err != nil {
		return err
	}
	i := a.sad.Items
	i[0], i[1] = i[1], i[0]
	i[0].I, i[1].I = 0, 1
	return l.resend(ctx, a)
}

// usedTwice takes an approval that was redeemed already, with a fresh assertion
// by the genuine authenticator over it.
func usedTwice(ctx context.Context, l *Lab) error {
	proof, err := l.Anna.Device.Assert(l.spent.sad, l.spent.text)
	if err != nil {
		return err
	}
	return l.redeem(ctx, l.spent.text, proof)
}

func wrongDTBSR(ctx context.Context, l *Lab) error {
	return l.redeemEdited(ctx, func(s *sap.SAD) error {
		s.Items[0].DTBSR = sap.B64(bytes.Repeat([]byte{7}, 32))
		return nil
	})
}

func (l *Lab) redeemEdited(ctx context.Context, edit func(*sap.SAD) error) error {
	a, err := l.approve(ctx, sapclient.ActivationRequestIn{}, edit)
	if err != nil {
		return err
	}
	return l.redeem(ctx, a.text, a.proof)
}

// hiddenAttribute has the device sign a DTBS/R over attributes with one more in
// it: what a worker could sneak in if the module believed digests.
func hiddenAttribute(ctx context.Context, l *Lab) error {
	return l.redeemEdited(ctx, func(s *sap.SAD) error {
		doc, err := sap.UnB64(s.Items[0].Doc)
		if err != nil {
			return err
		}
		attrs, err := sap.PAdESSignedAttributes(doc, l.Anna.Chain[0])
		if err != nil {
			return err
		}
		// signing-time (1.2.840.113549.1.9.5), 261121000000Z, appended to the set.
		extra := []byte{0x30, 0x1c, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 5, 0x31, 0x0f, 0x17, 0x0d}
		extra = append(extra, "261121000000Z"...)
		forged := append(bytes.Clone(attrs), extra...)
		forged[1] += byte(len(extra))
		h := algo.ES256.Hash().New()
		h.Write(forged)
		s.Items[0].DTBSR = sap.B64(h.Sum(nil))
		return nil
	})
}

// ceremony makes a genuine SAD and has the genuine authenticator sign it in a
// ceremony that differs in one point.
func ceremony(edit func(*Lab, *device.Ceremony)) func(context.Context, *Lab) error {
	return func(ctx context.Context, l *Lab) error {
		a, err := l.approve(ctx, sapclient.ActivationRequestIn{}, nil)
		if err != nil {
			return err
		}
		challenge, err := a.sad.Challenge(a.text)
		if err != nil {
			return err
		}
		d := l.Anna.Device
		c := device.Ceremony{Type: "webauthn.get", Challenge: challenge, Origin: d.Origin, RPID: d.RPID, Flags: verified}
		edit(l, &c)
		if a.proof, err = d.AssertWith(c); err != nil {
			return err
		}
		return l.redeem(ctx, a.text, a.proof)
	}
}

// loginPasskey: ssad can have any challenge signed by Anna's login passkey at
// its own origin. It is another key, unknown to the module.
func loginPasskey(ctx context.Context, l *Lab) error {
	a, err := l.approve(ctx, sapclient.ActivationRequestIn{}, func(s *sap.SAD) error {
		s.Auth.Cred = sap.B64(l.Login.CredentialID())
		return nil
	})
	if err != nil {
		return err
	}
	if a.proof, err = l.Login.Assert(a.sad, a.text); err != nil {
		return err
	}
	return l.redeem(ctx, a.text, a.proof)
}

func otherSigner(ctx context.Context, l *Lab) error {
	a, err := l.approve(ctx, sapclient.ActivationRequestIn{}, func(s *sap.SAD) error {
		s.Auth.Cred = sap.B64(l.Bob.Device.CredentialID())
		return nil
	})
	if err != nil {
		return err
	}
	if a.proof, err = l.Bob.Device.Assert(a.sad, a.text); err != nil {
		return err
	}
	return l.redeem(ctx, a.text, a.proof)
}

func otherKey(ctx context.Context, l *Lab) error {
	return l.redeemEdited(ctx, func(s *sap.SAD) error {
		s.Bind.Key = l.Bob.Key
		return nil
	})
}

func otherModule(ctx context.Context, l *Lab) error {
	return l.redeemEdited(ctx, func(s *sap.SAD) error {
		s.Bind.Audience = "elsewhere#1"
		return nil
	})
}

func unknownSession(ctx context.Context, l *Lab) error {
	return l.redeemEdited(ctx, func(s *sap.SAD) error {
		s.Bind.Session = sap.B64(bytes.Repeat([]byte{9}, sap.SessionLen))
		return nil
	})
}

func longerLife(ctx context.Context, l *Lab) error {
	return l.redeemEdited(ctx, func(s *sap.SAD) error {
		s.Bind.Expires += 86400
		return nil
	})
}

func rawDigest(ctx context.Context, l *Lab) error {
	a, err := l.approve(ctx, sapclient.ActivationRequestIn{Policy: l.RawPolicy}, func(s *sap.SAD) error {
		s.Items[0] = sap.NewRawItem(0, "a digest", algo.ES256, bytes.Repeat([]byte{1}, 32))
		return nil
	})
	if err != nil {
		return err
	}
	return l.redeem(ctx, a.text, a.proof)
}

func padesAsRaw(ctx context.Context, l *Lab) error {
	a, err := l.approve(ctx, sapclient.ActivationRequestIn{Policy: l.RawPolicy}, func(s *sap.SAD) error {
		dtbsr, err := sap.UnB64(s.Items[0].DTBSR)
		s.Items[0] = sap.NewRawItem(0, "a digest", algo.ES256, dtbsr)
		return err
	})
	if err != nil {
		return err
	}
	return l.redeem(ctx, a.text, a.proof)
}

func changedByte(ctx context.Context, l *Lab) error {
	a, err := l.approve(ctx, sapclient.ActivationRequestIn{}, nil)
	if err != nil {
		return err
	}
	text := bytes.Replace(a.text, []byte("contract.pdf"), []byte("contracT.pdf"), 1)
	return l.redeem(ctx, text, a.proof)
}

// otherSpelling: the same JSON value with a space in it.
func otherSpelling(ctx context.Context, l *Lab) error {
	a, err := l.approve(ctx, sapclient.ActivationRequestIn{}, nil)
	if err != nil {
		return err
	}
	return l.redeem(ctx, append([]byte("{ "), a.text[1:]...), a.proof)
}

// expired waits until the approval made at the start is over its time.
func expired(ctx context.Context, l *Lab) error {
	over := time.Unix(l.late.sad.Bind.Expires+1, 0)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(over)):
	}
	return l.redeem(ctx, l.late.text, l.late.proof)
}

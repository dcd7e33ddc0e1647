package sam_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// BKP-03, SGN-02: a hold is not forgotten by a restore, whatever the older database knows
// of the key: one that it has without certificate cannot be on hold, and is so with the
// certificate that it gets again, until an officer lifts the hold.
func TestBKP03HoldsStay(t *testing.T) {
	ctx := context.Background()
	for _, was := range []string{sam.KeyActive, sam.KeyGenerated} {
		for _, lifted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s lifted %v", was, lifted), func(t *testing.T) {
				w := samtest.New(t)
				s := &samtest.Signer{ID: "alice", Device: newDevice()}
				w.Enrol(s)
				v, err := w.M.Generate(ctx, samtest.Officer, s.ID, "P-256", "")
				if err != nil {
					t.Fatal(err)
				}
				old := ""
				if was == sam.KeyGenerated {
					old = takeCopy(t, w)
				}
				s.Key, s.Cert = v.Key, w.CA.Issue(t, v.CSR, w.Clock.Now(), nil)
				s.Chain = [][]byte{s.Cert.Raw, w.CA.Cert.Raw}
				link := func() *sam.CredentialView {
					t.Helper()
					v, err := w.M.LinkCertificate(ctx, samtest.Officer, s.Key, s.Chain)
					if err != nil {
						t.Fatal(err)
					}
					return v
				}
				status := func(to string) {
					t.Helper()
					if _, err := w.M.SetCertificateStatus(ctx, samtest.Officer, s.Key, to, "the CA says so"); err != nil {
						t.Fatal(err)
					}
				}
				if v := link(); v.State != sam.KeyActive {
					t.Fatalf("linked, it is %s", v.State)
				}
				if old == "" {
					old = takeCopy(t, w)
				}
				status(sam.StatusOnHold)
				want := sam.KeySuspended
				if lifted {
					status(sam.StatusGood)
					want = sam.KeyActive
				}
				putCopy(t, w, old)
				accept(t, w, sam.DecideRestore)
				if was == sam.KeyGenerated {
					if v := link(); v.State != want {
						t.Errorf("linked again, it is %s", v.State)
					}
				}
				ask := func() error {
					_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
					return err
				}
				if state, _ := stored(t, dba(t, w), s.Key); state != want {
					t.Errorf("it is %s, want %s", state, want)
				}
				if !lifted {
					refused(t, w, sap.ReasonKeyState, ask)
					w.Crash()
					refused(t, w, sap.ReasonKeyState, ask)
					status(sam.StatusGood)
				}
				if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
					t.Errorf("without a hold: %v", err)
				}
			})
		}
	}
}

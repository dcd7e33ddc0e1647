package sam_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// table is a second statement of who may do what, made from the requirements and
// not from the code: one line an operation, one column a role.
//
//	sspu officer admin operator auditor ra
const table = `
info                     yes  yes     yes   yes      yes     yes
health                   yes  yes     yes   yes      yes     yes
status                   -    yes     yes   yes      yes     -
activation_request       yes  -       -     -        -       -
activation_redeem        yes  -       -     -        -       -
one_time_request         yes  -       -     -        -       -
one_time_approve         yes  -       -     -        -       -
one_time_end             yes  -       -     -        -       -
enrolment_begin          yes  -       -     -        -       -
enrolment_finish         yes  -       -     -        -       -
authenticator_change_begin  yes -    -     -        -       -
authenticator_change_finish yes -    -     -        -       -
authenticators_read      yes  yes     -     -        -       -
authenticator_revoke     -    yes     -     -        -       -
recovery_half            -    yes     -     -        -       -
credentials_read         yes  yes     -     -        -       yes
signer_read              yes  yes     -     -        -       yes
signer_create            -    -       -     -        -       yes
enrolment_open           -    yes     -     -        -       -
key_generate             -    yes     -     -        -       -
certificate_link         -    yes     -     -        -       -
raw_permission           -    yes     -     -        -       -
certificate_status       -    yes     -     -        -       -
lockout_lift             -    yes     -     -        -       -
audit_read               -    -       -     -        yes     -
explain                  -    yes     -     -        yes     -
decision_propose         -    yes     -     -        -       -
decision_approve         -    yes     -     -        -       -
decision_withdraw        -    yes     -     -        -       -
decisions_read           -    yes     -     -        yes     -
roles_read               -    yes     yes   -        yes     -
self_test                -    yes     yes   -        -       -
reopen                   -    yes     -     -        -       -
`

// cells reads the table.
func cells(t testing.TB) map[sam.Op]map[sam.Role]bool {
	t.Helper()
	columns := []sam.Role{sam.RoleSSPU, sam.RoleOfficer, sam.RoleAdmin, sam.RoleOperator, sam.RoleAuditor, sam.RoleRA}
	out := map[sam.Op]map[sam.Role]bool{}
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		f := strings.Fields(line)
		if len(f) != 1+len(columns) {
			t.Fatalf("line %q", line)
		}
		out[sam.Op(f[0])] = map[sam.Role]bool{}
		for i, role := range columns {
			out[sam.Op(f[0])][role] = f[i+1] == "yes"
		}
	}
	return out
}

// ROL-01, IAM-04: the table of operation and role, every cell (AUD-07).
func TestROL01EveryCell(t *testing.T) {
	want, asserted := cells(t), 0
	for _, op := range sam.Ops() {
		if want[op] == nil {
			t.Errorf("%s: not in the table here", op)
		}
		for _, role := range sam.Roles() {
			asserted++
			if got := sam.Allowed(role, op); got != want[op][role] {
				t.Errorf("%s may %s: %v", role, op, got)
			}
		}
		for _, role := range []sam.Role{"", "root", "Officer", "officer ", "sspu,officer", "samd"} {
			if sam.Allowed(role, op) {
				t.Errorf("role %q may %s", role, op)
			}
		}
	}
	if len(want) != len(sam.Ops()) || asserted != len(want)*6 {
		t.Errorf("%d operations here, %d in the module, %d cells", len(want), len(sam.Ops()), asserted)
	}
	for _, op := range []sam.Op{"", "anything_else", "Info"} {
		for _, role := range sam.Roles() {
			if sam.Allowed(role, op) {
				t.Errorf("%s may %q, which is no operation", role, op)
			}
		}
	}
}

// ROL-01: no role contains another: whoever holds one lacks something of each
// other role.
func TestROL01RolesDoNotContainEachOther(t *testing.T) {
	for _, a := range sam.Roles() {
		for _, b := range sam.Roles() {
			if a == b || b == sam.RoleOperator { // to watch is what the other privileged roles may as well
				continue
			}
			if !slices.ContainsFunc(sam.Ops(), func(op sam.Op) bool { return sam.Allowed(b, op) && !sam.Allowed(a, op) }) {
				if b != sam.RoleAdmin {
					t.Errorf("%s can do everything that %s can", a, b)
				}
			}
		}
	}
}

// ROL-02, ROL-03: what two officers cannot grant either: a second role for an
// identity or a person, a role for a signer, names that differ by spelling only.
func TestROL02ConflictingGrantsAreRefused(t *testing.T) {
	w := samtest.New(t)
	w.NewSigner("anna", algo.P256)
	w.Decide(sam.DecideGrant, grantOf("paula-1", "paula", sam.RoleOfficer))
	for name, c := range map[string]struct {
		g    sam.Grant
		want sap.Reason
	}{
		"officer becomes auditor":              {grantOf("paula-1", "paula", sam.RoleAuditor), sap.ReasonSeparation},
		"person's second identity as auditor":  {grantOf("paula-2", "paula", sam.RoleAuditor), sap.ReasonSeparation},
		"person's second identity as sspu":     {grantOf("ssad-9", "paula", sam.RoleSSPU), sap.ReasonSeparation},
		"auditor becomes administrator":        {sam.Grant{Name: samtest.Auditor.Identity, Person: samtest.Auditor.Identity, Role: sam.RoleAdmin, Key: keyOf("x")}, sap.ReasonSeparation},
		"administrator becomes officer":        {sam.Grant{Name: "admin-2", Person: samtest.Admin.Identity, Role: sam.RoleOfficer, Key: keyOf("x")}, sap.ReasonSeparation},
		"identity changes hands":               {grantOf("paula-1", "peter", sam.RoleOfficer), sap.ReasonSeparation},
		"other spelling of a name":             {grantOf("Paula1", "somebody", sam.RoleOfficer), sap.ReasonSeparation},
		"other spelling of a person":           {grantOf("third", "PAULA", sam.RoleOfficer), sap.ReasonSeparation},
		"one key for two":                      {sam.Grant{Name: "q", Person: "q", Role: sam.RoleAuditor, Key: keyOf("paula-1")}, sap.ReasonSeparation},
		"a signer as officer":                  {grantOf("anna", "anna", sam.RoleOfficer), sap.ReasonSeparation},
		"a signer as person of an officer":     {grantOf("o9", "anna", sam.RoleOfficer), sap.ReasonSeparation},
		"a signer as sspu, in capital letters": {grantOf("ANNA", "x9", sam.RoleSSPU), sap.ReasonSeparation},
		"no role":                              {grantOf("x", "x", ""), sap.ReasonInvalid},
		"made-up role":                         {grantOf("x", "x", "root"), sap.ReasonInvalid},
		"no name":                              {grantOf("", "x", sam.RoleAuditor), sap.ReasonInvalid},
		"name of punctuation":                  {grantOf("-.-", "x", sam.RoleAuditor), sap.ReasonInvalid},
		"no person":                            {grantOf("x", "", sam.RoleAuditor), sap.ReasonInvalid},
		"half a key":                           {sam.Grant{Name: "x", Person: "x", Role: sam.RoleAuditor, Key: "00ff"}, sap.ReasonInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w, c.want, func() error { _, err := w.Try(sam.DecideGrant, c.g); return err })
		})
	}
	// ROL-03, the other way round: who has a role cannot become a signer.
	for _, id := range []string{"paula", "paula-1", "Paula", samtest.Officer.Identity, samtest.Admin.Identity, samtest.SSPU.Identity} {
		refused(t, w, sap.ReasonSeparation, func() error {
			_, err := w.M.CreateSigner(context.Background(), samtest.RA, sam.NewSigner{ID: id, Name: "P", Proof: "p"})
			return err
		})
	}
}

// ROL-02: two grants that are each fine, but not both, cannot pass each other.
func TestROL02ChecksRunAgainAtTheApproval(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideGrant, w.Args(grantOf("paula-1", "paula", sam.RoleAuditor)))
	if err != nil {
		t.Fatal(err)
	}
	w.Decide(sam.DecideGrant, grantOf("paula-2", "paula", sam.RoleOfficer))
	refused(t, w, sap.ReasonSeparation, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
}

// ROL-02, T.REFERENCE_PRIVILEGED_USER_AUTHENTICATION_DATA_MODIFICATION: a role
// record that was edited in the database, put back, or added there, is found at
// the next start, and no caller gets in by it.
func TestROL02EditsOfRoleRecordsShow(t *testing.T) {
	tested := 0
	for _, col := range []string{"name", "person", "role", "key", "state", "created", "seq", "version", "mac"} {
		t.Run(col, func(t *testing.T) {
			w := samtest.New(t)
			w.Stop()
			db := dba(t, w)
			value := map[string]any{"role": "officer", "created": 5, "seq": 3, "version": 9, "mac": []byte("0123456789abcdef")}[col]
			if value == nil {
				value = "changed"
			}
			tested++
			exec(t, db, "UPDATE identity SET "+col+" = ? WHERE name = ?", value, samtest.Auditor.Identity)
			if err := w.Open(); !errors.Is(err, sam.ErrOpen) {
				t.Errorf("opened: %v", err)
			}
		})
	}
	if tested != 9 {
		t.Errorf("%d columns", tested)
	}
	t.Run("row of before the revocation put back", func(t *testing.T) {
		w := samtest.New(t)
		g := grantOf("leaver", "leaver", sam.RoleOfficer)
		w.Decide(sam.DecideGrant, g)
		db := dba(t, w)
		if _, err := db.Exec("CREATE TABLE kept AS SELECT * FROM identity WHERE name = 'leaver'"); err != nil {
			t.Fatal(err)
		}
		w.Decide(sam.DecideRevoke, sam.Revoke{Name: "leaver", Why: "left"})
		exec(t, db, "DELETE FROM identity WHERE name = 'leaver'")
		exec(t, db, "INSERT INTO identity SELECT * FROM kept")
		refused(t, w, sap.ReasonSeal, func() error { _, err := w.M.Info(context.Background(), callerOf(g)); return err })
		w.Stop()
		if err := w.Open(); !errors.Is(err, sam.ErrOpen) {
			t.Errorf("opened: %v", err)
		}
	})
}

// IAM-01, IAM-04: only who was granted a role is known, in that role, with that
// key; a revocation and a renewed key count from the next call on.
func TestIAM01OnlyGrantedCallersAreKnown(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	info := func(c sam.Caller) func() error {
		return func() error { _, err := w.M.Info(ctx, c); return err }
	}
	g := grantOf("nina", "nina", sam.RoleAuditor)
	for range 2 {
		refused(t, w, sap.ReasonRole, info(callerOf(g)))
	}
	w.Decide(sam.DecideGrant, g)
	if err := info(callerOf(g))(); err != nil {
		t.Fatal(err)
	}
	other := callerOf(g)
	other.Key = keyOf("mallory")
	refused(t, w, sap.ReasonRole, info(other))
	refused(t, w, sap.ReasonRole, info(sam.Caller{Identity: "nina", Role: sam.RoleAuditor}))
	for _, role := range sam.Roles() {
		if role != g.Role {
			refused(t, w, sap.ReasonRole, info(sam.Caller{Identity: "nina", Role: role, Key: g.Key}))
		}
	}
	renewed := g
	renewed.Key = keyOf("nina's new key")
	w.Decide(sam.DecideGrant, renewed)
	refused(t, w, sap.ReasonRole, info(callerOf(g)))
	if err := info(callerOf(renewed))(); err != nil {
		t.Error(err)
	}
	w.Decide(sam.DecideRevoke, sam.Revoke{Name: "nina", Why: "left"})
	refused(t, w, sap.ReasonRole, info(callerOf(renewed)))
	w.Crash()
	refused(t, w, sap.ReasonRole, info(callerOf(renewed)))
	w.Decide(sam.DecideGrant, renewed) // two officers may take a revocation back
	if err := info(callerOf(renewed))(); err != nil {
		t.Error(err)
	}
}

// IAM-04: any caller and operation that can be thought of, against a model of
// three lines: known in this role, active, and in the table.
func TestIAM04RequestsAgainstAModel(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	w.Decide(sam.DecideGrant, grantOf("left", "left", sam.RoleOfficer))
	w.Decide(sam.DecideRevoke, sam.Revoke{Name: "left", Why: "left"})
	known := map[string]sam.Role{}
	names := []string{"left", "nobody", "", "Officer-1", "officer-1 ", "officer-1\x00"}
	for role, list := range samtest.People() {
		for _, n := range list {
			known[n] = role
			names = append(names, n)
		}
	}
	slices.Sort(names)
	calls, want := everyOp(w), cells(t)
	ops := sam.Ops()
	allowed, n := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		c := sam.Caller{
			Identity: rapid.SampledFrom(names).Draw(rt, "name"),
			Role:     rapid.SampledFrom(append(sam.Roles(), "", "root")).Draw(rt, "role"),
			Key:      rapid.SampledFrom([]string{"", keyOf("k")}).Draw(rt, "key"),
		}
		if r, ok := known[c.Identity]; ok && rapid.Bool().Draw(rt, "own role") {
			c.Role = r
		}
		op := rapid.SampledFrom(ops).Draw(rt, "op")
		model := known[c.Identity] == c.Role && c.Role != "" && want[op][c.Role]
		uses := w.Token.Uses()
		err := calls[op](ctx, c)
		n++
		if model {
			allowed++
		}
		if got := !errors.Is(err, sap.ReasonRole); got != model {
			rt.Errorf("%+v %s: admitted %v, the model says %v (%v)", c, op, got, model, err)
		}
		if w.Token.Uses() != uses {
			rt.Errorf("%+v %s used a key", c, op)
		}
	})
	if allowed < n/50 || allowed == n {
		t.Errorf("%d of %d requests were allowed: the test says little", allowed, n)
	}
}

// everyOp calls each operation with arguments that name nothing that exists.
func everyOp(w *samtest.World) map[sam.Op]func(context.Context, sam.Caller) error {
	m := w.M
	return map[sam.Op]func(context.Context, sam.Caller) error{
		sam.OpOnceRequest: func(ctx context.Context, c sam.Caller) error {
			_, err := m.RequestOneTime(ctx, c, sam.AskOnce{Signer: "none"})
			return err
		},
		sam.OpOnceApprove: func(ctx context.Context, c sam.Caller) error {
			_, err := m.ApproveOneTime(ctx, c, []byte("{}"), []byte("{}"))
			return err
		},
		sam.OpOnceEnd: func(ctx context.Context, c sam.Caller) error { return m.GiveUpOneTime(ctx, c, "none") },
		sam.OpChangeBegin: func(ctx context.Context, c sam.Caller) error {
			_, err := m.BeginChange(ctx, c, sam.AskChange{Signer: "none", Action: sap.ActionAdd})
			return err
		},
		sam.OpChangeFinish: func(ctx context.Context, c sam.Caller) error {
			_, err := m.FinishChange(ctx, c, "none", []byte("{}"))
			return err
		},
		sam.OpAuthList: func(ctx context.Context, c sam.Caller) error {
			_, err := m.Authenticators(ctx, c, sam.AskList{Signer: "none"})
			return err
		},
		sam.OpAuthRevoke: func(ctx context.Context, c sam.Caller) error {
			return m.RevokeAuthenticator(ctx, c, "none", "AAAA", "why")
		},
		sam.OpHalf:   func(ctx context.Context, c sam.Caller) error { _, err := m.GiveHalf(ctx, c, "none"); return err },
		sam.OpInfo:   func(ctx context.Context, c sam.Caller) error { _, err := m.Info(ctx, c); return err },
		sam.OpHealth: func(ctx context.Context, c sam.Caller) error { return m.Health(ctx, c) },
		sam.OpStatus: func(ctx context.Context, c sam.Caller) error { _, err := m.Status(ctx, c); return err },
		sam.OpRequest: func(ctx context.Context, c sam.Caller) error {
			_, err := m.Request(ctx, c, sam.Ask{Signer: "none", Key: "k-none", N: 1})
			return err
		},
		sam.OpRedeem: func(ctx context.Context, c sam.Caller) error {
			_, err := m.Redeem(ctx, c, []byte("{}"), []byte("{}"), []byte("[]"))
			return err
		},
		sam.OpCredentials: func(ctx context.Context, c sam.Caller) error { _, err := m.Credentials(ctx, c, "none", ""); return err },
		sam.OpSigner:      func(ctx context.Context, c sam.Caller) error { _, err := m.Signer(ctx, c, "none"); return err },
		sam.OpEnrolBegin:  func(ctx context.Context, c sam.Caller) error { _, err := m.BeginEnrolment(ctx, c, "none"); return err },
		sam.OpEnrolFinish: func(ctx context.Context, c sam.Caller) error {
			_, err := m.FinishEnrolment(ctx, c, "none", []byte("{}"))
			return err
		},
		sam.OpSignerNew: func(ctx context.Context, c sam.Caller) error {
			_, err := m.CreateSigner(ctx, c, sam.NewSigner{ID: "?"})
			return err
		},
		sam.OpEnrolOpen: func(ctx context.Context, c sam.Caller) error { _, err := m.OpenEnrolment(ctx, c, "none"); return err },
		sam.OpGenerate: func(ctx context.Context, c sam.Caller) error {
			_, err := m.Generate(ctx, c, "none", "P-256", "")
			return err
		},
		sam.OpLink: func(ctx context.Context, c sam.Caller) error {
			_, err := m.LinkCertificate(ctx, c, "k-none", nil)
			return err
		},
		sam.OpPermission: func(ctx context.Context, c sam.Caller) error { _, err := m.SetRaw(ctx, c, "k-none", false); return err },
		sam.OpLift:       func(ctx context.Context, c sam.Caller) error { return m.Lift(ctx, c, "none", "AA", "why") },
		sam.OpAudit:      func(ctx context.Context, c sam.Caller) error { _, err := m.Audit(ctx, c, 0, 1); return err },
		sam.OpExplain:    func(ctx context.Context, c sam.Caller) error { _, err := m.Explain(ctx, c, "0"); return err },
		sam.OpPropose: func(ctx context.Context, c sam.Caller) error {
			_, err := m.Propose(ctx, c, "none", []byte("{}"))
			return err
		},
		sam.OpApprove:   func(ctx context.Context, c sam.Caller) error { _, err := m.Approve(ctx, c, "d-none"); return err },
		sam.OpWithdraw:  func(ctx context.Context, c sam.Caller) error { _, err := m.Withdraw(ctx, c, "d-none"); return err },
		sam.OpProposals: func(ctx context.Context, c sam.Caller) error { _, err := m.Proposals(ctx, c, "", 10); return err },
		sam.OpKeyStatus: func(ctx context.Context, c sam.Caller) error {
			_, err := m.SetCertificateStatus(ctx, c, "k-none", "revoked", "why")
			return err
		},
		sam.OpSelfTest: func(ctx context.Context, c sam.Caller) error { _, err := m.SelfTest(ctx, c); return err },
		sam.OpReopen:   func(ctx context.Context, c sam.Caller) error { _, err := m.Reopen(ctx, c, "why"); return err },
		sam.OpRoles:    func(ctx context.Context, c sam.Caller) error { _, err := m.Identities(ctx, c); return err },
	}
}

// IAM-04: the table is enforced by the module itself, each operation by its own
// method: a method that asks for another operation's right would show.
func TestIAM04EveryMethodAsksForItsOwnRight(t *testing.T) {
	w := samtest.New(t)
	calls, want := everyOp(w), cells(t)
	for _, op := range sam.Ops() {
		if calls[op] == nil {
			t.Errorf("%s: no call here", op)
			continue
		}
		for role, names := range samtest.People() {
			err := calls[op](context.Background(), sam.Caller{Identity: names[0], Role: role})
			if got := !errors.Is(err, sap.ReasonRole); got != want[op][role] {
				t.Errorf("%s as %s: admitted %v (%v)", op, role, got, err)
			}
			if errors.Is(err, sap.ReasonRole) && !strings.Contains(fmt.Sprint(err), string(op)) {
				t.Errorf("%s as %s was refused as something else: %v", op, role, err)
			}
		}
	}
}

// ROL-04: two officers always remain.
func TestROL04TwoOfficersRemain(t *testing.T) {
	w := samtest.New(t)
	for _, name := range []string{"olga", "otto"} {
		w.Decide(sam.DecideRevoke, sam.Revoke{Name: name, Why: "left"})
	}
	w.Decide(sam.DecideGrant, sam.Grant{Name: "officer-1b", Person: samtest.Officer.Identity, Role: sam.RoleOfficer, Key: keyOf("o1b")})
	for _, name := range []string{samtest.Second.Identity, samtest.Officer.Identity} {
		_, err := w.Try(sam.DecideRevoke, sam.Revoke{Name: name, Why: "left"})
		if (name == samtest.Second.Identity) != errors.Is(err, sap.ReasonState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, in := range map[string]sam.Revoke{"nobody": {Name: "nobody", Why: "x"}, "no reason": {Name: samtest.Auditor.Identity}} {
		if _, err := w.M.Propose(context.Background(), samtest.Second, sam.DecideRevoke, w.Args(in)); !errors.Is(err, sap.ReasonInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// IAM-01: a caller without an identity, or with one that could be confused, gets
// nothing.
func TestIAM01CallersWithoutIdentity(t *testing.T) {
	w := samtest.New(t)
	for _, id := range []string{"", " ", "a b", "x\n", string(make([]byte, 65)), "ä", "Officer-1", "officer_1"} {
		refused(t, w, sap.ReasonRole, func() error {
			_, err := w.M.Info(context.Background(), sam.Caller{Identity: id, Role: sam.RoleOfficer})
			return err
		})
	}
}

package samrpc_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// unreadable is what no answer of the module may hold, by table and column: seals,
// wrapped keys, what verifies an enrolment code, what is kept of nonces.
var unreadable = []struct{ table, column string }{
	{"meta", "mac"}, {"identity", "mac"}, {"signer", "mac"}, {"authenticator", "mac"}, {"guard", "mac"}, {"enrolment", "mac"},
	{"credential", "mac"}, {"credential", "blob"}, {"enrolment", "code"}, {"activation", "mac"}, {"activation", "nonce_hash"}, {"activation", "binding"},
}

// IAM-06: what the module keeps to verify, seal and unlock is in no answer: every
// route is called by every role with 40 generated queries and bodies made of all
// ids that exist, on a module in which each of these things exists, after a life
// with a signature, a refusal and an open enrolment. Nonces go to the application
// in the request that they are for, and to nobody else.
func TestIAM06NoAnswerHoldsWhatVerifiesOrUnlocks(t *testing.T) {
	r := newRig(t)
	alice := r.NewSigner("alice", algo.P256)
	r.NewSigner("bob", algo.P256)
	officer := r.admin("officer-1", "officer")
	if _, err := r.M.CreateSigner(t.Context(), samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p"}); err != nil {
		t.Fatal(err)
	}
	code, err := officer.EnrolCode(t.Context(), "carol")
	if err != nil {
		t.Fatal(err)
	}
	sad, proof := r.Approve(alice, 1)
	if _, err := r.Redeem(sad, proof); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Redeem(append(sad, ' '), proof); err == nil {
		t.Fatal("accepted")
	}
	open := r.Ask(alice, 1)
	secrets := r.unreadable(t)
	secrets["PIN"] = [][]byte{[]byte("test-pin")}

	clients := map[string]*http.Client{}
	for role, name := range map[string]string{"sspu": "ssad-1", "officer": "officer-1", "auditor": "auditor-1", "ra": "rosa"} {
		clients[role] = &http.Client{Transport: &http.Transport{TLSClientConfig: r.tls(name, role)}}
	}
	values := []string{"alice", "bob", "carol", alice.Key, code.ID, open.Bind.Session, sap.B64(alice.Device.ID), "0", "1", "25", "good", "signer", "x"}
	rng := rand.New(rand.NewPCG(6, 6))
	pick := func() string { return values[rng.IntN(len(values))] }
	answers, told := 0, 0
	for _, rt := range samrpc.Routes() {
		if rt.Op == sam.OpReopen {
			continue // its answer is one that others give too; it runs all self-tests
		}
		for _, role := range slices.Sorted(maps.Keys(clients)) { // in one order: the calls are the same in each run
			for range 60 {
				text := r.call(t, clients[role], rt, pick)
				answers++
				if bytes.Contains(text, []byte(alice.Key)) {
					told++
				}
				for what, list := range secrets {
					for _, secret := range list {
						if holds(text, secret) {
							t.Fatalf("%s %s as %s: the answer holds %s:\n%s", rt.Method, rt.Path, role, what, text)
						}
					}
				}
				if nonce, err := sap.UnB64(open.Bind.Nonce); err != nil || holds(text, nonce) {
					t.Fatalf("%s %s as %s: the answer holds a nonce of an open request (%v)", rt.Method, rt.Path, role, err)
				}
			}
		}
	}
	if answers < 2000 || told < 50 {
		t.Errorf("%d answers, %d of them tell of a key: the calls do not get anywhere", answers, told)
	}
}

// call makes one generated call of a route.
func (r *rig) call(t *testing.T, c *http.Client, rt samrpc.Route, pick func() string) []byte {
	t.Helper()
	q := url.Values{}
	body := map[string]any{}
	for _, name := range []string{"signer", "key", "id", "from", "limit", "ref", "state", "why", "cause", "status", "credential", "name", "proof"} {
		if v := pick(); v != "x" {
			q.Set(name, v)
			body[name] = v
		}
	}
	if rt.Method == "GET" { // few parameters: those that do not fit are refused
		q = url.Values{}
		switch rt.Op {
		case sam.OpAudit:
			q.Set("from", "0")
			q.Set("limit", "1000")
		case sam.OpExplain:
			q.Set("ref", fmt.Sprint(len(pick())*2))
		case sam.OpCredentials, sam.OpSigner:
			q.Set([]string{"signer", "key", "id"}[len(pick())%3], pick())
		}
	}
	if rt.Op == sam.OpRequest {
		body = map[string]any{"signer": pick(), "key": pick(), "n": 99}
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), rt.Method, r.url+rt.Path+"?"+q.Encode(), bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if rt.Method == "GET" {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// unreadable reads the values from the database, as its administrator could.
func (r *rig) unreadable(t *testing.T) map[string][][]byte {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+r.DB()+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	out := map[string][][]byte{}
	for _, u := range unreadable {
		for _, b := range column(t, db, u.table, u.column) {
			if len(b) >= 16 {
				out[u.table+"."+u.column] = append(out[u.table+"."+u.column], b)
			}
		}
		if len(out[u.table+"."+u.column]) == 0 {
			t.Errorf("%s.%s is empty: nothing to look for", u.table, u.column)
		}
	}
	return out
}

func holds(text, secret []byte) bool {
	s := string(text)
	return strings.Contains(s, string(secret)) || strings.Contains(s, sap.B64(secret)) ||
		strings.Contains(s, base64.StdEncoding.EncodeToString(secret)) || strings.Contains(s, hex.EncodeToString(secret))
}

func column(t *testing.T, db *sql.DB, table, name string) (out [][]byte) {
	t.Helper()
	rows, err := db.Query("SELECT " + name + " FROM " + table)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

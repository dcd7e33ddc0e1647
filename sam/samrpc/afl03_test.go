package samrpc_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// AFL-03: whatever was wrong with an approval, and whether or not signer, key,
// session and authenticator exist, the answer is the same status, the same
// headers and the same octets, but for the number of the audit record.
func TestAFL03EqualAnswers(t *testing.T) {
	r := newRig(t)
	alice, bob := r.NewSigner("alice", algo.P256), r.NewSigner("bob", algo.P256)
	make1 := func(s *samtest.Signer, d samtest.Device, change func(*sap.SAD)) sapclient.RedeemIn {
		req := r.Ask(s, 1)
		full, err := d.SAD(req, s.Items(t, req, 1))
		if err != nil {
			t.Fatal(err)
		}
		change(full)
		sad, proof, err := d.Sign(full)
		if err != nil {
			t.Fatal(err)
		}
		return sapclient.RedeemIn{SAD: sad, Proof: proof, Evidence: []byte("[]")}
	}
	none := func(*sap.SAD) {}
	noUV, forger, origin := *alice.Device, *alice.Device, *alice.Device
	noUV.Flags, origin.Origin, forger.Key = samtest.UP, "http://localhost:8440", samtest.NewDevice("", "").Key
	cases := map[string]sapclient.RedeemIn{
		"forged signature":      make1(alice, forger, none),
		"UV=0":                  make1(alice, noUV, none),
		"other origin":          make1(alice, origin, none),
		"unknown signer":        make1(alice, *alice.Device, func(s *sap.SAD) { s.Bind.Signer = "nobody" }),
		"unknown key":           make1(alice, *alice.Device, func(s *sap.SAD) { s.Bind.Key = "k-none" }),
		"unknown session":       make1(alice, *alice.Device, func(s *sap.SAD) { s.Bind.Session = sap.B64(make([]byte, 16)) }),
		"unknown authenticator": make1(alice, *bob.Device, none),
		"wrong DTBS/R":          make1(alice, *alice.Device, func(s *sap.SAD) { s.Items[0].DTBSR = sap.B64(bytes.Repeat([]byte{1}, 32)) }),
		"other cluster":         make1(alice, *alice.Device, func(s *sap.SAD) { s.Bind.Audience = "prod#1" }),
		"not a SAD":             {SAD: []byte("{}"), Proof: []byte("{}"), Evidence: []byte("[]")},
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: r.tls("ssad-1", "sspu")}}
	ref := regexp.MustCompile(`"ref":"\d+"`)
	var want, first string
	for name, in := range cases {
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Post(r.url+sapclient.PathRedeem, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		res.Header.Del("Date")
		res.Header.Del("Content-Length") // the number's length
		got, err := json.Marshal([]any{res.StatusCode, res.Header, ref.ReplaceAllString(string(text), `"ref":"N"`)})
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first, want = name, string(got)
		}
		if string(got) != want {
			t.Errorf("%s:\n%s\n%s:\n%s", name, got, first, want)
		}
	}
}

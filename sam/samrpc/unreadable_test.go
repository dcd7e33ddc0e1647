package samrpc_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// AUD-02, I8: a request that cannot be read is an attempt like every other: for every
// operation and every role that calls it, and for what is no operation, it leaves exactly
// one record, with who, what and a reason, to which the answer refers; and nothing of
// what was sent (AUD-04).
func TestAUD02UnreadableRequestsAreOnRecord(t *testing.T) {
	r := newRig(t)
	const canary = "canary-in-a-spoilt-request"
	bodies := map[string][]byte{
		"no JSON":        []byte(canary),
		"unknown member": []byte(`{"` + canary + `":"` + canary + `"}`),
		"cut short":      []byte(`{"signer":"` + canary),
		"two values":     []byte(`{} "` + canary + `"`),
		"no UTF-8":       append([]byte(`{"a":"`), 0xff, 0xfe),
		"too long":       bytes.Repeat([]byte(canary), 1<<16),
	}
	tried := 0
	try := func(name, role, method, path string, body []byte, status int, reason sap.Reason, typ string) {
		t.Helper()
		tried++
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: r.tls(name, role)}}
		defer client.CloseIdleConnections()
		before := len(r.Records())
		req, err := http.NewRequest(method, r.url+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var answer sapclient.ErrorBody
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != status {
			t.Errorf("%s %s as %s: status %d, %v, want %d", method, path, role, res.StatusCode, err, status)
		}
		list := r.Records()[before:]
		if len(list) != 1 {
			t.Errorf("%s %s as %s: %d records", method, path, role, len(list))
			return
		}
		got := list[0]
		if got.Type != typ || got.Outcome != audit.Refused || got.Reason != string(reason) || got.Actor != role+":"+name {
			t.Errorf("%s %s as %s: %+v", method, path, role, got)
		}
		if answer.Ref != strconv.FormatInt(got.Seq, 10) {
			t.Errorf("%s %s as %s: the answer refers to %q, the record is %d", method, path, role, answer.Ref, got.Seq)
		}
		if strings.Contains(got.Data, canary) {
			t.Errorf("the record repeats what was sent: %s", got.Data)
		}
	}
	callers := map[sam.Role]string{sam.RoleSSPU: "ssad-1", sam.RoleOfficer: "officer-1", sam.RoleRA: "ra-1"}
	for _, rt := range samrpc.Routes() {
		if rt.Method != "POST" {
			continue
		}
		for role, name := range callers {
			for _, body := range bodies {
				want, status := sap.ReasonInvalid, http.StatusBadRequest
				if !sam.Allowed(role, rt.Op) {
					want, status = sap.ReasonRole, http.StatusForbidden
				}
				try(name, string(role), rt.Method, rt.Path, body, status, want, string(rt.Op))
			}
		}
	}
	for path, status := range map[string]int{"/v1/sign": 404, "/debug/pprof/": 404, sapclient.PathRedeem + "/": 404} {
		try("ssad-1", "sspu", "POST", path, nil, status, sap.ReasonInvalid, sam.UnknownRequest)
	}
	try("ssad-1", "sspu", "DELETE", sapclient.PathRedeem, nil, 405, sap.ReasonInvalid, sam.UnknownRequest)
	if tried < 300 {
		t.Errorf("only %d requests", tried)
	}
	t.Logf("%d requests, a record each", tried)
}

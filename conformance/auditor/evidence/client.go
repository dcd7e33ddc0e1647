package evidence

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// answer is the part of an answer to a redemption that is compared.
type answer struct {
	Signatures [][]byte      `json:"signatures"`
	Receipt    signedReceipt `json:"receipt"`
}

// approval is the part of signature activation data that is compared
// (sap/SAP.md, 3.3).
type approval struct {
	Bind struct {
		Session string `json:"sid"`
		Key     string `json:"kid"`
		Signer  string `json:"sub"`
		Cert    string `json:"cert"`
		Alg     string `json:"alg"`
		N       int    `json:"n"`
	} `json:"bind"`
	Items []struct {
		DTBSR string `json:"dtbsr"`
	} `json:"items"`
}

// call is one redemption as a client asked for it, with all answers it got.
type call struct {
	ask       Event
	sad       approval
	acks      []Event
	refusals  []Event
	again     bool // answered after the recovery
	recovered bool // asked after the recovery
}

// checkClients compares what clients were told with the rest: comparisons 3, 4
// and 6.
func (c *Case) checkClients() error {
	calls, refs := map[string]*call{}, map[string]string{}
	recovered := false
	for _, e := range c.events {
		k := calls[e.ID]
		switch {
		case e.Ev == "recovered":
			recovered = true
			continue
		case e.Ev == "redeem" && k == nil:
			k = &call{ask: e}
			if err := json.Unmarshal(e.SAD, &k.sad); err != nil {
				return fmt.Errorf("%w: client log: approval of %s: %w", ErrInput, e.ID, err)
			}
			calls[e.ID] = k
		case e.Ev == "redeem":
			if !bytes.Equal(k.ask.SAD, e.SAD) || !bytes.Equal(k.ask.Proof, e.Proof) || !bytes.Equal(k.ask.Evidence, e.Evidence) {
				return fmt.Errorf("%w: client log: %s was not repeated with the same bytes", ErrInput, e.ID)
			}
		case e.Ev == "answer":
			c.checkStatus(e, k, refs)
			if k != nil {
				k.note(e, recovered)
			}
		}
		if k != nil && e.Ev == "redeem" && recovered {
			k.recovered = true
		}
	}
	for id, k := range calls {
		if err := c.checkCall(id, k); err != nil {
			return err
		}
	}
	return nil
}

func (k *call) note(e Event, recovered bool) {
	if e.Status == 200 {
		k.acks = append(k.acks, e)
		k.again = k.again || recovered
	} else {
		k.refusals = append(k.refusals, e)
	}
}

// checkStatus: a refusal has a code, and one record with a reason of its own
// (I8). "unavailable" without a reference is the answer of a module that could
// not record anything.
func (c *Case) checkStatus(e Event, k *call, refs map[string]string) {
	if e.Status == 200 {
		return
	}
	var body struct{ Code, Ref string }
	if e.Status < 400 || e.Status > 599 || json.Unmarshal(e.Body, &body) != nil || body.Code == "" {
		c.find(6, "I8", e.ID, "status %d with the body %.60q is no refusal", e.Status, e.Body)
		return
	}
	if body.Ref == "" {
		if e.Status == 422 {
			c.find(6, "I8", e.ID, "refused (%s) without a record", body.Code)
		}
		return
	}
	seq, err := strconv.ParseInt(body.Ref, 10, 64)
	r := c.bySeq[seq]
	if err != nil || r == nil || r.Reason == "" || (r.Outcome != "refused" && r.Outcome != "error") {
		c.find(6, "I8", e.ID, "refused with reference %q, which is no record of a refusal", body.Ref)
		return
	}
	// Callers that waited for one judgement share its record; nobody else does.
	if owner, ok := refs[body.Ref]; ok && owner != e.ID {
		c.find(6, "I8", e.ID, "record %d is the refusal of %s too", seq, owner)
	}
	refs[body.Ref] = e.ID
}

func (c *Case) checkCall(id string, k *call) error {
	obj := "session:" + k.sad.Bind.Session
	in := c.intents[obj]
	mine := len(in) > 0 && in[0].Redemption == b64(k.redemption())
	if mine {
		c.checkApproved(id, k, in[0])
	}
	if len(k.acks) == 0 {
		return nil
	}
	for _, e := range k.acks[1:] {
		if !bytes.Equal(e.Body, k.acks[0].Body) {
			c.find(3, "I2", id, "it was answered with two different answers")
		}
	}
	s := c.sessions[obj]
	switch {
	case len(c.withheld[obj]) > 0 || len(c.released[obj]) > 0:
		c.find(4, "I4", id, "%s was withheld or released, and an answer was given", obj)
		return nil
	case !mine || len(c.outcomes[obj]) == 0:
		c.find(4, "I3", id, "acknowledged, and the audit chain has no outcome of this redemption of %s", obj)
		return nil
	case s == nil || !bytes.Equal(s.Answer, k.acks[0].Body):
		c.find(4, "I3", id, "acknowledged, and the database has no such answer for %s", obj)
		return nil
	}
	// An accepted restore opens a new epoch: what was approved before is void, and
	// its answers stay in the database only.
	void := c.outcomes[obj][0].Seq < c.epoch
	for _, e := range k.refusals {
		if !void && e.Time > k.acks[0].Time && e.Status == 422 {
			c.find(4, "I3", id, "acknowledged, and later refused")
		}
	}
	if k.recovered && !k.again && !void {
		c.find(4, "I3", id, "acknowledged, and not given again after the recovery")
	}
	return c.verify(id, k, in[0])
}

// redemption is the identity of exactly this request (sap/SAP.md, 2).
func (k *call) redemption() []byte {
	b := append([]byte("assent/redemption/v1"), 0)
	for _, part := range [][]byte{[]byte(k.ask.Caller), k.ask.SAD, k.ask.Proof, k.ask.Evidence} {
		b = append(b, hash(part)...)
	}
	return hash(b)
}

// checkApproved: what was reserved is what was approved, no more (comparison 3).
func (c *Case) checkApproved(id string, k *call, in *record) {
	if k.sad.Bind.N != len(in.List) || len(k.sad.Items) != len(in.List) {
		c.find(3, "I2", id, "%d digests reserved, %d approved", len(in.List), len(k.sad.Items))
		return
	}
	for i, it := range k.sad.Items {
		if it.DTBSR != in.List[i] {
			c.find(3, "I2", id, "digest %d reserved is not the one approved", i)
		}
	}
	if k.sad.Bind.Key != in.Key || k.sad.Bind.Signer != in.Signer || k.sad.Bind.Cert != in.Cert || k.sad.Bind.Alg != in.Alg {
		c.find(3, "I1", id, "reserved for another key, signer, certificate or algorithm than approved")
	}
}

// verify has openssl check every acknowledged signature with the certificate.
func (c *Case) verify(id string, k *call, in *record) error {
	var a answer
	err := json.Unmarshal(k.acks[0].Body, &a)
	if err != nil || len(a.Signatures) != len(k.sad.Items) {
		c.find(4, "I3", id, "the answer has %d signatures for %d items (%v)", len(a.Signatures), len(k.sad.Items), err)
		return nil
	}
	cred := c.credentials[in.Key]
	if cred == nil || b64(hash(cred.Leaf)) != in.Cert {
		c.find(4, "I3", id, "the certificate %s of key %s is not in the database", in.Cert, in.Key)
		return nil
	}
	dir, err := os.MkdirTemp("", "auditor-")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for i, sig := range a.Signatures {
		ok, err := openssl(dir, cred.Leaf, in.Alg, unb64(k.sad.Items[i].DTBSR), sig)
		if err != nil {
			return err
		}
		if !ok {
			c.find(4, "I3", id, "signature %d does not verify with the signer's certificate", i)
		}
	}
	return nil
}

// openssl verifies a signature over a digest.
func openssl(dir string, leaf []byte, alg string, digest, sig []byte) (bool, error) {
	cert, err := x509.ParseCertificate(leaf)
	if err != nil {
		return false, nil // what does not parse verifies nothing
	}
	spki, err := x509.MarshalPKIXPublicKey(cert.PublicKey)
	if err != nil {
		return false, nil
	}
	names := map[string][]byte{
		"pub": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), "digest": digest, "sig": sig,
	}
	for name, b := range names {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return false, fmt.Errorf("%w: %w", ErrInput, err)
		}
	}
	h := map[int]string{sha256.Size: "sha256", 48: "sha384", 64: "sha512"}[len(digest)]
	args := []string{"pkeyutl", "-verify", "-pubin", "-inkey", "pub", "-in", "digest", "-sigfile", "sig", "-pkeyopt", "digest:" + h}
	switch cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
	case *rsa.PublicKey:
		if strings.HasPrefix(alg, "PS") {
			args = append(args, "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest")
		}
	default:
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", args...)
	cmd.Dir = dir
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return false, fmt.Errorf("%w: openssl: %w", ErrInput, err)
	}
	return err == nil, nil
}

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// chainFiles is an audit chain of one signature and its receipt, in files.
type chainFiles struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	list []audit.Record
}

func (c *chainFiles) Last() (audit.Head, error) {
	if len(c.list) == 0 {
		return audit.Head{Seq: -1}, nil
	}
	r := c.list[len(c.list)-1]
	return audit.Head{Seq: r.Seq, Hash: r.Hash}, nil
}

func (c *chainFiles) Insert(r audit.Record) error { c.list = append(c.list, r); return nil }

func (c *chainFiles) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *chainFiles) log(typ string, d audit.Data) {
	c.t.Helper()
	_, err := audit.Append(c, time.UnixMilli(int64(1000+len(c.list))), audit.Entry{Type: typ, Actor: "ssad", Outcome: audit.OK, Data: d})
	c.must(err)
}

// write writes records as an export and returns its path.
func (c *chainFiles) write(name string, list []audit.Record) string {
	c.t.Helper()
	var out bytes.Buffer
	_, err := audit.Write(&out, iter.Seq2[audit.Record, error](func(yield func(audit.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}))
	c.must(err)
	return c.file(name, out.Bytes())
}

func (c *chainFiles) file(name string, text []byte) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	c.must(os.WriteFile(path, text, 0o600))
	return path
}

// receipt writes a receipt of a record, signed by a key under the name of the module's.
func (c *chainFiles) receipt(name string, by *ecdsa.PrivateKey, change func(r *sap.Receipt)) string {
	c.t.Helper()
	r := sap.Receipt{Type: sap.TypeReceipt, Instance: "c1", AuditSeq: 1, AuditHash: sap.B64(c.list[1].Hash), Items: []sap.ReceiptItem{}}
	if change != nil {
		change(&r)
	}
	text, err := jcs.Marshal(r)
	c.must(err)
	sig, err := sap.Sign(by, sap.LabelReceiptRoot, sap.NewReceiptTree([][]byte{text}).Root())
	c.must(err)
	id, err := sap.KeyID(c.key.Public())
	c.must(err)
	out, err := json.MarshalIndent(sap.SignedReceipt{Receipt: sap.B64(text), Path: []string{}, Size: 1, Signature: sap.B64(sig), Key: id}, "", " ")
	c.must(err)
	return c.file(name, out)
}

func newChainFiles(t *testing.T) (c *chainFiles, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c = &chainFiles{t: t, dir: t.TempDir(), key: key}
	c.must(err)
	c.log(audit.TypeStart, audit.Data{"chain": "c1"})
	c.log("signed", audit.Data{"n": 1})
	id, err := sap.KeyID(key.Public())
	c.must(err)
	s := audit.Signed{Checkpoint: audit.Checkpoint{Chain: "c1", Seq: 1, Hash: c.list[1].Hash}, Every: 1000, Key: id}
	s.Sig, err = sap.Sign(key, sap.LabelCheckpoint, s.Body())
	c.must(err)
	_, err = audit.AppendSigned(c, time.UnixMilli(2000), "samd", s)
	c.must(err)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	c.must(err)
	return c, c.file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// AUD-08, AUD-11: a receipt that somebody kept shows whether the chain in hand is the one
// that its signature was recorded in: a fork, another module's, a shortened chain and a
// forged receipt are refused, as is a chain without a record.
func TestAUD08ReceiptsAgainstTheChain(t *testing.T) {
	c, key := newChainFiles(t)
	chain := c.write("chain.jsonl", c.list)
	good := c.receipt("good.json", c.key, nil)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.must(err)
	verify := func(args ...string) (string, error) {
		var out bytes.Buffer
		cmd := newRoot()
		cmd.SetArgs(append([]string{"audit", "verify"}, args...))
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	if out, err := verify(chain, "--key", key, "--receipt", good); err != nil || !strings.Contains(out, "the outcomes of 1 receipts are in it") {
		t.Fatalf("%s %v", out, err)
	}
	text, err := os.ReadFile(good)
	c.must(err)
	for what, args := range map[string][]string{
		"a fork":                   {chain, "--key", key, "--receipt", c.receipt("fork.json", c.key, func(r *sap.Receipt) { r.AuditHash = sap.B64(c.list[0].Hash) })},
		"of another module":        {chain, "--key", key, "--receipt", c.receipt("other.json", c.key, func(r *sap.Receipt) { r.Instance = "c2" })},
		"a record that is missing": {chain, "--key", key, "--receipt", c.receipt("later.json", c.key, func(r *sap.Receipt) { r.AuditSeq = 9 })},
		"forged":                   {chain, "--key", key, "--receipt", c.receipt("forged.json", stranger, nil)},
		"no hash":                  {chain, "--key", key, "--receipt", c.receipt("none.json", c.key, func(r *sap.Receipt) { r.AuditHash = "" })},
		"no receipt":               {chain, "--key", key, "--receipt", key},
		"a member twice": {chain, "--key", key, "--receipt", c.file("twice.json",
			bytes.Replace(text, []byte(`"index": 0`), []byte(`"index": 1, "index": 0`), 1))},
		"no record": {c.write("empty.jsonl", nil)},
	} {
		out, err := verify(args...)
		var code *exitError
		if !errors.As(err, &code) || code.code != exitNotValid {
			t.Errorf("%s: %s %v", what, out, err)
		}
	}
	if out, err := verify(chain, "--receipt", good); err == nil || !strings.Contains(err.Error()+out, "--key") {
		t.Errorf("without a key: %s %v", out, err)
	}
}

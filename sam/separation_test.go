package sam

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/sap"
)

// derived is a token that derives as every driver does, from one secret.
type derived struct{ labels *[]string }

func (d derived) DeriveSeal(_ context.Context, label string) ([]byte, error) {
	*d.labels = append(*d.labels, label)
	h := hmac.New(sha256.New, []byte("the token's secret"))
	h.Write([]byte(cryptotoken.SealPrefix + label))
	return h.Sum(nil), nil
}

func newTestSealer(t *testing.T, cluster string) (*sealer, []string) {
	t.Helper()
	var labels []string
	s, err := newSealer(context.Background(), derived{&labels}, cluster)
	if err != nil {
		t.Fatal(err)
	}
	return s, labels
}

// KPR-06: each purpose has a key of its own, derived under a label that names
// purpose and cluster; no two labels are equal or begin each other.
func TestKPR06OneKeyForEachPurpose(t *testing.T) {
	_, labels := newTestSealer(t, "main")
	if len(labels) < 3 {
		t.Fatalf("%d purposes", len(labels))
	}
	for i, a := range labels {
		for j, b := range labels {
			if i != j && bytes.HasPrefix([]byte(a), []byte(b)) {
				t.Errorf("label %q begins with %q", a, b)
			}
		}
	}
}

// KPR-06: what one key made is refused wherever another is asked for: a record's
// seal as the anchor's and the other way round, a record as one of another kind, a
// hidden value under another name, all of it in another cluster.
func TestKPR06PurposesCannotBeSwapped(t *testing.T) {
	s, _ := newTestSealer(t, "main")
	other, _ := newTestSealer(t, "other")
	r := &Tombstone{Key: "k-1", Destroyed: 7}
	s.stamp(r, 3)
	if err := s.check(r); err != nil {
		t.Fatal(err)
	}
	if err := other.check(r); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("sealed in another cluster: %v", err)
	}
	e := encoder{}
	e.str(labelRecordMAC)
	e.str(r.kind())
	r.columns(&e)
	e.int(r.Seq)
	e.int(r.Version)
	if hmac.Equal(s.anchorMAC(e.b), r.MAC) || hmac.Equal(s.anchorMAC([]byte("tombstone\x00"+r.Key)), r.MAC) {
		t.Error("the anchor's key makes seals of records")
	}
	forged := *r
	forged.MAC = s.anchorMAC(e.b)
	if err := s.check(&forged); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("seal made with the anchor's key: %v", err)
	}
	id := &Identity{Name: "k-1", Created: 7, Stamp: r.Stamp}
	if err := s.check(id); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("a tombstone's seal on an identity: %v", err)
	}
	draw := func(b []byte) error { _, err := rand.Read(b); return err }
	hidden, err := s.hide(draw, []byte("secret"), "enrolment:a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.reveal(hidden, "enrolment:b"); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("hidden for another row: %v", err)
	}
	if _, err := other.reveal(hidden, "enrolment:a"); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("hidden in another cluster: %v", err)
	}
	if _, err := s.reveal(r.MAC, "enrolment:a"); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("a seal as a hidden value: %v", err)
	}
	if plain, err := s.reveal(hidden, "enrolment:a"); err != nil || string(plain) != "secret" {
		t.Errorf("%q, %v", plain, err)
	}
}

// KPR-06: the statement key signs under labels; a signature under one is refused
// under every other, so that an activation request is no receipt and no
// registration, and none of them verifies as a signature over the bare text.
func TestKPR06StatementLabels(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"typ":"x"}`)
	labels := []string{sap.LabelActivationRequest, sap.LabelRegistration, sap.LabelReceiptRoot, sap.LabelOneTime, ""}
	for _, made := range labels {
		sig, err := sap.Sign(key, made, body)
		if err != nil {
			t.Fatal(err)
		}
		for _, asked := range labels {
			err := sap.Verify(&key.PublicKey, asked, body, sig)
			if (err == nil) != (made == asked) {
				t.Errorf("made for %q, asked as %q: %v", made, asked, err)
			}
		}
	}
}

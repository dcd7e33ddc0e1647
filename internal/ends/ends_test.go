package ends_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/ends"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func certificate(t *testing.T, name string, end time.Time) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: start.AddDate(-1, 0, 0), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

type line struct {
	Level, Msg, Use, Name, Subject, Ends, File, Do string
	Days                                           int
}

func lines(t *testing.T, b *bytes.Buffer) (out []line) {
	t.Helper()
	dec := json.NewDecoder(b)
	for dec.More() {
		var l line
		if err := dec.Decode(&l); err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	b.Reset()
	return out
}

// Silent until 30 days before the end, then once a day; again at once when a week, a
// day, and nothing is left; an error from the last day on.
func TestWarnsOnceADay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tls.pem")
	end := start.AddDate(0, 0, 40)
	if err := os.WriteFile(file, certs.EncodePEM(certificate(t, "app", end.AddDate(1, 0, 0)), certificate(t, "its issuer", end)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ends.Load("tls", "", file, "renew it")
	if err != nil || !c.End.Equal(end) || c.Subject != "CN=its issuer" {
		t.Fatalf("%+v, %v: the first end of the chain counts", c, err)
	}
	far := ends.Certificate{Use: "far", End: start.AddDate(10, 0, 0)}
	fake, out := clock.NewFake(start), &bytes.Buffer{}
	w := ends.NewWatch(slog.New(slog.NewJSONHandler(out, nil)), fake, func() []ends.Certificate { return []ends.Certificate{far, c, {}} })
	var said []line
	for range 24 * 42 { // as Run does, every hour
		w.Look()
		said = append(said, lines(t, out)...)
		fake.Advance(time.Hour)
	}
	var warnings, week, day, over int
	for _, l := range said {
		if l.Use != "tls" || l.Subject != "CN=its issuer" || l.File != file || l.Do != "renew it" || l.Ends != "2026-02-10T12:00:00Z" {
			t.Fatalf("%+v", l)
		}
		switch {
		case l.Msg == "a certificate ends soon" && l.Level == "WARN" && l.Days >= 7 && l.Days <= 30:
			warnings++
		case l.Msg == "a certificate ends within a week" && l.Level == "WARN" && l.Days >= 1 && l.Days <= 7:
			week++
		case l.Msg == "a certificate ends within a day" && l.Level == "ERROR" && l.Days >= 0 && l.Days <= 1:
			day++
		case l.Msg == "a certificate has ended" && l.Level == "ERROR" && l.Days < 0:
			over++
		default:
			t.Errorf("%+v", l)
		}
	}
	// By day of UTC, noon to noon: one each, and one more where a stage begins within it.
	if warnings != 24 || week != 7 || day != 2 || over != 3 {
		t.Errorf("%d, %d, %d, %d warnings", warnings, week, day, over)
	}
}

// A file that was renewed while the process runs on: what is left is the restart.
func TestRenewedButNotRestarted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tls.pem")
	write := func(end time.Time) {
		if err := os.WriteFile(file, certs.EncodePEM(certificate(t, "app", end)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(start.AddDate(0, 0, 5))
	c, err := ends.Load("tls", "x", file, "renew it")
	if err != nil {
		t.Fatal(err)
	}
	write(start.AddDate(1, 0, 0))
	out := &bytes.Buffer{}
	ends.NewWatch(slog.New(slog.NewJSONHandler(out, nil)), clock.NewFake(start), func() []ends.Certificate { return []ends.Certificate{c} }).Look()
	if said := lines(t, out); len(said) != 1 || said[0].Do != "the file holds a later one: restart this process" || said[0].Name != "x" || said[0].Days != 5 {
		t.Errorf("%+v", said)
	}
	if _, err := ends.Load("tls", "", file+"x", ""); err == nil {
		t.Error("a file that is not there is described")
	}
}

// Anchors count one by one, and those that have ended do not cry for ever.
func TestAnchors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := certs.EncodePEM(certificate(t, "old", start.AddDate(0, 0, -1)), certificate(t, "present", start.AddDate(0, 0, 3)), certificate(t, "next", start.AddDate(5, 0, 0)))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := ends.Anchors("sam_ca", file, "bring the next one", start)
	if err != nil || len(list) != 2 || list[0].Name != "CN=present" || list[1].Name != "CN=next" || list[0].Use != "sam_ca" || list[0].Do == "" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := ends.Anchors("sam_ca", file+"x", "", start); err == nil {
		t.Error("a file that is not there is described")
	}
}

package xades_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

var errKilled = errors.New("the process was killed")

// mortal is a file of a process that is killed after so many octets were written, or so many other steps
// done: of the write that it dies in, the first octets are there.
type mortal struct {
	*os.File
	octets, steps int
}

func (m *mortal) step() error {
	if m.steps--; m.steps < 0 {
		return errKilled
	}
	return nil
}

func (m *mortal) WriteAt(b []byte, off int64) (int, error) {
	n := min(len(b), m.octets)
	if m.octets -= n; n < len(b) || m.step() != nil {
		k, err := m.File.WriteAt(b[:n], off)
		return k, errors.Join(err, errKilled)
	}
	return m.File.WriteAt(b, off)
}

func (m *mortal) Truncate(size int64) error {
	if err := m.step(); err != nil {
		return err
	}
	return m.File.Truncate(size)
}

func (m *mortal) Sync() error {
	if err := m.step(); err != nil {
		return err
	}
	return m.File.Sync()
}

// lta judges a detached signature at B-LTA over the file "terms.txt".
func lta(t *testing.T, root string, signed []byte, data string) {
	t.Helper()
	anchors, err := certs.LoadPEM(root)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := validate.File(t.Context(), "s.xml", bytes.NewReader(signed), int64(len(signed)), validate.Options{Anchors: anchors, Level: "B-LTA",
		Detached: []validate.Detached{{Name: "terms.txt", ReaderAt: strings.NewReader(data), Size: int64(len(data))}}})
	if err != nil || rep.Indication != validate.TotalPassed || len(rep.Signatures) != 2 || !rep.Signatures[0].Settled() {
		t.Errorf("%+v %v", rep, err)
	}
}

// FPT-05, ADE-03: at B-LTA a detached signature is over the file that it takes the place of. Wherever the attempt to write it
// is killed, in any step and within any write, the next one completes it, whether the file is shorter or longer than the
// signature; and once more after that.
func TestFPT05DetachedLTACutAnywhere(t *testing.T) {
	for _, data := range []string{terms, strings.Repeat(terms, 2000)} {
		a := workertest.NewAuthority(t)
		e, chain, _ := longterm(t, a, "B-LTA", map[string]string{"signature_packaging": "DETACHED", "mime_type": "text/plain"})
		in, out := input(data), workertest.File(t, "out")
		in.Chain, in.Alg, in.Name = chain, algo.ES256, "terms.txt"
		p, sig := workertest.Approved(t, e, in, out)
		const lives = 1 << 30
		cuts := map[string]mortal{}
		for steps := range 8 {
			cuts[fmt.Sprint("step ", steps)] = mortal{nil, lives, steps}
		}
		for _, octets := range []int{0, 1, 50, 5_000, 10_000, 15_000, 20_000, 25_000} {
			cuts[fmt.Sprint("octet ", octets)] = mortal{nil, octets, lives}
		}
		finished := 0
		for name, cut := range cuts {
			f := workertest.File(t, "doc")
			if _, err := f.WriteString(data); err != nil {
				t.Fatal(err)
			}
			cut.File = f
			_, err := e.Worker.Finish(context.Background(), p, sig, &cut)
			if err != nil && !errors.Is(err, errKilled) {
				t.Fatalf("%s: %v", name, err)
			}
			if err == nil {
				finished++
			}
			for range 2 {
				res, err := e.Worker.Finish(context.Background(), p, sig, f)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				signed, err := os.ReadFile(f.Name())
				if err != nil || int64(len(signed)) != res.Size || res.Level != "B-LTA" || res.TimeStamp.IsZero() {
					t.Fatalf("%s: %d bytes, %+v, %v", name, len(signed), res, err)
				}
				lta(t, a.Root, signed, data)
			}
		}
		if finished > 1 {
			t.Errorf("%d of %d attempts were not killed", finished, len(cuts))
		}
	}
}

// FPT-05: what a killed attempt left is taken for nothing else: neither another signature nor one that is not whole.
func TestFPT05StagedSignaturesAreTheApproved(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, chain, _ := longterm(t, a, "B-LTA", map[string]string{"signature_packaging": "DETACHED", "mime_type": "text/plain"})
	make := func(data string) (*workers.Prepared, []byte, []byte) {
		in, out := input(data), workertest.File(t, "out")
		in.Chain, in.Alg, in.Name = chain, algo.ES256, "terms.txt"
		p, sig := workertest.Approved(t, e, in, out)
		if _, err := e.Worker.Finish(context.Background(), p, sig, out); err != nil {
			t.Fatal(err)
		}
		done, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return p, sig, done
	}
	p, sig, mine := make(terms)
	_, _, others := make(terms + "more")
	for name, left := range map[string][]byte{
		"another signature":   others,
		"nothing":             nil,
		"cut":                 mine[:len(mine)-1],
		"cut in the middle":   mine[:len(mine)/2],
		"twice":               append(bytes.Clone(mine), mine...),
		"something behind it": append(bytes.Clone(mine), ' '),
		"a level less":        bytes.Replace(mine, []byte("xades141:ArchiveTimeStamp"), []byte("xades141:ArchiveTimeStomp"), 2),
		"another token":       bytes.Replace(mine, []byte("<xades:EncapsulatedTimeStamp>M"), []byte("<xades:EncapsulatedTimeStamp>N"), 1),
		"another file":        []byte("x" + terms),
		"an archive time-stamp over another file": bytes.Replace(mine, archiveToken(t, mine), archiveToken(t, others), 1),
		"properties that it is not over":          bytes.Replace(mine, []byte("<xades:UnsignedSignatureProperties>"), []byte("<xades:UnsignedSignatureProperties><xades:CompleteCertificateRefs><xades:CertRefs></xades:CertRefs></xades:CompleteCertificateRefs>"), 1),
	} {
		f := workertest.File(t, "left")
		if _, err := f.Write(left); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Worker.Finish(context.Background(), p, sig, f); !errors.Is(err, workers.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(now, left) {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
	}
}

// archiveToken is the token of a signature's archive time-stamp, in base64.
func archiveToken(t *testing.T, signed []byte) []byte {
	t.Helper()
	_, rest, ok := bytes.Cut(signed, []byte("<xades141:ArchiveTimeStamp"))
	_, rest, found := bytes.Cut(rest, []byte("<xades:EncapsulatedTimeStamp>"))
	token, _, end := bytes.Cut(rest, []byte("<"))
	if !ok || !found || !end {
		t.Fatal("no archive time-stamp")
	}
	return token
}

package pades_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// longterm is a set with one worker at a level, over an authority.
func longterm(t *testing.T, a *workertest.Authority, level string, more map[string]string) (*workers.Entry, [][]byte, [][]byte) {
	t.Helper()
	_, stamper, tsaChain := a.Key(t, "tsa", algo.P256, certs.TSAProfile)
	_, chain, file := a.Key(t, "anna", algo.P256, certs.SignerProfile)
	p := map[string]string{"level": level, "tsa": "worker:tsa", "trust_anchors": a.Root, "revocation_addresses": "127.0.0.0/8", "revocation_hosts": "127.0.0.1", "ocsp_nonce": "if_answered"}
	for k, v := range more {
		p[k] = v
	}
	set := newSet(t, a.PKI, workers.Config{Name: "tsa", Kind: "tsa", Token: "local", Key: "tsa", Chain: tsaChain, Properties: map[string]string{"policy": "1.3.6.1.4.1.99999.1.1"}},
		workers.Config{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: file, Properties: p})
	e, err := set.Get("pdf")
	if err != nil {
		t.Fatal(err)
	}
	return e, chain, stamper
}

func signLong(t *testing.T, e *workers.Entry) (*os.File, *workers.Result, error) {
	t.Helper()
	doc := minimalPDF()
	out := workertest.File(t, "out.pdf")
	res, err := workers.SignNow(context.Background(), e, workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf"}, out)
	if err == nil {
		if info, err := out.Stat(); err != nil || info.Size() != res.Size {
			t.Errorf("the file has %d bytes, the result says %d", info.Size(), res.Size)
		}
	}
	return out, res, err
}

// ADE-03, E8: B-LT carries the certificates of the signer's and the time-stamp
// authority's paths and a statement about each; B-LTA puts a time-stamp over all of
// it. Every signature is valid for poppler, and nothing but that was added.
func TestADE03LongTermLevels(t *testing.T) {
	qpdf, pdfsig := testenv.Need(t, "qpdf"), testenv.Need(t, "pdfsig")
	for level, want := range map[string]int{"B-LT": 1, "B-LTA": 2} {
		t.Run(level, func(t *testing.T) {
			a := workertest.NewAuthority(t)
			e, chain, stamper := longterm(t, a, level, nil)
			out, res, err := signLong(t, e)
			if err != nil || res.Level != level || res.TimeStamp.IsZero() {
				t.Fatalf("%+v, %v", res, err)
			}
			d, err := pdf.Open(out, res.Size, pdf.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			dss, err := d.DSS()
			if err != nil || dss == nil {
				t.Fatalf("%v, %v", dss, err)
			}
			for _, c := range [][]byte{chain[0], chain[1], stamper[0]} {
				if !slices.ContainsFunc(dss.Certs, func(have []byte) bool { return bytes.Equal(have, c) }) {
					t.Error("a certificate of a path is missing")
				}
			}
			if len(dss.OCSPs) != 2 || len(dss.CRLs) != 1 || len(dss.Certs) != 4 {
				t.Errorf("%d certificates, %d OCSP responses, %d CRLs", len(dss.Certs), len(dss.OCSPs), len(dss.CRLs))
			}
			sigs, err := d.Signatures()
			if err != nil || len(sigs) != want || !slices.Contains(dss.VRI, pdf.VRIKey(sigs[0].Contents)) {
				t.Fatalf("%d signatures, VRI %v, %v", len(sigs), dss.VRI, err)
			}
			if level == "B-LTA" && (sigs[1].Type != "DocTimeStamp" || !sigs[1].CoversWholeFile) {
				t.Errorf("%+v", sigs[1])
			}
			changes, err := d.LaterChanges(sigs[0])
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range changes {
				if !c.Expected() {
					t.Errorf("%+v", c)
				}
			}
			say, err := exec.Command(pdfsig, "-nocert", out.Name()).CombinedOutput()
			if err != nil || bytes.Count(say, []byte("Signature is Valid")) < 1 || bytes.Contains(say, []byte("Invalid")) {
				t.Errorf("pdfsig: %v\n%s", err, say)
			}
			if class := qpdfCheck(qpdf, out.Name()); class != 0 {
				t.Errorf("qpdf --check exits with %d", class)
			}
		})
	}
}

// ADE-03, E5, REV rows: no level is lowered silently and nothing unverified is
// embedded: a revoked certificate, an authority that is silent, a statement from
// before the signature, an anchor of somebody else, each is an error.
func TestADE03LongTermFailures(t *testing.T) {
	for name, c := range workertest.Troubles(t) {
		t.Run(name, func(t *testing.T) {
			for _, level := range []string{"B-LT", "B-LTA"} {
				a := workertest.NewAuthority(t)
				e, chain, stamper := longterm(t, a, level, c.Properties)
				c.Begin(t, a, chain, stamper)
				_, _, err := signLong(t, e)
				c.Judge(t, name, err)
			}
		})
	}
}

// T12: an attempt that failed or was cut off after the signature leaves a file
// that the next attempt completes, without what was left of the first.
func TestADE03LongTermIsTakenUpAgain(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, _, _ := longterm(t, a, "B-LTA", nil)
	doc := minimalPDF()
	out := workertest.File(t, "out.pdf")
	in := workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf", Chain: e.Chain, Alg: algo.ES256}
	p, sig := workertest.Approved(t, e, in, out)
	a.Silent = true
	if _, err := e.Worker.Finish(context.Background(), p, sig, out); !errors.Is(err, workers.ErrValidation) {
		t.Fatalf("%v", err)
	}
	a.Silent = false
	for _, leftover := range []string{"", "what a longer attempt left behind, cut off"} {
		end, err := out.Seek(0, 2)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.WriteAt([]byte(leftover), end); err != nil {
			t.Fatal(err)
		}
		res, err := e.Worker.Finish(context.Background(), p, sig, out)
		if err != nil {
			t.Fatal(err)
		}
		d, err := pdf.Open(out, res.Size, pdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		sigs, err := d.Signatures()
		if err != nil || len(sigs) != 2 || !sigs[1].CoversWholeFile || len(sigs[0].Problems)+len(sigs[1].Problems) > 0 {
			t.Fatalf("%+v, %v", sigs, err)
		}
		if end, err := out.Seek(0, 2); err != nil || end != res.Size {
			t.Errorf("the file has %d bytes, %d were written (%v)", end, res.Size, err)
		}
	}
}

// FPT-05, crash points 15 and 16 of the SSA: whatever a killed attempt wrote behind
// the signature (nothing, part of the security store, part of the time-stamp's
// update, its hole still empty), in whatever state the hole of the signature is,
// the next attempt completes the file.
func TestFPT05LongTermCutAnywhere(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, _, _ := longterm(t, a, "B-LTA", nil)
	doc := minimalPDF()
	whole := workertest.File(t, "whole.pdf")
	in := workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf", Chain: e.Chain, Alg: algo.ES256}
	p, sig := workertest.Approved(t, e, in, whole)
	prepared, err := os.ReadFile(whole.Name())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Worker.Finish(context.Background(), p, sig, whole); err != nil {
		t.Fatal(err)
	}
	done, err := os.ReadFile(whole.Name())
	if err != nil {
		t.Fatal(err)
	}
	var states [][]byte
	for i := 0; i <= 12; i++ { // a file that grew to a part
		cut := len(prepared) + (len(done)-len(prepared))*i/12
		states = append(states, slices.Clone(done[:cut]))
	}
	states = append(states, slices.Concat(prepared, done[len(prepared):]), // the signature's hole is empty, what follows is there
		slices.Concat(prepared[:len(prepared)/2], done[len(prepared)/2:len(prepared)]), // half a hole
		slices.Concat(done[:len(prepared)], make([]byte, 5000)),                        // blocks that the disk never got
		slices.Concat(done, done[len(prepared):]))
	for i, state := range states {
		f := workertest.File(t, "taken-up.pdf")
		if _, err := f.WriteAt(state, 0); err != nil {
			t.Fatal(err)
		}
		res, err := e.Worker.Finish(context.Background(), p, sig, f)
		if err != nil {
			t.Errorf("state %d: %v", i, err)
			continue
		}
		d, err := pdf.Open(f, res.Size, pdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		sigs, err := d.Signatures()
		if err != nil || len(sigs) != 2 || !sigs[1].CoversWholeFile || len(sigs[0].Problems)+len(sigs[1].Problems) > 0 {
			t.Errorf("state %d: %+v, %v", i, sigs, err)
		}
		if end, err := f.Seek(0, 2); err != nil || end != res.Size {
			t.Errorf("state %d: the file has %d bytes, %d were written (%v)", i, end, res.Size, err)
		}
		if dss, err := d.DSS(); err != nil || len(dss.OCSPs) != 2 || len(dss.CRLs) != 1 {
			t.Errorf("state %d: %+v, %v", i, dss, err)
		}
	}
}

// ADE-03: a document whose security store cannot be extended is refused before
// anybody is asked to sign it.
func TestADE03StoreOfTheUserIsTriedFirst(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, _, _ := longterm(t, a, "B-LTA", nil)
	for _, dss := range []string{"<</Certs[1 0 R]>>", "<</VRI 5>>", "7", "<</CRLs[(x)]>>"} {
		doc := bytes.Replace(minimalPDF(), []byte("/Type /Catalog /Pages 2 0 R"), []byte("/Type /Catalog /Pages 2 0 R /DSS "+dss), 1)
		in := workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf", Chain: e.Chain, Alg: algo.ES256}
		if _, err := e.Worker.Prepare(context.Background(), in, workertest.File(t, "out.pdf")); !errors.Is(err, workers.ErrInput) {
			t.Errorf("%s: %v", dss, err)
		}
		in.Level = "B-T"
		if _, err := e.Worker.Prepare(context.Background(), in, workertest.File(t, "out.pdf")); err != nil {
			t.Errorf("%s at B-T: %v", dss, err)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/assent-sign/assent/cmd/assent/internal/cheats"
	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap/device"
)

// longTermFile, longTermXML and detachedXML are those at B-LTA.
const (
	longTermFile = "contract-lta"
	longTermXML  = "invoice-lta"
	detachedXML  = "terms-lta"
)

// signedFiles are the demo's results and the module that signed each.
var signedFiles = []struct {
	name    string
	of      string // the document
	stamped bool
	key     string
}{
	{"contract-signed", "contract.pdf", true, "sam-key.pem"},
	{"contract-signed-bb", "contract.pdf", false, "sam-key.pem"},
	{"contract-signed-hsm", "contract.pdf", true, "sam-key-hsm.pem"},
	{"invoice-signed", "invoice.xml", true, "sam-key.pem"},
	{longTermFile, "contract.pdf", true, "sam-key.pem"},
	{longTermXML, "invoice.xml", true, "sam-key.pem"},
	{detachedXML, "terms.txt", true, "sam-key.pem"},
}

// receipts verifies each receipt against its file, and shows that the receipt of
// one file does not hold for another.
func (d *demo) receipts(ctx context.Context) (string, error) {
	for i, f := range signedFiles {
		file := signedName(f.name, f.of)
		if f.name == detachedXML {
			file = f.of // which its signature and its receipt are over
		}
		res, err := d.receipt(ctx, f.name, file, f.key)
		if err != nil {
			return "", err
		}
		d.rep.Prints = append(d.rep.Prints, prints{file, res.Approved, res.Signed, res.InFile})
		other := signedFiles[(i+1)%len(signedFiles)]
		if _, err := d.receipt(ctx, f.name, signedName(other.name, other.of), f.key); !errors.Is(err, proof.ErrFile) {
			return "", fmt.Errorf("the receipt of %s holds for %s: %w", f.name, other.name, err)
		}
	}
	return fmt.Sprintf("%d receipts; approved = signed = in the file", len(signedFiles)), nil
}

func (d *demo) receipt(ctx context.Context, receipt, file, keyFile string) (*proof.Result, error) {
	key, err := readSAMKey(d.path(keyFile))
	if err != nil {
		return nil, err
	}
	text, err := readBounded(d.path(receipt+".receipt.json"), proof.MaxReceipt)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(d.path(file))
	if err != nil {
		return nil, err
	}
	return proof.Verify(ctx, text, bytes.NewReader(b), int64(len(b)), key)
}

// auditChains reads both chains as auditor and verifies them.
func (d *demo) auditChains(ctx context.Context) (string, error) {
	note := ""
	for _, s := range []*system{d.soft, d.hsm} {
		end, err := s.verifyAudit(ctx)
		if err != nil {
			return "", err
		}
		d.rep.Chains = append(d.rep.Chains, end.String())
		note += fmt.Sprintf("%d records of %s; ", end.Seq+1, s.info.Audience)
	}
	return note[:len(note)-2], nil
}

func (s *system) verifyAudit(ctx context.Context) (audit.Checkpoint, error) {
	c, err := s.settings.auditor()
	if err != nil {
		return audit.Checkpoint{}, err
	}
	defer c.Close()
	return audit.Verify(c.Audit(ctx, 0))
}

// judge has programs of others, and our own verifier, judge every signed file.
func (d *demo) judge(ctx context.Context) bool {
	fmt.Fprintln(d.w, " judges:")
	if _, err := d.group.Find("pdfsignjudge"); err != nil {
		fmt.Fprintln(d.w, "     (pdfsign's verifier did not run: make judges builds it)")
	}
	held := true
	for _, f := range signedFiles {
		original, err := os.ReadFile(d.path(f.of))
		if err != nil {
			fmt.Fprintln(d.w, "    ", err)
			return false
		}
		name := signedName(f.name, f.of)
		ask := d.judgeFile
		if filepath.Ext(f.of) == ".xml" {
			ask = d.judgeXML
		}
		switch f.name {
		case longTermFile:
			ask = d.judgeLongTerm
		case longTermXML:
			ask = d.judgeLongTermXML
		case detachedXML:
			ask = d.judgeDetached
		}
		held = d.said(name, ask(ctx, name, f.stamped, original)) && held
	}
	for name, verdicts := range d.judgeExtended(ctx) {
		held = d.said(name, verdicts) && held
	}
	return held
}

// said prints what the judges said of a file.
func (d *demo) said(name string, verdicts []judge.Verdict) bool {
	held := len(verdicts) > 0
	for _, v := range verdicts {
		held = held && v.OK
		d.rep.Judges = append(d.rep.Judges, judged{name, v})
		fmt.Fprintf(d.w, "     %-24s %-28s %-7s %s\n", name, v.Judge, okWord(v.OK), clip(v.Words, 90))
	}
	return held
}

func (d *demo) judgeFile(ctx context.Context, name string, stamped bool, original []byte) []judge.Verdict {
	file, root := d.path(name), d.path("pki/root.pem")
	asks := []func() (judge.Verdict, error){
		func() (judge.Verdict, error) { return judge.PDFSig(ctx, file) },
		func() (judge.Verdict, error) { return judge.QPDF(ctx, file) },
		func() (judge.Verdict, error) { return judge.CMS(ctx, file, root) },
	}
	if stamped {
		asks = append(asks, func() (judge.Verdict, error) { return judge.TimeStamp(ctx, file, root) })
	}
	if program, err := d.group.Find("pdfsignjudge"); err == nil {
		asks = append(asks, func() (judge.Verdict, error) { return judge.PDFSign(ctx, program, file) })
	}
	asks = append(asks, func() (judge.Verdict, error) { return ownVerdict(ctx, file, root) },
		func() (judge.Verdict, error) { return prefixVerdict(file, original) })
	return askAll(asks)
}

// judgeLongTerm asks about the whole file, and asks those who know no more than
// signatures about the file as it was before validation data was added.
func (d *demo) judgeLongTerm(ctx context.Context, name string, _ bool, original []byte) []judge.Verdict {
	file, root := d.path(name), d.path("pki/root.pem")
	out := askAll([]func() (judge.Verdict, error){
		func() (judge.Verdict, error) { return judge.QPDF(ctx, file) },
		func() (judge.Verdict, error) { return judge.DocTimeStamp(ctx, file, root) },
		func() (judge.Verdict, error) { return longTermVerdict(ctx, file, root, 1) },
		func() (judge.Verdict, error) { return prefixVerdict(file, original) },
	})
	first, err := judge.FirstRevision(file)
	if err == nil {
		err = os.WriteFile(d.path("logs/"+name), first, 0o600)
	}
	if err != nil {
		return append(out, judge.Verdict{Judge: "first revision", Words: err.Error()})
	}
	before := d.path("logs/" + name)
	return append(out, askAll([]func() (judge.Verdict, error){
		func() (judge.Verdict, error) { return judge.PDFSig(ctx, before) },
		func() (judge.Verdict, error) { return judge.CMS(ctx, before, root) },
		func() (judge.Verdict, error) { return judge.TimeStamp(ctx, before, root) },
	})...)
}

// longTermVerdict is ours: the level, that nobody was revoked, off line, and so many document or archive time-stamps.
func longTermVerdict(ctx context.Context, file, root string, stamps int, beside ...validate.Detached) (judge.Verdict, error) {
	v := judge.Verdict{Judge: "assent verify", Version: version()}
	anchors, err := loadTrust([]string{root})
	if err != nil {
		return v, err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return v, err
	}
	rep, err := validate.File(ctx, filepath.Base(file), bytes.NewReader(b), int64(len(b)), validate.Options{Anchors: anchors, Detached: beside})
	if err != nil {
		return v, err
	}
	if len(rep.Signatures) == 1+stamps {
		s := rep.Signatures[0]
		// Of PDF the last time-stamp must be over the whole file; that of XML is over all of its signature.
		last := rep.Signatures[stamps].Whole || rep.Signatures[stamps].Kind == validate.ArchiveTimeStamp && (s.Whole || len(beside) > 0)
		v.OK = rep.Verdict == validate.Valid && s.Level == "B-LTA" && s.Revocation != "" && last
		v.Words = fmt.Sprintf("%s, %s; revocation: %s", rep.Verdict, s.Level, s.Revocation)
	}
	return v, nil
}

// judgeXML asks those who read XML. Whether the user's bytes are all there is looked at by
// taking the one signature out again.
func (d *demo) judgeXML(ctx context.Context, name string, _ bool, original []byte) []judge.Verdict {
	file, root := d.path(name), d.path("pki/root.pem")
	return askAll([]func() (judge.Verdict, error){
		func() (judge.Verdict, error) { return judge.XMLLint(ctx, file) },
		func() (judge.Verdict, error) { return judge.XMLSec(ctx, file, root) },
		func() (judge.Verdict, error) { return ownVerdict(ctx, file, root) },
		func() (judge.Verdict, error) { return aroundVerdict(file, original) },
	})
}

// judgeLongTermXML asks the same, and our own verifier about the level too: none of the others knows it.
func (d *demo) judgeLongTermXML(ctx context.Context, name string, _ bool, original []byte) []judge.Verdict {
	file, root := d.path(name), d.path("pki/root.pem")
	return askAll([]func() (judge.Verdict, error){
		func() (judge.Verdict, error) { return judge.XMLLint(ctx, file) },
		func() (judge.Verdict, error) { return judge.XMLSec(ctx, file, root) },
		func() (judge.Verdict, error) { return longTermVerdict(ctx, file, root, 1) },
		func() (judge.Verdict, error) { return aroundVerdict(file, original) },
	})
}

func askAll(asks []func() (judge.Verdict, error)) []judge.Verdict {
	var out []judge.Verdict
	for _, ask := range asks {
		v, err := ask()
		if err != nil {
			v.OK, v.Words = false, err.Error()
		}
		out = append(out, v)
	}
	return out
}

// ownVerdict is ours: it counts only beside those of others.
func ownVerdict(ctx context.Context, file, root string) (judge.Verdict, error) {
	v := judge.Verdict{Judge: "assent verify", Version: version()}
	anchors, err := loadTrust([]string{root})
	if err != nil {
		return v, err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return v, err
	}
	rep, err := validate.File(ctx, filepath.Base(file), bytes.NewReader(b), int64(len(b)), validate.Options{Anchors: anchors})
	if err != nil {
		return v, err
	}
	v.OK, v.Words = rep.Verdict == validate.Valid && len(rep.Signatures) == 1 && rep.Signatures[0].Whole, string(rep.Verdict)
	// A verifier that always agrees proves nothing: one changed byte must show.
	changed := bytes.Replace(b, []byte("240 euros"), []byte("999 euros"), 1)
	rep, err = validate.File(ctx, "changed", bytes.NewReader(changed), int64(len(changed)), validate.Options{Anchors: anchors})
	if err != nil || rep.Verdict != validate.NotValid {
		return v, fmt.Errorf("a changed file is %q: %w", rep.Verdict, err)
	}
	v.Words += ", whole file; with 240 changed to 999: not valid"
	return v, nil
}

// prefixVerdict: the user's bytes are untouched at the start of the signed file.
func prefixVerdict(file string, original []byte) (judge.Verdict, error) {
	b, err := os.ReadFile(file)
	return judge.Verdict{Judge: "original bytes are a prefix", OK: bytes.HasPrefix(b, original),
		Words: fmt.Sprintf("%d of %d bytes", len(original), len(b))}, err
}

// aroundVerdict: the user's bytes are untouched around the signature.
func aroundVerdict(file string, original []byte) (judge.Verdict, error) {
	b, err := os.ReadFile(file)
	v := judge.Verdict{Judge: "original bytes are around it"}
	head, rest, found := bytes.Cut(b, []byte("<ds:Signature "))
	_, tail, closed := bytes.Cut(rest, []byte("</ds:Signature>"))
	v.OK = found && closed && bytes.Equal(append(bytes.Clone(head), tail...), original)
	v.Words = fmt.Sprintf("%d of %d bytes", len(original), len(b))
	return v, err
}

// cheat plays a hostile ssad against the running modules.
func (d *demo) cheat(ctx context.Context) bool {
	fmt.Fprintln(d.w, " cheats of a hostile ssad, straight to samd with its certificate:")
	results, err := d.cheats(ctx)
	held := err == nil
	for _, r := range results {
		held = held && r.OK
		word := "refused"
		if !r.OK {
			word = "FAILED"
		}
		fmt.Fprintf(d.w, "     %-58s %-7s %-22s key uses %d\n", r.Name, word, r.Got, r.Uses)
		if !r.OK {
			fmt.Fprintf(d.w, "       wanted %s; %s\n", r.Want, clip(r.Detail, 200))
		}
	}
	if err != nil {
		fmt.Fprintln(d.w, "    ", err)
	}
	d.rep.Cheats = results
	for _, s := range []*system{d.soft, d.hsm} {
		end, err := s.verifyAudit(ctx)
		if err != nil {
			fmt.Fprintln(d.w, "     audit chain after the cheats:", err)
			held = false
		}
		d.rep.Chains = append(d.rep.Chains, end.String())
	}
	return held
}

func (d *demo) cheats(ctx context.Context) ([]cheats.Result, error) {
	lab, closeLab, err := d.lab(d.soft, d.anna, d.bob)
	if err != nil {
		return nil, err
	}
	defer closeLab()
	if err := lab.Prepare(ctx); err != nil {
		return nil, err
	}
	if err := lab.Retry(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintln(d.w, "     (no cheat: the same approval sent again gets the same answer, and no key is used again)")
	results, err := lab.RunAll(ctx, append(cheats.Roles(), cheats.Approvals()...))
	if err != nil {
		return results, err
	}
	hsmLab, closeHSM, err := d.lab(d.hsm, d.hsmA, d.hsmA)
	if err != nil {
		return results, err
	}
	defer closeHSM()
	if err := hsmLab.PrepareDocument(ctx); err != nil {
		return results, err
	}
	locked, err := cheats.Lockout(ctx, hsmLab, 5)
	return append(results, locked), err
}

// lab opens the attacker's and the officer's connections.
func (d *demo) lab(s *system, anna, bob signer) (*cheats.Lab, func(), error) {
	sspu, err := s.sspu()
	if err != nil {
		return nil, nil, err
	}
	officer, err := s.settings.officer()
	if err != nil {
		return nil, nil, err
	}
	ra, err := s.settings.registrar()
	if err != nil {
		return nil, nil, err
	}
	login, err := device.New(anna.person.Device.SAMKey, s.settings.AppOrigin, s.info.RPID)
	if err != nil {
		return nil, nil, err
	}
	party := func(p signer) cheats.Party {
		return cheats.Party{ID: p.cred.Signer, Key: p.cred.Key, Chain: p.cred.Chain, Device: p.person.Device}
	}
	l := &cheats.Lab{SSPU: sspu, Officer: officer, RA: ra, Anna: party(anna), Bob: party(bob), Login: login,
		AppOrigin: s.settings.AppOrigin, BriefPolicy: "brief", RawPolicy: "bulk"}
	return l, func() { sspu.Close(); officer.Close(); ra.Close() }, nil
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

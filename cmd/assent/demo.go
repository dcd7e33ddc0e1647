package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/person"
	"github.com/assent-sign/assent/cmd/assent/internal/procs"
	"github.com/assent-sign/assent/cmd/assent/internal/sample"
	"github.com/assent-sign/assent/cryptotoken/pkcs11/softhsm"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/demopki"
	"github.com/assent-sign/assent/sap/sapclient"
)

func demoCommand() *cobra.Command {
	var dir string
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Prove the whole path, unattended: sign, judge, try to cheat",
		Long: `Starts samd, sicd and ssad as processes on free loopback ports, with a self-made CA
and time-stamp authority. A SOFTWARE signer signs contract.pdf at B-T, B-B and B-LTA, invoice.xml
at B-T and B-LTA and terms.txt beside its signature at B-LTA with software keys; a PDF is extended and an
XML file renewed; contract.pdf is signed at B-T with keys behind PKCS #11 (SoftHSM2) in a second service.
Programs of others judge the results; then cheats of a hostile ssad are tried
against samd, and each must be refused with its own reason and no key use.

Everything is in DIR, made anew on each run; DIR/report.html shows it all.
` + exitCodes,
		Example: "  assent demo\n  assent demo --dir /tmp/assent-demo",
		Args:    cobra.NoArgs,
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), dir, keep)
		}),
	}
	cmd.Flags().StringVar(&dir, "dir", "var/demo", "where everything is written")
	cmd.Flags().BoolVar(&keep, "keep-services", false, "keep the processes until Ctrl-C, to look around")
	return cmd
}

// The demo's people.
const (
	annaID, annaName = "anna@demo", "Anna Demo"
	bobID, bobName   = "bob@demo", "Bob Demo"
)

// demo is one run.
type demo struct {
	w     io.Writer
	dir   string
	group *procs.Group
	ca    *certs.DemoCA
	told  *http.Server // where the CA answers
	soft  *system
	hsm   *system
	anna  signer
	bob   signer
	hsmA  signer
	rep   report
	of    int
}

// signer is a software signer with an active key.
type signer struct {
	person *person.Person
	cred   *sapclient.Credential
}

// errStep: a step failed; what it was has been printed.
var errStep = errors.New("the demo did not hold")

func runDemo(ctx context.Context, w io.Writer, dir string, keep bool) (err error) {
	if err := demoPrerequisites(); err != nil {
		return err
	}
	d := &demo{w: w}
	if d.dir, err = freshDir(dir); err != nil {
		return err
	}
	if d.group, err = procs.New(filepath.Join(d.dir, "logs")); err != nil {
		return err
	}
	if _, err := d.group.Find("samd"); err != nil {
		return missing("%w", err)
	}
	d.rep.Started = time.Now().UTC()
	held := d.steps(ctx)
	if held && keep {
		fmt.Fprintf(w, " services stay: %s and %s; Ctrl-C ends them\n", d.soft.settings.AppOrigin, d.soft.settings.SigningOrigin)
		<-ctx.Done()
	}
	if d.told != nil {
		_ = d.told.Close()
	}
	if err := d.group.StopAll(); err != nil {
		held = false
		fmt.Fprintln(w, " services did not end in order:", err)
	}
	d.rep.Held, d.rep.Took = held, time.Since(d.rep.Started)
	if err := d.rep.write(d.dir); err != nil {
		return err
	}
	d.last(held)
	if !held {
		return &exitError{exitFailed, errStep}
	}
	return nil
}

// demoPrerequisites are the programs of others. The Makefile installs them.
func demoPrerequisites() error {
	var lack []string
	for _, p := range []struct{ program, pkg string }{
		{"softhsm2-util", "softhsm2"}, {"pdfsig", "poppler-utils"}, {"qpdf", "qpdf"}, {"openssl", "openssl"},
	} {
		if _, err := exec.LookPath(p.program); err != nil {
			lack = append(lack, p.pkg)
		}
	}
	if _, err := softhsm.Module(); err != nil && len(lack) == 0 {
		lack = append(lack, "softhsm2")
	}
	if len(lack) == 0 {
		return nil
	}
	names := ""
	for _, l := range lack {
		names += " " + l
	}
	return missing("Debian packages are missing; install them with:\n    sudo apt-get install -y --no-install-recommends%s", names)
}

// marker is in every folder that the demo may delete.
const marker = ".assent-demo"

// freshDir empties a folder that an earlier demo made, and no other.
func freshDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, marker)); err != nil {
			return "", missing("%s is not empty and no earlier demo made it: give another --dir", dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, marker), []byte("made by assent demo; the next run deletes this folder\n"), 0o600)
}

// steps runs everything and says whether all of it held.
func (d *demo) steps(ctx context.Context) bool {
	list := []struct {
		name string
		run  func(context.Context) (string, error)
	}{
		{"root and issuing CA, documents", d.makePKI},
		{"samd, sicd, ssad with software keys", d.startSoft},
		{"enrol " + annaID + ": SOFTWARE SIGNER", d.enrol},
		{"sign contract.pdf: PAdES B-T", d.signBT},
		{"sign contract.pdf: PAdES B-B", d.signBB},
		{"sign invoice.xml: XAdES B-T", d.signXML},
		{"sign contract.pdf: PAdES B-LTA", d.signLTA},
		{"sign invoice.xml: XAdES B-LTA", d.signXMLLTA},
		{"sign terms.txt: detached XAdES B-LTA", d.signDetached},
		{"extend a PDF, renew invoice-lta.xml", d.extend},
		{"a second samd with PKCS #11 (SoftHSM2)", d.startHSM},
		{"sign contract.pdf with it: PAdES B-T", d.signHSM},
		{"receipts verify off line", d.receipts},
		{"audit chains verify", d.auditChains},
	}
	d.of = len(list)
	for i, s := range list {
		begin := time.Now()
		note, err := s.run(ctx)
		took := time.Since(begin)
		d.rep.Steps = append(d.rep.Steps, step{N: i + 1, Name: s.name, OK: err == nil, Took: took, Note: note})
		fmt.Fprintf(d.w, " %2d/%d %-42s %-7s %6.1f s   %s\n", i+1, d.of, s.name, okWord(err == nil), took.Seconds(), note)
		if err != nil {
			d.rep.Steps[i].Note = err.Error()
			fmt.Fprintf(d.w, "     %v\n", err)
			return false
		}
	}
	judged := d.judge(ctx)
	cheated := d.cheat(ctx)
	return judged && cheated
}

func okWord(ok bool) string {
	if ok {
		return "ok"
	}
	return "FAILED"
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

func (d *demo) makePKI(context.Context) (string, error) {
	// The CA says what it revoked: by OCSP and lists, as B-LTA needs.
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return "", err
	}
	ca, err := certs.NewDemoCA(certs.DemoConfig{Base: "http://" + l.Addr().String()})
	if err != nil {
		return "", errors.Join(err, l.Close())
	}
	d.ca = ca
	if err := ca.Save(d.path("pki")); err != nil {
		return "", errors.Join(err, l.Close())
	}
	authority, err := demopki.New(ca, demopki.Config{Path: d.path("pki/status")})
	if err != nil {
		return "", errors.Join(err, l.Close())
	}
	d.told = &http.Server{Handler: authority.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = d.told.Serve(l) }()
	return rel(d.path("pki/root.pem")) + " (DEMO certificates, trusted by nobody)", errors.Join(
		os.WriteFile(d.path("contract.pdf"), sample.Contract(), 0o644), os.WriteFile(d.path("invoice.xml"), sample.Invoice(), 0o644),
		os.WriteFile(d.path("terms.txt"), sample.Terms(), 0o644))
}

func (d *demo) startSoft(ctx context.Context) (string, error) {
	o, err := demoOptions(d.path("soft"), "none", "demo", d.ca)
	if err != nil {
		return "", err
	}
	// The cheats fail on purpose, many times in a row, and each is to show its own
	// reason: the lockout, which the second service keeps, would hide it.
	o.RawPolicy, o.LockoutLimit, o.LongTerm = true, 1000, d.path("pki/root.pem")
	if d.soft, err = startSystem(ctx, d.group, "soft", o); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %s", d.soft.settings.AppOrigin, d.soft.settings.SigningOrigin), copyFile(d.soft.made.SamKeyFile, d.path("sam-key.pem"))
}

func (d *demo) enrol(ctx context.Context) (string, error) {
	for _, s := range []struct {
		to       *signer
		id, name string
	}{{&d.anna, annaID, annaName}, {&d.bob, bobID, bobName}} {
		if err := d.soft.enrol(ctx, s.to, s.id, s.name, d.ca); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("key P-256, label %q: no claim is made", d.soft.info.Assurance), nil
}

func (s *system) enrol(ctx context.Context, to *signer, id, name string, ca *certs.DemoCA) error {
	var err error
	if to.person, err = s.addSigner(ctx, id, name); err != nil {
		return err
	}
	to.cred, err = s.addKey(ctx, id, name, ca)
	return err
}

func (d *demo) signBT(ctx context.Context) (string, error) {
	return d.sign(ctx, d.soft, d.anna, "B-T", "contract.pdf", "contract-signed")
}

func (d *demo) signBB(ctx context.Context) (string, error) {
	return d.sign(ctx, d.soft, d.anna, "B-B", "contract.pdf", "contract-signed-bb")
}

func (d *demo) signXML(ctx context.Context) (string, error) {
	return d.sign(ctx, d.soft, d.anna, "B-T", "invoice.xml", "invoice-signed")
}

func (d *demo) signLTA(ctx context.Context) (string, error) {
	return d.sign(ctx, d.soft, d.anna, "B-LTA", "contract.pdf", longTermFile)
}

func (d *demo) signXMLLTA(ctx context.Context) (string, error) {
	return d.sign(ctx, d.soft, d.anna, "B-LTA", "invoice.xml", longTermXML)
}

func (d *demo) signHSM(ctx context.Context) (string, error) {
	return d.sign(ctx, d.hsm, d.hsmA, "B-T", "contract.pdf", "contract-signed-hsm")
}

// sign has a signer sign a document over the native API and the signer's own
// HTTP interfaces, and records how often the module used a key.
func (d *demo) sign(ctx context.Context, s *system, by signer, level, in, name string) (string, error) {
	before, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	c, err := s.settings.client()
	if err != nil {
		return "", err
	}
	j := &signing{in: []string{d.path(in)}, out: d.path(signedName(name, in)), packaging: packaging(in), receipt: d.path(name + ".receipt.json"),
		signer: by.cred.Signer, level: level, purpose: "lease of a garden shed", wait: time.Minute}
	op, err := s.settings.ask(ctx, c, j)
	if err != nil {
		return "", err
	}
	begin := time.Now()
	if _, err := by.person.Approve(ctx, op.ApprovalURL); err != nil {
		return "", err
	}
	approved := time.Since(begin)
	if _, err := c.Wait(ctx, op.ID); err != nil {
		return "", err
	}
	if err := errors.Join(
		writeNew(j.out, func(w io.Writer) error { return c.Download(ctx, op.ID, w) }),
		writeNew(j.receipt, func(w io.Writer) error { return c.Receipt(ctx, op.ID, w) })); err != nil {
		return "", err
	}
	after, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	if n := after.SignerKeyUses - before.SignerKeyUses; n != 1 {
		return "", fmt.Errorf("signers' keys were used %d times for one signature", n)
	}
	return fmt.Sprintf("%s (open, approve, sign: %d ms)", rel(j.out), approved.Milliseconds()), nil
}

func (d *demo) startHSM(ctx context.Context) (string, error) {
	o, err := demoOptions(d.path("hsm"), "softhsm", "demo-hsm", d.ca)
	if err != nil {
		return "", err
	}
	if d.hsm, err = startSystem(ctx, d.group, "hsm", o); err != nil {
		return "", err
	}
	if err := d.hsm.enrol(ctx, &d.hsmA, annaID, annaName, d.ca); err != nil {
		return "", err
	}
	st, err := d.hsm.status(ctx)
	if err != nil {
		return "", err
	}
	return st.Token, copyFile(d.hsm.made.SamKeyFile, d.path("sam-key-hsm.pem"))
}

// last prints what there is to look at.
func (d *demo) last(held bool) {
	word := "everything held"
	if !held {
		word = "NOT everything held"
	}
	fmt.Fprintf(d.w, " %s, %.1f s; look: %s\n", word, d.rep.Took.Seconds(), rel(d.path("report.html")))
}

// rel shortens a path below the working directory.
func rel(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if r, err := filepath.Rel(wd, path); err == nil && len(r) < len(path) && !bytes.HasPrefix([]byte(r), []byte("..")) {
		return r
	}
	return path
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/native"
	"github.com/assent-sign/assent/cmd/assent/internal/person"
	"github.com/assent-sign/assent/internal/config"
	"github.com/assent-sign/assent/internal/newfile"
	"github.com/assent-sign/assent/sap"
)

// signing is what assent sign was asked for.
type signing struct {
	in                 []string
	out, receipt       string
	signer, key, level string
	worker, purpose    string
	packaging          string
	ids                []string
	approve            bool
	wait               time.Duration
}

func signCommand() *cobra.Command {
	j := signing{}
	cmd := &cobra.Command{
		Use:   "sign FILE... -o OUT --signer ID",
		Short: "Have a signer sign a PDF or XML file: print the approval link, wait, fetch",
		Long: `Uploads the file, asks the signer, prints the approval link, waits until they have
decided, and writes the signed file. The link is for the signer: it asks for their
login and then for their approval. A PDF gets a PAdES signature, a file whose name
ends in .xml an XAdES signature in it, over the whole document. With --packaging
detached the result is an XAdES signature beside the file, a text or a PDF, over its bytes, which it
names; of several files it is one signature over all of them, and each is shown to the signer;
with --packaging enveloping it is an XAdES signature with the file inside, as XML if its
name ends in .xml, else in base64; with --packaging internally-detached it is put into the XML
file and is over those of its elements that --id names, and over nothing else of it.

--demo-approve lets the demo's software signer approve (assent signer add
--software), so that scripts can sign. It exists in the demo and development
profiles only.

What the signer declined, what is refused, too large or too much now, and a service that
is not up end with 1; with 2 what has to be mended first: a worker, signer, address,
certificate or secret that is wrong.
` + exitCodes,
		Example: `  assent sign contract.pdf -o contract-signed.pdf --signer anna --level B-T
  assent sign invoice.xml -o invoice-signed.xml --signer anna
  assent sign terms.txt -o terms.txt.xades --signer anna --packaging detached
  assent sign offer.pdf terms.txt prices.csv -o offer.xades --signer anna --packaging detached
  assent sign photo.jpg -o photo.jpg.xades --signer anna --packaging enveloping
  assent sign contract.pdf -o contract-signed.pdf --signer robot --demo-approve`,
		Args: cobra.RangeArgs(1, sap.MaxObjects),
	}
	load := dirFlag(cmd)
	f := cmd.Flags()
	f.StringVarP(&j.out, "output", "o", "", "file for the signed document; must not exist")
	f.StringVar(&j.receipt, "receipt", "", "file for the receipt (JSON)")
	f.StringVar(&j.signer, "signer", "", "signer id")
	f.StringVar(&j.key, "key", "", "key id, if the signer has several")
	f.StringVar(&j.level, "level", "B-B", "level: B-B, B-T, B-LT or B-LTA")
	f.StringVar(&j.packaging, "packaging", "enveloped", "of XML signatures: enveloped, in the document; enveloping, with any file inside; detached, a file of its own over the bytes of texts and PDFs; or internally-detached, in the document over some of its elements")
	f.StringArrayVar(&j.ids, "id", nil, "with --packaging internally-detached: identifier of an element that is signed (repeatable)")
	f.StringVar(&j.worker, "worker", "", "worker that makes the signature; default: pades or xades by the file's name for B-B, pades-t or xades-t for B-T, pades-lta or xades-lta for B-LT and B-LTA; xades-detached with --packaging detached; xades-enveloping, or for files that are no XML xades-enveloping-base64, with --packaging enveloping; xades-internally-detached with that")
	f.StringVar(&j.purpose, "purpose", "signature of a document", "shown to the signer and approved by them")
	f.BoolVar(&j.approve, "demo-approve", false, "let the demo's software signer approve")
	f.DurationVar(&j.wait, "wait", time.Hour, "how long to wait for the signer")
	_ = cmd.MarkFlagRequired("signer")
	_ = cmd.MarkFlagRequired("output")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		j.in = args
		err = s.sign(cmd.Context(), cmd.OutOrStdout(), &j)
		if e := (*native.Error)(nil); errors.As(err, &e) && e.Mend {
			return &exitError{exitUsage, err}
		}
		return err
	})
	return cmd
}

// client is this program as an integrator.
func (s *settings) client() (*native.Client, error) {
	secret, err := config.ReadSecret(s.path(s.Client.Secret))
	if err != nil {
		return nil, err
	}
	defer secret.Wipe()
	return native.New(s.AppOrigin, s.Client.ID, string(secret.Reveal())), nil
}

func (s *settings) sign(ctx context.Context, w io.Writer, j *signing) error {
	var p *person.Person
	if j.approve {
		var err error
		if p, err = s.softwareSigner(j.signer); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(j.out); err == nil {
		return missing("%s exists already", j.out)
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, j.wait)
	defer cancel()
	op, err := s.ask(ctx, c, j)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "request %s: approve at %s\n", op.ID, op.ApprovalURL)
	if p != nil {
		fmt.Fprintf(w, "SOFTWARE SIGNER %s approves: nobody looked at the document\n", j.signer)
		// The authenticators' counters have moved even when the approval failed.
		_, err := p.Approve(ctx, op.ApprovalURL)
		if err := errors.Join(err, p.Save(s.personFile(j.signer))); err != nil {
			return err
		}
	}
	if _, err := c.Wait(ctx, op.ID); err != nil {
		return err
	}
	if err := writeNew(j.out, func(w io.Writer) error { return c.Download(ctx, op.ID, w) }); err != nil {
		return err
	}
	if j.receipt != "" {
		if err := writeNew(j.receipt, func(w io.Writer) error { return c.Receipt(ctx, op.ID, w) }); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "signed: %s\n", j.out)
	return err
}

// ask uploads the documents and creates the request.
func (s *settings) ask(ctx context.Context, c *native.Client, j *signing) (*native.Operation, error) {
	worker, err := j.maker()
	if err != nil {
		return nil, err
	}
	n := native.NewOperation{Signer: j.signer, Key: j.key, Level: j.level, Purpose: j.purpose, Worker: worker, Lifetime: j.wait}
	for _, path := range j.in {
		f, size, err := openFile(path)
		if err != nil {
			return nil, err
		}
		doc, err := c.Upload(ctx, filepath.Base(path), f, size)
		_ = f.Close()
		if err != nil {
			return nil, err
		}
		n.Documents = append(n.Documents, doc)
	}
	if len(j.ids) > 0 {
		n.Params = map[string]string{"reference_ids": strings.Join(j.ids, ",")}
	}
	return c.Create(ctx, n)
}

const internally = "internally-detached"

// maker names the worker that makes what was asked for.
func (j *signing) maker() (string, error) {
	xml := strings.EqualFold(filepath.Ext(j.in[0]), ".xml")
	switch {
	case len(j.in) > 1 && j.packaging != "detached":
		return "", missing("one signature over %d files stands beside them: --packaging detached; else sign one file at a time", len(j.in))
	case !slices.Contains([]string{"", "enveloped", "enveloping", "detached", internally}, j.packaging):
		return "", missing("packaging %q: want enveloped, enveloping, detached or %s", j.packaging, internally)
	case (j.packaging == internally) != (len(j.ids) > 0):
		return "", missing("--id names the elements of a signature with --packaging %s, and belongs to it", internally)
	case j.worker != "":
		return j.worker, nil
	case j.packaging == "detached", j.packaging == internally:
		return "xades-" + j.packaging, nil
	case j.packaging == "enveloping" && xml:
		return "xades-enveloping", nil
	case j.packaging == "enveloping":
		return "xades-enveloping-base64", nil
	}
	kind := "pades"
	if xml {
		kind = "xades"
	}
	worker := map[string]string{"B-B": kind, "B-T": kind + "-t", "B-LT": kind + "-lta", "B-LTA": kind + "-lta"}[j.level]
	if worker == "" {
		return "", missing("level %q: want B-B, B-T, B-LT or B-LTA, or name a worker", j.level)
	}
	return worker, nil
}

// softwareSigner loads a software signer of the demo.
func (s *settings) softwareSigner(id string) (*person.Person, error) {
	if s.DemoSigners == "" {
		return nil, missing("--demo-approve: only the demo and development profiles have software signers")
	}
	p, err := person.Load(s.personFile(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, missing("no software signer %q here: assent signer add %s --name NAME --software", id, id)
	}
	return p, err
}

// writeNew writes a file that does not exist yet, whole or not at all.
func writeNew(path string, fill func(io.Writer) error) error {
	return newfile.Write(path, func(f *os.File) error { return fill(f) })
}

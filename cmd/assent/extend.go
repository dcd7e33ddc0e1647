package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/newfile"
	"github.com/assent-sign/assent/internal/revocation"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
)

// extension is what the command line says.
type extension struct {
	in, out, level, password      string
	anchors, intermediates        []string
	tsas, tsaAnchors              []string
	detached, signatures, parts   []string
	freshness, nonce, digest      string
	revocationHosts, revocationIP []string
	fetch                         bool
}

func extendCommand() *cobra.Command {
	x := extension{}
	var format string
	cmd := &cobra.Command{
		Use:   "extend FILE -o OUT --level LEVEL --anchor ROOT.PEM --tsa URL",
		Short: "Raise the level of a signed PDF or XML file, of ours or of others, or renew its last time-stamp",
		Long: `Adds to a signed file what lets it be verified for longer, without its signers: a
time-stamp over each signature (B-T), the certificates and answers about revocation
(B-LT), a document or archive time-stamp over all of it (B-LTA). At B-LTA the last of those
is renewed: what is known of its authority is added, and a new one over that, which can
be by a stronger digest (--digest) before the one of the last is broken.

The file must be valid against the given anchors first, else it is refused. Of a PDF no byte
changes but the unused room of a signature that gets a time-stamp; where there is no such
room, or a later signature covers it, B-LTA proves the time by a document time-stamp.
A PDF signature of the kind adbe.pkcs7.detached gets the same, and becomes no PAdES by it. Of an
XML document no byte changes but that unsigned properties of its XAdES signatures are added;
all signatures are extended, or none, or those of --signature.
Certificates that paths lack come from --intermediates and from the file; with --fetch they are
also fetched from where certificates say that they are, by the same rules of hosts and
addresses as answers about revocation.
Time-stamp authorities are tried in the order given. What cannot be had is an error, and
then no file is written.
` + exitCodes,
		Example: `  assent extend signed.pdf -o signed-lta.pdf --level B-LTA --anchor root.pem --tsa http://tsa.example/tsa
  assent extend signed-lta.pdf -o renewed.pdf --level B-LTA --anchor root.pem --tsa http://tsa.example/tsa
  assent extend terms.txt.xades -o terms-lta.xades --detached terms.txt --anchor root.pem --tsa http://tsa.example/tsa`,
		Args: cobra.ExactArgs(1),
		RunE: action(func(cmd *cobra.Command, args []string) error {
			x.in = args[0]
			res, err := x.run(cmd)
			if err != nil {
				return err
			}
			return output(cmd.OutOrStdout(), format, res, func(w io.Writer) error {
				for _, a := range res.Added {
					fmt.Fprintln(w, "added:", a)
				}
				for _, n := range res.Notes {
					fmt.Fprintln(w, "note:", n)
				}
				_, err := fmt.Fprintf(w, "written: %s (%d bytes), %s %s\n", x.out, res.Size, res.Report.Verdict, res.Report.Words())
				return err
			})
		}),
	}
	f := cmd.Flags()
	f.StringVarP(&x.out, "out", "o", "", "the file to write; it must not exist")
	f.StringVar(&x.level, "level", "B-LTA", "B-T, B-LT or B-LTA (or T, LT, LTA)")
	f.StringArrayVar(&x.anchors, "anchor", nil, "PEM file with certificates to trust; may be given again")
	f.StringArrayVar(&x.intermediates, "intermediates", nil, "PEM file with further certificates of paths")
	f.StringArrayVar(&x.tsas, "tsa", nil, "http(s) address of a time-stamp authority; may be given again")
	f.StringArrayVar(&x.tsaAnchors, "tsa-anchor", nil, "PEM file with anchors of the authorities, which vouch for no signer; default those of --anchor")
	f.StringArrayVar(&x.detached, "detached", nil, "file that an XML signature names and that stands beside it; may be given again")
	f.StringArrayVar(&x.parts, "part", nil, "identifier of an element of XML that you go by, for signatures that leave out the rest; may be given again")
	f.StringArrayVar(&x.signatures, "signature", nil, "identifier of a signature of an XML document to extend, for all of them; may be given again")
	f.StringVar(&x.digest, "digest", "sha256", "digest of new time-stamps: sha256, sha384 or sha512")
	f.StringVar(&x.freshness, "revocation-freshness", "after_signature", "after_signature, or current for authorities that only publish lists")
	f.StringVar(&x.nonce, "ocsp-nonce", "if_answered", "required or if_answered")
	f.StringSliceVar(&x.revocationHosts, "revocation-hosts", nil, "the only host names that may be asked about revocation, or for certificates")
	f.StringSliceVar(&x.revocationIP, "revocation-addresses", nil, "networks that may be asked besides public ones")
	f.BoolVar(&x.fetch, "fetch", false, "fetch certificates of authorities that a path lacks from where certificates say that they are (caIssuers)")
	f.StringVar(&x.password, "password-file", "", passwordUsage)
	f.StringVar(&format, "format", "text", "text or json")
	return cmd
}

func (x *extension) run(cmd *cobra.Command) (*extend.Result, error) {
	if x.out == "" {
		return nil, missing("-o OUT: which file to write")
	}
	cfg, err := x.config(func(err error) { fmt.Fprintln(cmd.ErrOrStderr(), "time-stamp authority failed:", err) })
	if err != nil {
		return nil, err
	}
	if cfg.Password, err = loadPassword(x.password); err != nil {
		return nil, err
	}
	level := x.level
	if !strings.HasPrefix(level, "B-") {
		level = "B-" + level
	}
	f, size, err := openFile(x.in)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	how := extend.PDF
	switch xml := validate.IsXML(f); {
	case xml:
		how = extend.XML
	case len(x.detached)+len(x.signatures)+len(x.parts) > 0:
		return nil, missing("--detached, --part and --signature are for XML; %s is none", x.in)
	}
	files, shut, err := openDetached(x.detached)
	defer shut()
	if err != nil {
		return nil, err
	}
	cfg.Signatures, cfg.Parts, cfg.Detached = x.signatures, x.parts, files
	var res *extend.Result
	err = newfile.Write(x.out, func(out *os.File) (err error) {
		res, err = how(cmd.Context(), filepath.Base(x.in), f, size, out, extend.Level(level), cfg)
		return err
	})
	switch {
	case errors.Is(err, extend.ErrNotValid):
		return nil, &exitError{exitNotValid, err}
	case errors.Is(err, extend.ErrLevel), errors.Is(err, extend.ErrChoice):
		return nil, &exitError{exitUsage, err}
	case errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("%s is there already, and stays as it is; name another file: %w", x.out, err)
	case err != nil:
		return nil, err
	}
	return res, nil
}

func (x *extension) config(failed func(error)) (extend.Config, error) {
	anchors, err := loadTrust(x.anchors)
	if err != nil {
		return extend.Config{}, err
	}
	stampers := anchors
	if len(x.tsaAnchors) > 0 {
		if stampers, err = loadTrust(x.tsaAnchors); err != nil {
			return extend.Config{}, err
		}
	}
	pool, err := loadTrust(x.intermediates)
	if err != nil {
		return extend.Config{}, err
	}
	if len(anchors) == 0 || len(x.tsas) == 0 {
		return extend.Config{}, missing("--anchor and --tsa: whom to trust and who tells the time")
	}
	hash, err := algo.ParseHash(x.digest)
	if err != nil {
		return extend.Config{}, missing("--digest %q: want sha256, sha384 or sha512", x.digest)
	}
	list := &tsp.Clients{OnFailure: failed}
	for _, url := range x.tsas {
		list.List = append(list.List, &tsp.Client{URL: url, Anchors: stampers, Pool: pool})
	}
	all := append(append([]*x509.Certificate{}, anchors...), stampers...)
	collect, err := x.collector(all, pool)
	return extend.Config{Anchors: anchors, StampAnchors: stampers, Pool: pool, Stamper: list, Collector: collect, Current: x.freshness == "current", Hash: hash}, err
}

func (x *extension) collector(anchors, pool []*x509.Certificate) (*longterm.Collector, error) {
	if x.freshness != "after_signature" && x.freshness != "current" {
		return nil, missing("--revocation-freshness %q: want after_signature or current", x.freshness)
	}
	nonce, ok := map[string]revocation.NonceRule{"required": revocation.NonceRequired, "if_answered": revocation.NonceIfAnswered}[x.nonce]
	if !ok {
		return nil, missing("--ocsp-nonce %q: want required or if_answered", x.nonce)
	}
	guard := revocation.Guard{}
	for _, h := range x.revocationHosts {
		guard.Hosts = append(guard.Hosts, strings.ToLower(h))
	}
	for _, s := range x.revocationIP {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, missing("--revocation-addresses: %v", err)
		}
		guard.Addresses = append(guard.Addresses, prefix)
	}
	fetcher := &revocation.Fetcher{Guard: guard, Nonce: nonce}
	cfg := longterm.Config{Anchors: raw(anchors), Pool: raw(pool), Now: time.Now, Fetcher: fetcher, Fresh: fetcher, Past: true}
	if x.fetch {
		cfg.Issuers = &revocation.Issuers{Fetcher: fetcher}
	}
	return longterm.New(cfg)
}

func raw(list []*x509.Certificate) (out [][]byte) {
	for _, c := range list {
		out = append(out, c.Raw)
	}
	return out
}

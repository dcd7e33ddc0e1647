package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/secret"
	"github.com/assent-sign/assent/internal/sigpolicy"
	"github.com/assent-sign/assent/internal/validate"
)

func verifyCommand() *cobra.Command {
	var trust, detached, parts, policies []string
	var format, revocation, level, password string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Judge the signatures of a PDF or XML file by EN 319 102-1 and in plain words",
		Long: `Says for each signature who made it, when and how that is known, how much of the
file it covers (of XML: which nodes), whether its chain ends at a certificate you trust, what its
time-stamps say, and what was changed afterwards. Nothing is fetched from the
net: whether a certificate was revoked is judged by what the file carries (B-LT, B-LTA).

Beside the plain words stand those of EN 319 102-1: TOTAL-PASSED, TOTAL-FAILED or INDETERMINATE
with the sub-indication. A file is valid if and only if it is TOTAL-PASSED; "not valid" is also said
where the standard only says INDETERMINATE, because nothing shows that a signature is older than
what speaks against it. With --revocation required a signature passes only if the file tells that no
certificate was revoked (else TRY_LATER). A signature policy that a signature names is shown;
with --policy its document must be among the given ones, by the digest that was signed (else
SIGNATURE_POLICY_NOT_AVAILABLE, or POLICY_PROCESSING_ERROR if what was given for it is another; an
implied policy names no document, and is reported as not checked);
whether the signature obeys its rules is for who reads them. -o json follows the schema ` + validate.Schema + `;
-o html is one page without scripts that draws what each signature covers. A file that takes longer
than --timeout to judge is not decided (INDETERMINATE): some are made to keep who judges them busy.
` + exitCodes,
		Example: `  assent verify contract-signed.pdf --trust root.pem
  assent verify contract-signed.pdf --trust root.pem -o json
  assent verify invoice.xml.xades --detached invoice.xml --trust root.pem
  assent verify order-signed.xml --part head --part line-2 --trust root.pem
  assent verify order-signed.xml --policy urn:oid:1.2.3.4=rules.pdf --trust root.pem
  assent verify contract-signed.pdf --trust root.pem --format html > report.html`,
		Args: cobra.ExactArgs(1),
		RunE: action(func(cmd *cobra.Command, args []string) error {
			anchors, err := loadTrust(trust)
			if err != nil {
				return err
			}
			opt := validate.Options{Anchors: anchors, Revocation: validate.Revocation(revocation), Level: level, Parts: parts}
			if opt.Password, err = loadPassword(password); err != nil {
				return err
			}
			if opt.Policies, err = sigpolicy.Load(policies); err != nil {
				return &exitError{exitUsage, fmt.Errorf("--policy: %w", err)}
			}
			if opt.Patience = timeout; timeout < 0 {
				return missing("--timeout %s: want a time that is not negative", timeout)
			}
			if err := opt.Check(); err != nil {
				return &exitError{exitUsage, err}
			}
			files, shut, err := openDetached(detached)
			defer shut()
			if err != nil {
				return err
			}
			opt.Detached = files
			rep, err := verifyFile(cmd, args[0], opt)
			if err != nil {
				return err
			}
			if err := printReport(cmd.OutOrStdout(), format, rep); err != nil {
				return err
			}
			if rep.Verdict != validate.Valid {
				return &exitError{exitNotValid, nil}
			}
			return nil
		}),
	}
	cmd.Flags().StringArrayVar(&trust, "trust", nil, "PEM file with certificates to trust; may be given again")
	cmd.Flags().StringArrayVar(&detached, "detached", nil, "file that an XML signature names and that stands beside it; may be given again")
	cmd.Flags().StringVar(&password, "password-file", "", passwordUsage)
	cmd.Flags().StringArrayVar(&parts, "part", nil, "identifier of an element of XML that you go by: a signature over it passes though it leaves out the rest; may be given again")
	cmd.Flags().StringArrayVar(&policies, "policy", nil, "[ID=]FILE: document of a signature policy, which ID (its OID or URI) says that it is of; may be given again")
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text, json or html")
	cmd.Flags().StringVar(&format, "format", "text", "the same as --output")
	cmd.Flags().StringVar(&revocation, "revocation", string(validate.RevocationIfCarried), "if_carried or required")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "how long judging may take, as 30s; 0 is 10s and 1s more for each 64 MiB of the files")
	cmd.Flags().StringVar(&level, "level", "", "the lowest level that passes: B-B, B-T, B-LT or B-LTA")
	return cmd
}

const (
	passwordUsage = "file with the password of an encrypted PDF that needs one; a line end behind it does not count"
	maxPassword   = 4096 // bytes of the file
)

func loadPassword(path string) (secret.Bytes, error) {
	if path == "" {
		return secret.Bytes{}, nil
	}
	b, err := readBounded(path, maxPassword)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("--password-file: %w", err)
	}
	return secret.New(bytes.TrimRight(b, "\r\n")), nil
}

func printReport(w io.Writer, format string, rep *validate.Report) error {
	if format == "html" {
		return rep.HTML(w)
	}
	return output(w, format, rep, rep.Print)
}

func verifyFile(cmd *cobra.Command, path string, opt validate.Options) (*validate.Report, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if opt.Patience == 0 {
		opt.Patience = patience(size, opt.Detached)
	}
	return validate.File(cmd.Context(), filepath.Base(path), f, size, opt)
}

// patience is how long judging files may take of which nobody said more: what honest ones of
// this size take, several times over, on a slow machine.
func patience(size int64, beside []validate.Detached) time.Duration {
	for _, f := range beside {
		size += f.Size
	}
	return 10*time.Second + time.Duration(size>>26)*time.Second
}

func loadTrust(paths []string) ([]*x509.Certificate, error) {
	var anchors []*x509.Certificate
	for _, p := range paths {
		c, err := certs.LoadPEM(p)
		if err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("--trust: %w", err)}
		}
		anchors = append(anchors, c...)
	}
	return anchors, nil
}

// openDetached opens the files that XML signatures name, by their names without folders. shut is to be called
// whatever the error.
func openDetached(paths []string) (files []validate.Detached, shut func(), err error) {
	var open []*os.File
	shut = func() {
		for _, f := range open {
			_ = f.Close()
		}
	}
	for _, path := range paths {
		f, size, err := openFile(path)
		if err != nil {
			return nil, shut, err
		}
		open = append(open, f)
		files = append(files, validate.Detached{Name: filepath.Base(path), ReaderAt: f, Size: size})
	}
	return files, shut, nil
}

// openFile opens a regular file; one that is not there is a usage error.
func openFile(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = &exitError{exitUsage, err}
		}
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		_ = f.Close()
		return nil, 0, errors.Join(err, missing("%s is not a regular file", path))
	}
	return f, st.Size(), nil
}

// readBounded reads a file that must not be larger than limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if size > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

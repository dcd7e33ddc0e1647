package judge

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
)

// ErrNoSignature means that there is no signature (or no time-stamp) to ask a judge about.
var ErrNoSignature = errors.New("judge: nothing of that kind in the file")

var byteRange = regexp.MustCompile(`/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]`)

// extracted is a PDF signature taken out by searching its text, on purpose not
// with our PDF reader: the judge shall see what any simple reader sees.
type extracted struct {
	content []byte // the signed bytes
	message []byte // CMS without padding
}

// extract takes the last signature of a file of ours.
func extract(file string) (*extracted, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all := byteRange.FindAllSubmatch(b, -1)
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no /ByteRange in %s", ErrNoSignature, file)
	}
	var r [4]int
	for i := range r {
		if r[i], err = strconv.Atoi(string(all[len(all)-1][i+1])); err != nil {
			return nil, fmt.Errorf("%w: /ByteRange of %s: %w", ErrNoSignature, file, err)
		}
	}
	if r[0] != 0 || r[1] < 1 || r[2] < r[1]+2 || r[2]+r[3] > len(b) {
		return nil, fmt.Errorf("%w: /ByteRange %v of %s", ErrNoSignature, r, file)
	}
	padded, err := hex.DecodeString(string(b[r[1]+1 : r[2]-1]))
	if err != nil {
		return nil, fmt.Errorf("%w: /Contents of %s: %w", ErrNoSignature, file, err)
	}
	_, der, err := cms.ParsePadded(padded)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	content := append(bytes.Clone(b[:r[1]]), b[r[2]:r[2]+r[3]]...)
	return &extracted{content, der}, nil
}

// CMS has openssl cms -verify check the last signature of a PDF against a root.
func CMS(ctx context.Context, file, root string) (Verdict, error) {
	t, err := Find(ctx, "openssl", "version")
	if err != nil {
		return Verdict{}, err
	}
	x, err := extract(file)
	if err != nil {
		return Verdict{}, err
	}
	dir, err := scratch(map[string][]byte{"content": x.content, "cms": x.message})
	if err != nil {
		return Verdict{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	start := time.Now()
	// -cades also demands that the signing-certificate attribute names the signer;
	// -purpose any: a signer's certificate is not one for e-mail.
	out, err := t.run(ctx, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "cms"),
		"-content", filepath.Join(dir, "content"), "-CAfile", root, "-purpose", "any", "-out", os.DevNull)
	return Verdict{"openssl cms -verify -cades", t.version, err == nil, lastLine(out), time.Since(start)}, nil
}

// TimeStamp has openssl ts -verify check the time-stamp over the last signature
// of a PDF against a root. ErrNoSignature when there is none.
func TimeStamp(ctx context.Context, file, root string) (Verdict, error) {
	t, err := Find(ctx, "openssl", "version")
	if err != nil {
		return Verdict{}, err
	}
	x, err := extract(file)
	if err != nil {
		return Verdict{}, err
	}
	token, value, chain, err := stampOf(x.message)
	if err != nil {
		return Verdict{}, fmt.Errorf("%s: %w", file, err)
	}
	dir, err := scratch(map[string][]byte{"token": token, "value": value, "chain.pem": chain})
	if err != nil {
		return Verdict{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	start := time.Now()
	out, err := t.run(ctx, "ts", "-verify", "-token_in", "-in", filepath.Join(dir, "token"), "-data", filepath.Join(dir, "value"),
		"-CAfile", root, "-untrusted", filepath.Join(dir, "chain.pem"))
	return Verdict{"openssl ts -verify", t.version, err == nil && strings.Contains(out, "Verification: OK"), lastLine(out), time.Since(start)}, nil
}

// DocTimeStamp has openssl ts -verify check the last signature of a PDF, which
// must be a document time-stamp, over the bytes of the file.
func DocTimeStamp(ctx context.Context, file, root string) (Verdict, error) {
	t, err := Find(ctx, "openssl", "version")
	if err != nil {
		return Verdict{}, err
	}
	x, err := extract(file)
	if err != nil {
		return Verdict{}, err
	}
	sd, err := cms.Parse(x.message)
	if err != nil {
		return Verdict{}, fmt.Errorf("%s: %w", file, err)
	}
	dir, err := scratch(map[string][]byte{"token": x.message, "content": x.content, "chain.pem": certs.EncodePEM(sd.RawCertificates...)})
	if err != nil {
		return Verdict{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	start := time.Now()
	out, err := t.run(ctx, "ts", "-verify", "-token_in", "-in", filepath.Join(dir, "token"), "-data", filepath.Join(dir, "content"),
		"-CAfile", root, "-untrusted", filepath.Join(dir, "chain.pem"))
	return Verdict{"openssl ts (document)", t.version, err == nil && strings.Contains(out, "Verification: OK"), lastLine(out), time.Since(start)}, nil
}

// FirstRevision returns a PDF of ours as it was when the first signature was made:
// what the long-term levels add stands behind it. It is a whole file for judges
// who know no more.
func FirstRevision(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m := byteRange.FindSubmatch(b)
	if m == nil {
		return nil, fmt.Errorf("%w: no /ByteRange in %s", ErrNoSignature, file)
	}
	from, err1 := strconv.Atoi(string(m[3]))
	n, err2 := strconv.Atoi(string(m[4]))
	if err := errors.Join(err1, err2); err != nil || from < 0 || n < 0 || from+n > len(b) {
		return nil, fmt.Errorf("%w: /ByteRange of %s", ErrNoSignature, file)
	}
	return b[:from+n], nil
}

// stampOf returns the only time-stamp token over a signature, the signature
// value and the certificates inside the token.
func stampOf(message []byte) (token, value, chain []byte, err error) {
	sd, err := cms.Parse(message)
	if err != nil {
		return nil, nil, nil, err
	}
	si, err := sd.Signer()
	if err != nil {
		return nil, nil, nil, err
	}
	tokens := si.TimeStampTokens()
	if len(tokens) != 1 {
		return nil, nil, nil, fmt.Errorf("%w: %d time-stamps", ErrNoSignature, len(tokens))
	}
	inner, err := cms.Parse(tokens[0])
	if err != nil {
		return nil, nil, nil, err
	}
	return tokens[0], si.Signature, certs.EncodePEM(inner.RawCertificates...), nil
}

func scratch(files map[string][]byte) (string, error) {
	dir, err := os.MkdirTemp("", "judge")
	if err != nil {
		return "", err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			_ = os.RemoveAll(dir)
			return "", err
		}
	}
	return dir, nil
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, l := range lines {
		if strings.Contains(l, "erification") || strings.Contains(l, "rror") {
			return strings.TrimSpace(l)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

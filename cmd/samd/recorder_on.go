//go:build failpoint

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
)

// recorder is the software token of crash tests: it writes down every use of a
// signer's key, outside what the module can change, in a file that is only ever
// appended to and whose lines are chained by hashes (docs/audit-format.md, 5).
// The line of a use is written before the key is used, so that a kill in between
// cannot hide it.
type recorder struct {
	*softtoken.Token
	mu   sync.Mutex
	file *os.File
	prev string
	n    int64
	call int64
}

type use struct {
	N    int64  `json:"n"`
	Time int64  `json:"t"`
	Ev   string `json:"ev"`
	Call int64  `json:"call"`
	Key  string `json:"key,omitempty"`
	Mech string `json:"mech,omitempty"`
	In   string `json:"in,omitempty"`
	Out  string `json:"out,omitempty"`
	Err  string `json:"err,omitempty"`
}

// recorded puts the recorder before the token when ASSENT_TOKEN_LOG names a file.
func recorded(t *softtoken.Token, err error) (cryptotoken.Token, error) {
	path := os.Getenv("ASSENT_TOKEN_LOG")
	if err != nil || path == "" {
		return t, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	r := &recorder{Token: t, file: f}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, sum, _ := bytes.Cut(lines.Bytes(), []byte{'\t'})
		r.prev = string(sum)
		r.n++
	}
	if err := errors.Join(lines.Err(), r.write(use{Ev: "start"})); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	r.call = r.n << 32 // unique over all starts
	return r, nil
}

func (r *recorder) write(list ...use) error {
	var out []byte
	for _, u := range list {
		u.N, u.Time = r.n, time.Now().UnixMicro()
		text, err := json.Marshal(u)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(append([]byte(r.prev), text...))
		r.prev = hex.EncodeToString(sum[:])
		r.n++
		out = fmt.Appendf(out, "%s\t%s\n", text, r.prev)
	}
	_, err := r.file.Write(out)
	return err
}

// SignWrapped implements cryptotoken.Wrapper.
func (r *recorder) SignWrapped(ctx context.Context, w cryptotoken.Wrapped, a algo.Algorithm, digests [][]byte) ([][]byte, error) {
	spki := sha256.Sum256(w.Public)
	list := make([]use, len(digests))
	b64 := base64.RawURLEncoding.EncodeToString
	for i, d := range digests {
		list[i] = use{Ev: "sign", Key: "spki:" + b64(spki[:]), Mech: a.String(), In: b64(d)}
	}
	r.mu.Lock()
	r.call++
	call := r.call
	for i := range list {
		list[i].Call = call
	}
	err := r.write(list...)
	r.mu.Unlock()
	if err != nil {
		return nil, cryptotoken.NotStarted(err)
	}
	sigs, err := r.Token.SignWrapped(ctx, w, a, digests)
	for i := range list {
		switch {
		case err == nil:
			out := sha256.Sum256(sigs[i])
			list[i].Ev, list[i].Out = "signed", b64(out[:])
		case errors.Is(err, cryptotoken.ErrNotStarted):
			list[i].Ev, list[i].Err = "unused", err.Error()
		default:
			list[i].Ev, list[i].Err = "failed", err.Error()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return sigs, errors.Join(err, r.write(list...))
}

// witness is a CA of crash tests: outside what the module can change, it writes
// down the key of every certification request before it answers.
type witness struct {
	sam.CertificateAuthority
	path string
}

// witnessed puts the witness before a CA when ASSENT_CA_LOG names a file.
func witnessed(ca sam.CertificateAuthority) sam.CertificateAuthority {
	if path := os.Getenv("ASSENT_CA_LOG"); path != "" {
		return witness{ca, path}
	}
	return ca
}

// Certify implements sam.CertificateAuthority.
func (w witness) Certify(ctx context.Context, csr []byte) ([][]byte, error) {
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	spki := sha256.Sum256(req.RawSubjectPublicKeyInfo)
	_, err = fmt.Fprintf(f, "spki:%s\n", base64.RawURLEncoding.EncodeToString(spki[:]))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return w.CertificateAuthority.Certify(ctx, csr)
}

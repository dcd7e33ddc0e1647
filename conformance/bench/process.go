package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/ceremony"
	"github.com/assent-sign/assent/internal/freeport"
	"github.com/assent-sign/assent/internal/mtls"
)

// clockTick is USER_HZ, 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// treeCPU is the CPU time of a process and its children so far.
func treeCPU(pid int) time.Duration {
	var total time.Duration
	dirs, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	for _, f := range dirs {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		own, parent, cpu := parseStat(string(text))
		if own == pid || parent == pid {
			total += cpu
		}
	}
	return total
}

// parseStat reads pid, parent and CPU time (proc(5), fields 1, 4, 14, 15).
func parseStat(s string) (pid, parent int, cpu time.Duration) {
	pid, _ = strconv.Atoi(s[:max(strings.IndexByte(s, ' '), 0)])
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 13 {
		return 0, 0, 0
	}
	parent, _ = strconv.Atoi(f[1])
	u, _ := strconv.Atoi(f[11])
	k, _ := strconv.Atoi(f[12])
	return pid, parent, time.Duration(u+k) * clockTick
}

func freeAddress() (string, error) {
	ports, err := freeport.Find(1)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), nil
}

// callers is a throw-away CA for samd's callers.
type callers struct {
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	next int64
}

func newCallers(dir string) (*callers, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench callers"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	c := &callers{dir: dir, key: key, next: 2}
	if c.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return c, writePEM(filepath.Join(dir, "callers.pem"), "CERTIFICATE", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func (c *callers) issue(name, role string) (mtls.Files, error) {
	f := mtls.Files{Cert: filepath.Join(c.dir, name+".pem"), Key: filepath.Join(c.dir, name+".key"), CA: filepath.Join(c.dir, "callers.pem")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return f, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(c.next), Subject: pkix.Name{CommonName: name, OrganizationalUnit: []string{role}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	c.next++
	der, err := x509.CreateCertificate(rand.Reader, tmpl, c.cert, key.Public(), c.key)
	if err != nil {
		return f, err
	}
	pk, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return f, err
	}
	if err := writePEM(f.Cert, "CERTIFICATE", der); err != nil {
		return f, err
	}
	return f, writePEM(f.Key, "PRIVATE KEY", pk)
}

func (c *callers) client(name, role string) (*tls.Config, error) {
	f, err := c.issue(name, role)
	if err != nil {
		return nil, err
	}
	return mtls.Client(f, "localhost")
}

// ceremony writes the document by which samd knows this benchmark's callers. The
// officers are automatic, and it says so.
func (c *callers) ceremony(cluster string) (string, error) {
	hash, err := ceremony.KeyHash(c.key.Public())
	if err != nil {
		return "", err
	}
	d := &ceremony.Document{Type: ceremony.Type, Cluster: cluster, Created: time.Now().Unix(), CA: hash, Automatic: true}
	for _, m := range [][2]string{{"olga", "officer"}, {"otto", "officer"}, {"arne", "auditor"}, {"rosa", "ra"}, {"ssad", "sspu"}} {
		d.Identities = append(d.Identities, ceremony.Identity{Name: m[0], Person: m[0], Role: m[1]})
	}
	signed, err := ceremony.Sign(d, map[string]crypto.Signer{ceremony.Authority: c.key})
	if err != nil {
		return "", err
	}
	file := filepath.Join(c.dir, "ceremony.json")
	return file, os.WriteFile(file, signed, 0o600)
}

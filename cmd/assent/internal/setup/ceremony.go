package setup

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/assent-sign/assent/cmd/assent/internal/callerca"
	"github.com/assent-sign/assent/internal/ceremony"
)

// DocumentFile is where the ceremony's document goes in a data directory.
const DocumentFile = "samd/ceremony.json"

// samdName is the name in samd's certificate.
const samdName = "samd"

// ErrHeld tells that a ceremony was held in this directory.
var ErrHeld = errors.New("setup: a ceremony was held here already; roles change by two officers: assent role grant")

// Member is one caller that a ceremony lets in.
type Member struct {
	Name   string // identity: common name of the certificate
	Person string // who it is
	Role   string
}

// Ceremony is what one begins with (ROL-06).
type Ceremony struct {
	Dir       string // data directory
	Cluster   string
	Samd      string // samd's address, for its certificate
	Automatic bool   // the officers are programs of the demo
	Members   []Member
	Now       func() time.Time
}

// Automatic is the ceremony of the demo and development profiles: the officers are
// two names and no people, and the document says so.
func Automatic(dir, cluster, samd string, now func() time.Time) Ceremony {
	c := Ceremony{Dir: dir, Cluster: cluster, Samd: samd, Automatic: true, Now: now}
	for _, m := range [][2]string{
		{"officer-1", "officer"}, {"officer-2", "officer"}, {"auditor-1", "auditor"}, {"admin-1", "administrator"},
		{"operator-1", "operator"}, {"ra-1", "ra"}, {"ssad", "sspu"},
	} {
		c.Members = append(c.Members, Member{Name: m[0], Person: m[0], Role: m[1]})
	}
	return c
}

// Held is what a ceremony made.
type Held struct {
	Document string // file
	Hash     string // of the document, to be noted by everyone who took part
	CA       string // folder with the caller CA's key
	Files    map[string]string
}

// Hold makes the caller CA, samd's certificate, one for each member in a folder of
// its own, and the document, signed by the CA and all officers. A directory has
// one ceremony.
func Hold(c Ceremony) (*Held, error) {
	at := func(p string) string { return filepath.Join(c.Dir, filepath.FromSlash(p)) }
	h := &Held{Document: at(DocumentFile), CA: at("ca"), Files: map[string]string{}}
	for _, p := range []string{h.Document, filepath.Join(h.CA, callerca.KeyFile)} {
		if _, err := os.Stat(p); err == nil {
			return nil, fmt.Errorf("%w: %s", ErrHeld, p)
		}
	}
	ca, err := callerca.Create(h.CA, c.Cluster, c.Now)
	if err != nil {
		return nil, err
	}
	if err := c.serverCertificate(ca, at("samd/tls")); err != nil {
		return nil, err
	}
	d := &ceremony.Document{Type: ceremony.Type, Cluster: c.Cluster, Created: c.Now().Unix(), Automatic: c.Automatic}
	if d.CA, err = ceremony.KeyHash(ca.Key().Public()); err != nil {
		return nil, err
	}
	signers := map[string]crypto.Signer{ceremony.Authority: ca.Key()}
	slots := map[string]int{}
	for _, m := range c.Members {
		slots[m.Role]++
		dir, file := slot(m, slots[m.Role])
		cert, keyFile, err := ca.CallerFile(at(dir), file, m.Name, m.Role)
		if err != nil {
			return nil, err
		}
		key, err := loadKey(cert, keyFile)
		if err != nil {
			return nil, err
		}
		id := ceremony.Identity{Name: m.Name, Person: m.Person, Role: m.Role}
		if id.Key, err = ceremony.KeyHash(key.Public()); err != nil {
			return nil, err
		}
		d.Identities, signers[m.Name], h.Files[m.Name] = append(d.Identities, id), key, cert
	}
	signed, err := ceremony.Sign(d, signers)
	if err != nil {
		return nil, err
	}
	h.Hash = ceremony.Hash(signed)
	return h, writeDocument(h.Document, signed)
}

// slot is the folder and file name of a member's certificate: by role and number,
// so that configuration files can name them before the people are known.
func slot(m Member, n int) (dir, file string) {
	if m.Role == "sspu" && n == 1 {
		return "ssad/tls", "ssad"
	}
	short := map[string]string{"administrator": "admin"}[m.Role]
	if short == "" {
		short = m.Role
	}
	dir, file = m.Role, fmt.Sprintf("%s-%d", short, n)
	if n > 1 {
		dir = fmt.Sprintf("%s-%d", m.Role, n)
	}
	return dir, file
}

func (c Ceremony) serverCertificate(ca *callerca.CA, dir string) error {
	host, _, err := net.SplitHostPort(c.Samd)
	if err != nil {
		return fmt.Errorf("%w: samd address %q: %w", ErrOptions, c.Samd, err)
	}
	dns, ips := []string{samdName}, []net.IP(nil)
	if ip := net.ParseIP(host); ip != nil {
		ips = append(ips, ip)
	} else {
		dns = append(dns, host)
	}
	_, _, err = ca.Server(dir, samdName, dns, ips)
	return err
}

func loadKey(cert, key string) (crypto.Signer, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	k, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrOptions, key)
	}
	return k, nil
}

func writeDocument(path string, signed []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(signed)
	return errors.Join(err, f.Sync(), f.Close())
}

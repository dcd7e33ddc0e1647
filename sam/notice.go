package sam

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
)

// restoreNotice is the file beside the anchor that says that the database was
// written by a restore: it is accepted by two officers whatever the anchor says of
// it, also when there is no anchor any more (BKP-02). Without it, and without an
// anchor, the module stays closed: a database alone may be any old one.
type restoreNotice struct {
	path string
	seal *sealer
}

func (m *Module) noticeOfRestore() restoreNotice {
	return restoreNotice{m.cfg.AnchorPath + ".restored", m.seal}
}

func noticeBody(body string) []byte { return []byte("restored\x00" + body) }

// write leaves the notice; text says which backup it was, in one line.
func (n restoreNotice) write(text string) error {
	body := b64([]byte(text))
	return replaceFile(n.path, []byte(body+" "+b64(n.seal.anchorMAC(noticeBody(body)))+"\n"))
}

// read returns the text, "" when there is no notice.
func (n restoreNotice) read() (string, error) {
	text, err := os.ReadFile(n.path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("%w: notice of a restore: %w", ErrOpen, err)
	}
	body, mac, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), " ")
	raw, err := base64.RawURLEncoding.DecodeString(mac)
	plain, err2 := base64.RawURLEncoding.DecodeString(body)
	if err != nil || err2 != nil || len(text) > 4096 || !n.seal.anyOK(noticeBody(body), raw) {
		return "", fmt.Errorf("%w: %s was not written with this token", ErrOpen, n.path)
	}
	return string(plain), nil
}

func (n restoreNotice) remove() error {
	err := os.Remove(n.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(n.path))
}

// missing names what is not there beside the database, for officers to acknowledge.
func (m *Module) missing() []string {
	out := []string{LostAnchor}
	if m.graves.absent {
		out = append(out, LostTombstones)
	}
	if m.ledger.absent {
		out = append(out, LostFailures)
	}
	return out
}

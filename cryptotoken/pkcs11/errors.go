package pkcs11

import (
	"errors"
	"fmt"
	"strings"

	"github.com/assent-sign/assent/cryptotoken"
)

// fault is an error inside a child, on its way to the parent.
type fault struct {
	status  byte
	started bool // C_Sign was called, or may have been
	text    string
}

func (f *fault) Error() string { return f.text }

// faultf makes a fault from before any private-key operation.
func faultf(status byte, format string, args ...any) *fault {
	return &fault{status: status, text: fmt.Sprintf(format, args...)}
}

const maxText = 300

// reply encodes f. uses is how many signatures were made before it.
func (f *fault) reply(seq uint32, uses uint32) message {
	m := message{kind: f.status, seq: seq, num: uses, fields: [][]byte{[]byte(f.text[:min(len(f.text), maxText)])}}
	if !f.started && uses == 0 {
		m.flags |= flagNotStarted
	}
	return m
}

// sentinels maps the statuses of failure to the errors of package cryptotoken.
func sentinel(status byte) error {
	switch status {
	case statusKeyNotFound:
		return cryptotoken.ErrKeyNotFound
	case statusKeyExists:
		return cryptotoken.ErrKeyExists
	case statusLocked:
		return cryptotoken.ErrLocked
	case statusBadBlob:
		return cryptotoken.ErrBadBlob
	case statusUnsupported:
		return cryptotoken.ErrUnsupported
	case statusInvalidInput:
		return cryptotoken.ErrInvalidInput
	case statusSelfTest:
		return cryptotoken.ErrSelfTest
	case statusDevice:
		return cryptotoken.ErrUnavailable
	}
	return errFailed
}

var errFailed = errors.New("pkcs11: the module refused the call")

// replyError is the error of a reply that is not statusOK.
func replyError(name string, m message) error {
	text := strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, string(m.field(0)[:min(len(m.field(0)), maxText)]))
	err := fmt.Errorf("pkcs11 %s: %w: %s", name, sentinel(m.kind), text)
	if m.flags&flagNotStarted != 0 {
		return cryptotoken.NotStarted(err)
	}
	return err
}

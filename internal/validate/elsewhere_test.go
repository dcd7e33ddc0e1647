package validate_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-03: bad news under a document time-stamp, or that a signature is over, counts wherever the certificate of its issuer stands: in the newest
// security store, or in a message. Whoever puts an empty security store in the place of the old one does not choose what is asked.
func TestADE03BadNewsAndItsIssuerElsewhere(t *testing.T) {
	k, tr := newKit(t), newTree(t)
	midKey, mine, last := newKey(t), newKey(t), newKey(t)
	mid := tr.issue(t, authorityOf("Between"), tr.root, midKey.Public(), tr.key)
	leaf := tr.issue(t, person("Mallory"), mid, mine.Public(), midKey)
	second := tr.issue(t, person("Second"), tr.root, last.Public(), tr.key)
	opt := tr.trust()
	opt.Anchors = append(opt.Anchors, k.anchors()...)
	good, bad := listOf(t, mid, midKey, time.Minute), listOf(t, mid, midKey, time.Minute, leaf)
	inMessage := carrying(t, mine, leaf, nil, attribute(tlv(0x30, mid.Raw), 1, 2, 840, 113549, 1, 9, 16, 2, 23), nil)
	bare := signAs(t, contract(), mine, leaf)
	emptied := func(file []byte) []byte {
		root := string(regexp.MustCompile(`/DSS [0-9]+ 0 R`).ReplaceAll([]byte(current(file, 1)), nil))
		return upd(file, map[int]string{1: with(root, " /DSS << >>")})
	}
	over := map[string]func([]byte) []byte{
		"time-stamp": func(file []byte) []byte { return k.stamped(t, file, "") },
		"signature":  func(file []byte) []byte { return signAs(t, file, last, second) },
	}
	for name, seal := range over {
		for news, list := range map[string][]byte{"good": good, "bad": bad} {
			data := pdf.ValidationData{CRLs: [][]byte{list}}
			for where, file := range map[string][]byte{
				"in the message":   emptied(seal(stored(t, inMessage, data))),
				"in the new store": stored(t, emptied(seal(stored(t, bare, data))), pdf.ValidationData{Certs: [][]byte{mid.Raw}}),
			} {
				rep := look(t, file, opt)
				if s := rep.Signatures[0]; (s.Verdict == validate.Valid) != (news == "good") {
					t.Errorf("under a %s, %s, the issuer %s: %s %q %q", name, news, where, s.Words(), s.Why, s.Later)
				}
			}
		}
	}
}

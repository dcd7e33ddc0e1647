package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
)

// lockSpec says how a generated document is encrypted.
type lockSpec struct {
	user, owner string
	revision    int   // 0: 6
	denied      int32 // permission bits that are missing
	direct      bool  // /Encrypt in the trailer
	// stm, str and eff are the crypt filters; empty: StdCF.
	stm, str, eff string
	clearMetadata bool
	// edit changes the text of the encryption dictionary.
	edit func(dict string) string
}

// encryptNum is the number of the encryption dictionary of a generated document.
const encryptNum = 92

// make returns the handler and the encryption dictionary (ISO 32000-2, algorithms 8
// to 10), the same for the same specification.
func (l *lockSpec) make() (*crypt, string) {
	revision := l.revision
	if revision == 0 {
		revision = 6
	}
	key := sha256.Sum256([]byte("the key of a generated file"))
	entry := func(password, salt string, own []byte) (entry, wrapped []byte) {
		password = password[:min(len(password), maxPassword)]
		vs, ks := []byte(salt + "validat")[:8], []byte(salt + "keysalts")[:8]
		entry = bytes.Join([][]byte{passwordHash(revision, []byte(password), vs, own), vs, ks}, nil)
		block, _ := aes.NewCipher(passwordHash(revision, []byte(password), ks, own))
		wrapped = make([]byte, 32)
		cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(wrapped, key[:])
		return entry, wrapped
	}
	u, ue := entry(l.user, "u", nil)
	o, oe := entry(l.owner+"owner", "o", u)
	c := &crypt{filters: map[string]bool{"Identity": false, "StdCF": true}}
	c.block, _ = aes.NewCipher(key[:])
	c.iv = []byte("iv")
	p := int32(-4) &^ l.denied
	perms := append(binary.LittleEndian.AppendUint32(nil, uint32(p)), "\xff\xff\xff\xffTadbrand"...)
	meta := ""
	if l.clearMetadata {
		perms[8], meta = 'F', " /EncryptMetadata false"
	}
	c.block.Encrypt(perms, perms)
	name := func(s string, on *bool) string {
		if s == "" {
			s = "StdCF"
		}
		*on = c.filters[s]
		return s
	}
	dict := fmt.Sprintf("<< /Filter /Standard /V 5 /R %d /Length 256 /P %d%s /CF << /StdCF << /CFM /AESV3 /AuthEvent /DocOpen /Length 32 >> >> /StmF /%s /StrF /%s /EFF /%s",
		revision, p, meta, name(l.stm, &c.streams), name(l.str, &c.strings), name(l.eff, &c.files))
	dict += fmt.Sprintf(" /U <%x> /UE <%x> /O <%x> /OE <%x> /Perms <%x> >>", u, ue, o, oe, perms)
	if l.edit != nil {
		dict = l.edit(dict)
	}
	return c, dict
}

// sealBody encrypts an object of a generated document.
func (c *crypt) sealBody(num int, body string) string {
	dict, data, isStream := strings.Cut(body, "stream\n")
	if isStream {
		data = strings.TrimSuffix(data, "\nendstream")
		if c.streams {
			data = string(c.sealData(ref{num: num}, []byte(data)))
		}
		return fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(data), data)
	}
	if !c.strings {
		return body
	}
	raw, err := value{raw: []byte(dict), off: -1}.mapStrings(func(b []byte) ([]byte, error) { return c.sealData(ref{num: num}, b), nil })
	if err != nil {
		panic(err)
	}
	return string(raw)
}

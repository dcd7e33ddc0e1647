package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math"

	"golang.org/x/text/unicode/norm"

	"github.com/assent-sign/assent/internal/secret"
)

// crypt is the standard security handler of an opened file (ISO 32000-2, 7.6.4)
// with AES-256, revisions 5 and 6. One key serves all objects, so that a string
// keeps its meaning when it moves from one object to another; strings within
// object streams are encrypted with their stream and not by themselves.
type crypt struct {
	dict  []byte // /Encrypt as the file has it
	num   int    // its object number, 0 if it stands in the trailer
	block cipher.Block
	iv    []byte // key of initialisation vectors

	filters map[string]bool // by name: whether the filter encrypts
	streams bool            // whether streams are encrypted that do not say otherwise
	strings bool
	files   bool // whether embedded files are
	// metadata: whether the stream of the document's metadata is.
	metadata bool

	permissions uint32 // /P
	owner       bool   // the owner's password opened the file: no permission is missing
}

// Permissions of ISO 32000-2, table 22.
const (
	mayModify   = 1 << 3
	mayAnnotate = 1 << 5
	mayFill     = 1 << 8
)

// encrypted reports a file whose encryption is sound but not ours to undo.
func encrypted(format string, args ...any) error {
	return located(ErrEncrypted, -1, format, args...)
}

// unlock reads the encryption of the file and finds its key. known is that of a
// later revision of the same file: then it must be the same.
func (d *Document) unlock(password secret.Bytes, known *crypt) error {
	v, err := d.trailer.get("Encrypt")
	if err != nil {
		return err
	}
	if v.isNull() {
		if known != nil {
			return malformed(d.trailer.off, "the encryption changes between revisions")
		}
		return nil
	}
	if d.repaired {
		return malformed(d.trailer.off, "a damaged cross-reference in an encrypted file")
	}
	c := &crypt{}
	if id, ok := v.asRef(); ok {
		c.num = id.num
		if d.xref.get(id.num).kind != entryOffset {
			return malformed(v.off, "/Encrypt in an object stream, or missing")
		}
		if v, err = d.resolve(v); err != nil {
			return err
		}
	}
	if !v.isDict() {
		return malformed(v.off, "/Encrypt is no dictionary")
	}
	c.dict = bytes.Clone(v.raw)
	if known != nil {
		if c.num != known.num || !bytes.Equal(c.dict, known.dict) {
			return malformed(v.off, "the encryption changes between revisions")
		}
		c = known
	} else if err := c.read(v, password); err != nil {
		return err
	}
	// What was read up to now was the way to here; object streams among it were
	// taken for clear.
	d.crypt, d.streams, d.streamMem = c, nil, 0
	return nil
}

// secrets are the entries of /Encrypt that passwords are checked with.
type secrets struct {
	revision            int
	u, o, ue, oe, perms []byte
}

// read fills c from the encryption dictionary. Its values must be direct: what they
// could refer to may itself be encrypted.
func (c *crypt) read(v value, password secret.Bytes) error {
	s, err := c.readHandler(v)
	if err != nil {
		return err
	}
	if err := c.readFilters(v); err != nil {
		return err
	}
	key, err := c.key(s, password)
	if err != nil {
		return err
	}
	if c.block, err = aes.NewCipher(key); err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("assent: initialisation vectors of a PDF update"))
	c.iv = mac.Sum(nil)
	return c.checkPermissions(v, s)
}

// readHandler reads which handler it is and the material of its passwords.
func (c *crypt) readHandler(v value) (*secrets, error) {
	filter, err := v.get("Filter")
	if err != nil {
		return nil, err
	}
	if !filter.nameIs("Standard") {
		return nil, encrypted("for the certificates of its recipients, or by a handler of its own (%s); only passwords are supported", brief(filter.raw))
	}
	version, err1 := c.number(v, "V")
	revision, err2 := c.number(v, "R")
	if err := firstError(err1, err2); err != nil {
		return nil, err
	}
	if version < 5 {
		return nil, encrypted("with RC4 or AES-128 (version %d), which are too weak to rely on; save it with AES-256 or without encryption", version)
	}
	if version != 5 || revision != 5 && revision != 6 {
		return nil, encrypted("in a way that is not known (version %d, revision %d)", version, revision)
	}
	length, err := v.get("Length")
	if err != nil {
		return nil, err
	}
	if n, ok := length.asInt(); !length.isNull() && (!ok || n != 256) {
		return nil, malformed(v.off, "/Encrypt with a key of %s bits, want 256", brief(length.raw))
	}
	s := &secrets{revision: int(revision)}
	for _, e := range []struct {
		key  string
		want int
		dst  *[]byte
	}{{"U", 48, &s.u}, {"O", 48, &s.o}, {"UE", 32, &s.ue}, {"OE", 32, &s.oe}, {"Perms", 16, &s.perms}} {
		if *e.dst, err = c.octets(v, e.key, e.want); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (c *crypt) number(v value, key string) (int64, error) {
	e, err := v.get(key)
	if err != nil {
		return 0, err
	}
	n, ok := e.asInt()
	if !ok {
		return 0, malformed(v.off, "/Encrypt without a number in /%s", key)
	}
	return n, nil
}

// octets reads a string of a fixed length. Some writers pad it with zeros.
func (c *crypt) octets(v value, key string, want int) ([]byte, error) {
	e, err := v.get(key)
	if err != nil {
		return nil, err
	}
	b := stringBytes(e.raw)
	if !e.isString() || len(b) < want || len(b) > maxPassword || len(bytes.Trim(b[want:], "\x00")) > 0 {
		return nil, malformed(v.off, "/Encrypt with a bad /%s, want %d bytes", key, want)
	}
	return b[:want], nil
}

// maxFilters bounds /CF.
const maxFilters = 100

// readFilters reads the crypt filters (ISO 32000-2, 7.6.6).
func (c *crypt) readFilters(v value) error {
	c.filters = map[string]bool{"Identity": false}
	list, err := v.get("CF")
	if err != nil {
		return err
	}
	if !list.isNull() {
		var inner error
		err = list.eachPair(func(key []byte, f value) bool {
			if string(key) != "Identity" {
				inner = c.readFilter(string(key), f)
			}
			return inner == nil && len(c.filters) <= maxFilters
		})
		if err = firstError(inner, err); err != nil {
			return err
		}
	}
	for _, e := range []struct {
		key string
		dst *bool
	}{{"StmF", &c.streams}, {"StrF", &c.strings}, {"EFF", &c.files}} {
		name, err := v.get(e.key)
		if err != nil {
			return err
		}
		if name.isNull() {
			*e.dst = e.key == "EFF" && c.streams
			continue
		}
		if *e.dst, err = c.filter(name); err != nil {
			return err
		}
	}
	return nil
}

// filter tells whether a crypt filter encrypts.
func (c *crypt) filter(name value) (bool, error) {
	on, known := c.filters[name.name()]
	if !known {
		return false, malformed(name.off, "no crypt filter %s", brief(name.raw))
	}
	return on, nil
}

func (c *crypt) readFilter(name string, f value) error {
	method, err := f.get("CFM")
	if err != nil {
		return err
	}
	switch {
	case method.nameIs("AESV3"):
	case method.nameIs("V2"), method.nameIs("AESV2"):
		return encrypted("with RC4 or AES-128 (%s), which are too weak to rely on; save it with AES-256 or without encryption", brief(method.raw))
	default:
		return encrypted("in a way that is not known (%s)", brief(method.raw))
	}
	length, err := f.get("Length")
	if err != nil {
		return err
	}
	// The unit is bytes by the standard and bits by some writers.
	if n, ok := length.asInt(); !length.isNull() && (!ok || n != 32 && n != 256) {
		return malformed(f.off, "crypt filter with a key of %s bytes, want 32", brief(length.raw))
	}
	c.filters[name] = true
	return nil
}

// key finds the file's key by the password: the user's, then the owner's (ISO
// 32000-2, algorithm 2.A).
func (c *crypt) key(s *secrets, password secret.Bytes) ([]byte, error) {
	for _, p := range spellings(password) {
		if matches(passwordHash(s.revision, p, s.u[32:40], nil), s.u) {
			return unwrapKey(passwordHash(s.revision, p, s.u[40:48], nil), s.ue)
		}
		if matches(passwordHash(s.revision, p, s.o[32:40], s.u), s.o) {
			c.owner = true
			return unwrapKey(passwordHash(s.revision, p, s.o[40:48], s.u), s.oe)
		}
	}
	if password.Len() == 0 {
		return nil, located(ErrPassword, -1, "it does not open without one")
	}
	return nil, located(ErrPassword, -1, "the one given is wrong")
}

func matches(hash, entry []byte) bool {
	return subtle.ConstantTimeCompare(hash, entry[:32]) == 1
}

// spellings are the forms of a password that writers use: as it is typed and
// normalised (SASLprep, RFC 4013; of its steps NFKC is the one that matters).
func spellings(password secret.Bytes) [][]byte {
	out := [][]byte{password.Reveal()}
	if !norm.NFKC.IsNormal(password.Reveal()) {
		out = append(out, norm.NFKC.Bytes(password.Reveal()))
	}
	for i, p := range out {
		out[i] = p[:min(len(p), maxPassword)]
	}
	return out
}

// unwrapKey decrypts /UE or /OE: AES-256-CBC without padding, a zero vector.
func unwrapKey(under, wrapped []byte) ([]byte, error) {
	block, err := aes.NewCipher(under)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(wrapped))
	cipher.NewCBCDecrypter(block, make([]byte, aes.BlockSize)).CryptBlocks(out, wrapped)
	return out, nil
}

// checkPermissions compares /P and /EncryptMetadata, which anybody can change, with
// their copies under the key (ISO 32000-2, algorithm 13). A wrong key fails here too.
func (c *crypt) checkPermissions(v value, s *secrets) error {
	p, err := c.number(v, "P")
	if err != nil {
		return err
	}
	if p < math.MinInt32 || p > math.MaxUint32 {
		return malformed(v.off, "/Encrypt with /P %d", p)
	}
	c.permissions = uint32(p) // some writers give the same 32 bits without a sign
	meta, err := v.get("EncryptMetadata")
	if err != nil {
		return err
	}
	switch string(meta.raw) {
	case "true", "null":
		c.metadata = true
	case "false":
	default:
		return malformed(v.off, "/Encrypt with /EncryptMetadata %s", brief(meta.raw))
	}
	plain := make([]byte, aes.BlockSize)
	c.block.Decrypt(plain, s.perms)
	says := map[bool]byte{true: 'T', false: 'F'}[c.metadata]
	if string(plain[9:12]) != "adb" || binary.LittleEndian.Uint32(plain) != c.permissions || plain[8] != says {
		return malformed(v.off, "the permissions of the file were tampered with: /Perms is not that of /P")
	}
	return nil
}

// allowsSigning reports ErrPermission unless the permissions let who opened the
// file sign in a field that is there, or add one (ISO 32000-2, table 22).
func (d *Document) allowsSigning(newField bool) error {
	if d.crypt == nil || d.crypt.owner {
		return nil
	}
	p := d.crypt.permissions
	if newField && p&(mayModify|mayAnnotate) != mayModify|mayAnnotate {
		return located(ErrPermission, -1, "its author does not permit to add a signature field (/P %d)", int32(p))
	}
	if !newField && p&(mayAnnotate|mayFill) == 0 {
		return located(ErrPermission, -1, "its author does not permit to fill in signature fields (/P %d)", int32(p))
	}
	return nil
}

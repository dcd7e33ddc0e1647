package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
)

// text decodes a text string of this file, "" if v is no string. ErrMalformed if it is
// not encrypted as the file demands.
func (d *Document) text(v value) (string, error) {
	if d.crypt == nil || !d.crypt.strings || v.off < 0 || !v.isString() {
		return v.text(), nil
	}
	b, err := d.crypt.openString(stringBytes(v.raw))
	if err != nil {
		return "", malformed(v.off, "a string %v", err)
	}
	return decodeText(b), nil
}

var errCiphertext = errors.New("is not encrypted as the file demands")

// openString decrypts a string: the vector, then AES-256-CBC with padding (ISO
// 32000-2, 7.6.3.1). Writers leave an empty string as it is.
func (c *crypt) openString(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b)%aes.BlockSize != 0 || len(b) < 2*aes.BlockSize {
		return nil, errCiphertext
	}
	out := make([]byte, len(b)-aes.BlockSize)
	cipher.NewCBCDecrypter(c.block, b[:aes.BlockSize]).CryptBlocks(out, b[aes.BlockSize:])
	return unpad(out)
}

// unpad removes the padding of RFC 8018, 6.1.1: n bytes of value n.
func unpad(b []byte) ([]byte, error) {
	n := int(b[len(b)-1])
	if n == 0 || n > aes.BlockSize || n > len(b) {
		return nil, errCiphertext
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, errCiphertext
		}
	}
	return b[:len(b)-n], nil
}

// sealData encrypts a string or a stream of an object. The vector is a keyed hash of
// what is encrypted and where, and no random number, so that whoever has the key can
// make the update again and compare (ReadPrepared): nobody without the key can tell it
// from a random one, and all that two equal ones show is that the same was written to
// the same object.
func (c *crypt) sealData(id ref, b []byte) []byte {
	mac := hmac.New(sha256.New, c.iv)
	mac.Write(id.raw())
	mac.Write([]byte{0})
	mac.Write(b)
	n := aes.BlockSize - len(b)%aes.BlockSize
	out := slices.Concat(mac.Sum(nil)[:aes.BlockSize], b, bytes.Repeat([]byte{byte(n)}, n))
	cipher.NewCBCEncrypter(c.block, out[:aes.BlockSize]).CryptBlocks(out[aes.BlockSize:], out[aes.BlockSize:])
	return out
}

// seal returns a new string of an object as the file wants it: encrypted if the
// file's strings are.
func (u *update) seal(id ref, raw []byte) []byte {
	if c := u.d.crypt; c != nil && c.strings {
		return hexString(c.sealData(id, stringBytes(raw)))
	}
	return raw
}

// text writes a text string of an object.
func (u *update) text(id ref, s string) []byte { return u.seal(id, encodeText(s)) }

// sealStrings encrypts the strings of a value that leaves its object stream.
func (u *update) sealStrings(id ref, v value) (value, error) {
	c := u.d.crypt
	if c == nil || !c.strings {
		return v, nil
	}
	raw, err := v.mapStrings(func(b []byte) ([]byte, error) { return c.sealData(id, b), nil })
	return value{raw: raw, off: -1}, err
}

// putStream sets a new stream object with the given keys.
func (u *update) putStream(id ref, keys string, data []byte) {
	if c := u.d.crypt; c != nil && c.streams {
		data = c.sealData(id, data)
	}
	if keys != "" {
		keys += " "
	}
	u.put(id, slices.Concat(fmt.Appendf(nil, "<< %s/Length %d >>\nstream\n", keys, len(data)), data, []byte("\nendstream")))
}

// cbcReader decrypts a stream: one block is held back, because the last one is padded.
type cbcReader struct {
	r     io.Reader
	mode  cipher.BlockMode
	in    []byte
	held  int // bytes of in that are read and not decrypted
	out   []byte
	ready []byte
	err   error
}

// openStream returns the plain data of an encrypted stream.
func (c *crypt) openStream(r io.Reader) (io.Reader, error) {
	iv := make([]byte, aes.BlockSize)
	if _, err := io.ReadFull(r, iv); err != nil {
		if errors.Is(err, io.EOF) {
			return bytes.NewReader(nil), nil // an empty stream
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = malformed(-1, "a stream %v", errCiphertext)
		}
		return nil, err
	}
	return &cbcReader{r: r, mode: cipher.NewCBCDecrypter(c.block, iv), in: make([]byte, 4096), out: make([]byte, 4096)}, nil
}

// Read implements io.Reader.
func (c *cbcReader) Read(p []byte) (int, error) {
	for len(c.ready) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.fill()
	}
	n := copy(p, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

func (c *cbcReader) fill() {
	n, err := io.ReadFull(c.r, c.in[c.held:])
	n += c.held
	switch {
	case err == nil:
		n -= aes.BlockSize
		c.mode.CryptBlocks(c.out, c.in[:n])
		c.ready = c.out[:n]
		c.held = copy(c.in, c.in[n:])
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		c.err = err
	case n == 0 || n%aes.BlockSize != 0:
		c.err = malformed(-1, "a stream %v", errCiphertext)
	default:
		c.mode.CryptBlocks(c.out, c.in[:n])
		if c.ready, err = unpad(c.out[:n]); err != nil {
			c.err = malformed(-1, "a stream %v", err)
			return
		}
		c.err = io.EOF
	}
}

// openData undoes the encryption of a stream's data and takes a crypt filter, which
// must come first, off the list of filters.
func (d *Document) openData(o object, r io.Reader, filter, parms value) (io.Reader, value, value, error) {
	if d.crypt == nil {
		return r, filter, parms, nil
	}
	if typ, err := o.val.getDict("Type"); err != nil || typ.nameIs("XRef") {
		return r, filter, parms, err // never encrypted (ISO 32000-2, 7.5.8.2)
	}
	on, filter, parms, err := d.cryptFilter(filter, parms)
	if err != nil || !on {
		return r, filter, parms, err
	}
	r, err = d.crypt.openStream(r)
	return r, filter, parms, err
}

// cryptFilter tells whether a stream is encrypted and returns its other filters.
func (d *Document) cryptFilter(filter, parms value) (on bool, restFilter, restParms value, err error) {
	first, rest, err := d.firstOf(filter)
	if err != nil || !first.nameIs("Crypt") {
		return d.crypt.streams, filter, parms, err
	}
	p, restParms, err := d.firstOf(parms)
	if err != nil {
		return false, filter, parms, err
	}
	if p, err = d.resolve(p); err != nil {
		return false, filter, parms, err
	}
	name, err := p.getDict("Name")
	if err != nil || name.isNull() {
		return false, rest, restParms, err // Identity
	}
	on, err = d.crypt.filter(name)
	return on, rest, restParms, err
}

// firstOf splits an array, or a value as an array of one.
func (d *Document) firstOf(v value) (first, rest value, err error) {
	if !v.isArray() {
		return v, nullValue(), nil
	}
	first = nullValue()
	rest = value{raw: []byte("["), off: -1}
	n := 0
	err = v.eachElem(func(e value) bool {
		if n++; n == 1 {
			first = e
		} else {
			rest.raw = append(append(rest.raw, e.raw...), ' ')
		}
		return n <= maxFilters
	})
	if err != nil {
		return first, rest, err
	}
	rest.raw = append(rest.raw, ']')
	first, err = d.resolve(first)
	return first, rest, err
}

package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/sha512"
)

// maxPassword is what counts of a password, in bytes (ISO 32000-2, 7.6.4.3.3).
const maxPassword = 127

// passwordHash is algorithm 2.B of ISO 32000-2, 7.6.4.3.4; before revision 6 it is one
// SHA-256. own is /U where an owner password is meant, else nil.
//
// The number of rounds depends on the data, so that a hostile file chooses it: it
// is 64 at least and, since the last byte of a round is at most 255, 288 at most.
func passwordHash(revision int, password, salt, own []byte) []byte {
	first := sha256.Sum256(bytes.Join([][]byte{password, salt, own}, nil))
	k := first[:]
	if revision < 6 {
		return k
	}
	for round := 1; ; round++ {
		e := bytes.Repeat(bytes.Join([][]byte{password, k, own}, nil), 64)
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			return nil // 16 bytes are always a key; nil equals no hash
		}
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(e, e)
		sum := 0 // 256 is 1 modulo 3, so the digits' sum tells
		for _, c := range e[:16] {
			sum += int(c)
		}
		switch sum % 3 {
		case 0:
			h := sha256.Sum256(e)
			k = h[:]
		case 1:
			h := sha512.Sum384(e)
			k = h[:]
		default:
			h := sha512.Sum512(e)
			k = h[:]
		}
		if round >= 64 && int(e[len(e)-1]) <= round-32 {
			return k[:32]
		}
	}
}

package main

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/internal/algo"
)

// tokenAlone measures the token's unwrap and sign without anything around it.
func tokenAlone(ctx context.Context, tok *pkcs11.Token, w cryptotoken.Wrapped, n int) (cpu time.Duration, rate float64, err error) {
	digest := sha256.Sum256([]byte("x"))
	pid := os.Getpid()
	cpu0, t0 := treeCPU(pid), time.Now()
	err = parallel(maxCallers, n, func(int) error {
		_, err := tok.SignWrapped(ctx, w, algo.ES256, [][]byte{digest[:]})
		return err
	})
	return (treeCPU(pid) - cpu0) / time.Duration(n), float64(n) / time.Since(t0).Seconds(), err
}

// floorCPU is the CPU of verify + sign + verify in this process; keyed, the key
// is opened (AES-256-GCM) and parsed for each signature.
func floorCPU(n int, keyed bool) (time.Duration, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return 0, err
	}
	open, err := sealedKey(key)
	if err != nil {
		return 0, err
	}
	digest := sha256.Sum256([]byte("x"))
	sig, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return 0, err
	}
	t0 := cpuTime()
	for range n {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			return 0, algo.ErrBadSignature
		}
		signer := key
		if keyed {
			if signer, err = open(); err != nil {
				return 0, err
			}
		}
		if sig, err = signer.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			return 0, err
		}
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			return 0, algo.ErrBadSignature
		}
	}
	return (cpuTime() - t0) / time.Duration(n), nil
}

// sealedKey wraps a key and returns what opens it.
func sealedKey(key *ecdsa.PrivateKey) (open func() (*ecdsa.PrivateKey, error), err error) {
	plain, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	blob := gcm.Seal(nil, nil, plain, nil)
	return func() (*ecdsa.PrivateKey, error) {
		plain, err := gcm.Open(nil, nil, blob, nil)
		if err != nil {
			return nil, err
		}
		return ecdsa.ParseRawPrivateKey(elliptic.P256(), plain)
	}, nil
}

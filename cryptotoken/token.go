package cryptotoken

import (
	"context"
	"crypto"
	"errors"

	"github.com/assent-sign/assent/internal/algo"
)

// Token holds keys. Its own named keys ("infrastructure keys": seals, TSA,
// SAM statements) are used through Signer; what else a token can do shows in
// the optional interfaces of this package, found by type assertion.
type Token interface {
	// Info describes the token and what it proves about itself.
	Info(ctx context.Context) (Info, error)
	// Signer returns the named key for use as crypto.Signer. The driver has
	// proven it (sign and verify) when it first loads it. ErrKeyNotFound.
	Signer(ctx context.Context, key KeyRef) (Signer, error)
	// Close releases sessions and ends worker processes.
	Close() error
}

// KeyRef names a key inside a token.
type KeyRef struct {
	Label string
}

// Signer is a key that stays in its token.
type Signer interface {
	crypto.Signer
	// KeyType is the kind and size of the key.
	KeyType() algo.KeyType
}

// Info is what a token says of itself. Labels such as SCAL2 and QES are
// computed from it and never configured.
type Info struct {
	Driver      string // "softtoken", "pkcs11", "samtoken"
	Name        string // configured name
	Model       string // manufacturer and model as reported by the token
	Identity    Identity
	Development bool   // not fit for production: software keys, or self-test found a downgrade
	Reason      string // why Development is set, in one sentence
	Activation  bool   // every use of a signer's key needs SAD (samtoken)
	// KeyUses counts, since start, the private-key operations of named and of
	// signers' keys: signatures, one generation test per GenerateWrapped and
	// CreateKey, one proof when a named key is first loaded. A signature that may
	// have been made (the module died in the middle) counts. Throw-away keys of
	// the token's self-test do not.
	KeyUses uint64
	// WrappedUses counts those of KeyUses that used a wrapped key, a signer's.
	WrappedUses uint64
}

// Identity is what a token reports of itself, part by part, to be compared with
// what was certified. Empty when the token is software.
type Identity struct {
	Manufacturer, Model, Serial, Firmware string
}

// Named is implemented by tokens that can make and end their own named keys.
type Named interface {
	// CreateKey makes a non-extractable named key. ErrKeyExists.
	CreateKey(ctx context.Context, key KeyRef, kt algo.KeyType) (Signer, error)
	// DestroyKey destroys a named key for ever (KPR-06, KPR-08); its signers fail from
	// then on. The label is free again. ErrKeyNotFound.
	DestroyKey(ctx context.Context, key KeyRef) error
}

// Wrapper keeps signers' keys outside the token, encrypted and authenticated under
// a key that never leaves it (KPR-01). This is how a module with room for one key serves millions.
type Wrapper interface {
	// GenerateWrapped makes a key pair, runs one generation test (sign and
	// verify over a digest that the driver composes), wraps the private key
	// and destroys it in the token.
	GenerateWrapped(ctx context.Context, kt algo.KeyType) (Wrapped, error)
	// SignWrapped unwraps the key, signs every digest (at most MaxDigests) with
	// alg in order and destroys the key again, whatever happens. ECDSA signatures are ASN.1
	// DER. It does not verify them; the caller must. An error for which
	// errors.Is(err, ErrNotStarted) holds proves that no private-key
	// operation began; after any other error some signatures may exist.
	SignWrapped(ctx context.Context, w Wrapped, alg algo.Algorithm, digests [][]byte) ([][]byte, error)
	// CheckWrapped unwraps the key and destroys it again, without using it.
	CheckWrapped(ctx context.Context, w Wrapped) error
}

// Wrapped is a signer's key outside the token. Public is PKIX DER. Blob is
// bound to its owner by the module's record seal, not by the token.
type Wrapped struct {
	KeyType algo.KeyType
	Public  []byte // SubjectPublicKeyInfo, DER
	Blob    []byte // private key, encrypted and authenticated by the token
	KEK     string // label and epoch of the wrapping key
}

// Sealer derives secrets from a token key that cannot leave the token, so
// that records outside it can carry MACs that only a holder of the token can
// make. Equal labels give equal secrets; the secret is 32 bytes.
type Sealer interface {
	DeriveSeal(ctx context.Context, label string) ([]byte, error)
}

// Rotator is implemented by tokens whose wrapping key has epochs (KPR-06). Blobs of an
// older epoch work until its key is destroyed; a blob opens under the name of its own
// epoch and no other.
type Rotator interface {
	// CurrentKEK names the key that new keys are wrapped under.
	CurrentKEK(ctx context.Context) (string, error)
	// NextKEK makes the next wrapping key, durably, and makes it the current one. Its
	// name was never used before. ErrUnsupported, and nothing is made, when the token
	// cannot wrap keys anew.
	NextKEK(ctx context.Context) (string, error)
	// Rewrap wraps a key under the current wrapping key, inside the token and without
	// using it. The old blob goes on working. ErrBadBlob, also when the token can tell
	// that the private key inside does not belong to the public one.
	Rewrap(ctx context.Context, w Wrapped) (Wrapped, error)
	// DestroyKEK destroys a wrapping key that is not the current one (ErrInvalidInput),
	// for ever; what is wrapped under it is lost. ErrKeyNotFound.
	DestroyKEK(ctx context.Context, kek string) error
}

// Prober runs the token's self-test on demand.
type Prober interface {
	Probe(ctx context.Context) error
}

// Errors shared by all drivers; tokentest proves that each driver uses them.
var (
	ErrKeyNotFound  = errors.New("cryptotoken: key not found")
	ErrKeyExists    = errors.New("cryptotoken: key exists already")
	ErrLocked       = errors.New("cryptotoken: token is locked or the PIN is wrong")
	ErrNotStarted   = errors.New("cryptotoken: the key operation did not start")
	ErrUnavailable  = errors.New("cryptotoken: token is not available")
	ErrTimeout      = errors.New("cryptotoken: token did not answer in time")
	ErrBadBlob      = errors.New("cryptotoken: wrapped key is damaged or not of this token")
	ErrUnsupported  = errors.New("cryptotoken: token cannot do this")
	ErrSelfTest     = errors.New("cryptotoken: self-test failed")
	ErrDevelopment  = errors.New("cryptotoken: token is for development only")
	ErrNeedsSAD     = errors.New("cryptotoken: this key is used only with signature activation data")
	ErrTamper       = errors.New("cryptotoken: token reports tampering")
	ErrInvalidInput = errors.New("cryptotoken: input does not fit the key or the algorithm")
)

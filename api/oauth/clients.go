package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"

	oidc "github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/internal/config"
)

// Ways in which a client proves who it is.
const (
	AuthSecretBasic   = "client_secret_basic"
	AuthSecretPost    = "client_secret_post"
	AuthPrivateKeyJWT = "private_key_jwt"
)

// Any in a list of workers or signers allows all.
const Any = "*"

// WorkerRaw in a client's list of workers allows it to ask for signatures over
// digests whose content the signer cannot see, by the native API. (The signer's
// credential must allow it too.)
const WorkerRaw = "raw"

// ErrConfig says that a client's configuration cannot be used.
var ErrConfig = errors.New("oauth: client configuration is wrong")

// ClientConfig is one entry of the configuration file's list of clients. There
// is no other way to register a client.
type ClientConfig struct {
	// ID is client_id: letters, digits, dot, dash, underscore.
	ID string `yaml:"id"`
	// Name is shown to signers as the party that asks. Required, at most 100
	// characters, printable.
	Name string `yaml:"name"`
	// Auth is client_secret_basic (default), client_secret_post or
	// private_key_jwt. Exactly one works.
	Auth string `yaml:"auth"`
	// SecretFile holds the client's secret: at least 32 characters of a random
	// generator (openssl rand -hex 32). Only its SHA-256 is kept. Exclusive
	// with SecretSHA256.
	SecretFile string `yaml:"secret_file"`
	// SecretSHA256 is the SHA-256 of such a secret in hex. A plain digest is
	// enough because the secret is random; a password is not.
	SecretSHA256 string `yaml:"secret_sha256"`
	// JWKSFile holds the client's public keys for private_key_jwt.
	JWKSFile string `yaml:"jwks_file"`
	// RedirectURIs are compared character by character.
	RedirectURIs []string `yaml:"redirect_uris"`
	// Scopes are service and credential.
	Scopes []string `yaml:"scopes"`
	// Workers that the client may name; "*" for all, "raw" for bare digests.
	Workers []string `yaml:"workers"`
	// Signers whom the client may ask and whose credentials it may list; "*"
	// (or an empty list) for all.
	Signers []string `yaml:"signers"`
}

// Client is a checked ClientConfig.
type Client struct {
	ID, Name     string
	Auth         string
	RedirectURIs []string
	Scopes       []string
	Workers      []string
	Signers      []string

	secretSHA256 string // hex
	jwks         *oidc.JSONWebKeySet
}

// MayUse tells whether the client may name a worker.
func (c Client) MayUse(worker string) bool {
	return slices.Contains(c.Workers, worker) || worker != WorkerRaw && slices.Contains(c.Workers, Any)
}

// MayAsk tells whether the client may deal with a signer.
func (c Client) MayAsk(signer string) bool {
	return len(c.Signers) == 0 || slices.Contains(c.Signers, Any) || slices.Contains(c.Signers, signer)
}

// HasScope tells whether the client was given a scope.
func (c Client) HasScope(scope string) bool { return slices.Contains(c.Scopes, scope) }

var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// LoadClients checks a list and reads the files it names. The error says of every
// client what is wrong first, so that an operator mends a file in one go.
func LoadClients(list []ClientConfig) ([]Client, error) {
	var (
		out  []Client
		errs []error
	)
	seen := map[string]bool{}
	for i, cc := range list {
		c, err := cc.load()
		if err == nil && seen[c.ID] {
			err = errors.New("the id is there twice")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: client %d (%.64q): %w", ErrConfig, i+1, cc.ID, err))
		}
		seen[c.ID] = true
		out = append(out, c)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return out, nil
}

func (cc ClientConfig) load() (Client, error) {
	c := Client{ID: cc.ID, Name: cc.Name, Auth: cc.Auth, RedirectURIs: cc.RedirectURIs,
		Scopes: cc.Scopes, Workers: cc.Workers, Signers: cc.Signers}
	if c.Auth == "" {
		c.Auth = AuthSecretBasic
	}
	if !validID.MatchString(c.ID) {
		return c, errors.New("id must be 1 to 64 letters, digits, dots, dashes, underscores")
	}
	if err := checkName(c.Name); err != nil {
		return c, err
	}
	if len(c.Scopes) == 0 {
		return c, errors.New("scopes is empty: name service, credential or both")
	}
	for _, s := range c.Scopes {
		if s != csc.ScopeService && s != csc.ScopeCredential {
			return c, fmt.Errorf("scope %.40q does not exist: service, credential", s)
		}
	}
	if c.HasScope(csc.ScopeCredential) && len(c.RedirectURIs) == 0 {
		return c, errors.New("scope credential needs redirect_uris")
	}
	for _, u := range c.RedirectURIs {
		if err := checkRedirect(u); err != nil {
			return c, err
		}
	}
	return c, cc.loadAuth(&c)
}

func (cc ClientConfig) loadAuth(c *Client) (err error) {
	switch c.Auth {
	case AuthSecretBasic, AuthSecretPost:
		if cc.JWKSFile != "" || (cc.SecretFile == "") == (cc.SecretSHA256 == "") {
			return fmt.Errorf("%s needs exactly one of secret_file and secret_sha256, and no jwks_file", c.Auth)
		}
		c.secretSHA256, err = cc.secret()
		return err
	case AuthPrivateKeyJWT:
		if cc.JWKSFile == "" || cc.SecretFile != "" || cc.SecretSHA256 != "" {
			return errors.New("private_key_jwt needs jwks_file and no secret")
		}
		text, err := os.ReadFile(cc.JWKSFile)
		if err != nil {
			return err
		}
		c.jwks, err = parseJWKS(text)
		return err
	}
	return fmt.Errorf("auth %.40q does not exist: %s, %s, %s", c.Auth, AuthSecretBasic, AuthSecretPost, AuthPrivateKeyJWT)
}

func (cc ClientConfig) secret() (string, error) {
	if cc.SecretSHA256 != "" {
		b, err := hex.DecodeString(cc.SecretSHA256)
		if err != nil || len(b) != sha256.Size {
			return "", errors.New("secret_sha256 must be 64 hex digits")
		}
		return hex.EncodeToString(b), nil
	}
	s, err := config.ReadSecret(cc.SecretFile)
	if err != nil {
		return "", err
	}
	defer s.Wipe()
	if s.Len() < 32 {
		return "", fmt.Errorf("%s is shorter than 32 characters: make one with openssl rand -hex 32", cc.SecretFile)
	}
	sum := sha256.Sum256(s.Reveal())
	return hex.EncodeToString(sum[:]), nil
}

func checkName(name string) error {
	if name == "" || len([]rune(name)) > 100 || strings.TrimSpace(name) != name {
		return errors.New("name must have 1 to 100 characters, none of them a space at either end")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return errors.New("name has a character that cannot be shown")
		}
	}
	return nil
}

// checkRedirect refuses what must never be the target of a code: plain http but
// to this machine, a fragment, user information, and script-like schemes.
func checkRedirect(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Fragment != "" || strings.Contains(s, "#") || u.User != nil || u.String() != s {
		return fmt.Errorf("redirect URI %.200q cannot be used: it must be absolute, without fragment and user part", s)
	}
	switch u.Scheme {
	case "https":
		if u.Host != "" {
			return nil
		}
	case "http":
		if h := u.Hostname(); h == "localhost" || h == "127.0.0.1" || h == "::1" {
			return nil
		}
	default:
		// An app's own scheme (RFC 8252 section 7.1) has a dot in it.
		if strings.Contains(u.Scheme, ".") || u.Scheme == "rqes" {
			return nil
		}
	}
	return fmt.Errorf("redirect URI %.200q cannot be used: https, http to this machine, or an app's scheme with a dot", s)
}

// signingAlgs are accepted in client assertions.
var signingAlgs = []oidc.SignatureAlgorithm{oidc.ES256, oidc.ES384, oidc.PS256}

func parseJWKS(text []byte) (*oidc.JSONWebKeySet, error) {
	if len(text) > 64<<10 {
		return nil, errors.New("the JWKS file is larger than 64 KiB")
	}
	var set oidc.JSONWebKeySet
	if err := set.UnmarshalJSON(text); err != nil {
		return nil, fmt.Errorf("the JWKS file holds no usable key: %w", err)
	}
	seen := map[string]bool{}
	for _, k := range set.Keys {
		if !k.Valid() || !k.IsPublic() {
			return nil, errors.New("the JWKS file must hold public keys only")
		}
		if k.KeyID == "" || seen[k.KeyID] {
			return nil, errors.New("every key of the JWKS file needs a kid of its own")
		}
		seen[k.KeyID] = true
		if !slices.Contains(signingAlgs, oidc.SignatureAlgorithm(k.Algorithm)) {
			return nil, fmt.Errorf("key %.64q has alg %.20q; ES256, ES384 and PS256 are served", k.KeyID, k.Algorithm)
		}
		if !fits(k) {
			return nil, fmt.Errorf("key %.64q does not fit its alg %s", k.KeyID, k.Algorithm)
		}
	}
	return &set, nil
}

// fits tells whether a key belongs to its algorithm: the libraries below verify
// ES256 with a key of another curve.
func fits(k oidc.JSONWebKey) bool {
	switch pub := k.Key.(type) {
	case *ecdsa.PublicKey:
		return k.Algorithm == string(oidc.ES256) && pub.Curve == elliptic.P256() ||
			k.Algorithm == string(oidc.ES384) && pub.Curve == elliptic.P384()
	case *rsa.PublicKey:
		return k.Algorithm == string(oidc.PS256) && pub.N.BitLen() >= 2048
	}
	return false
}

// library returns the client as go-oidc wants it.
func (c Client) library() *oidc.Client {
	lc := &oidc.Client{ID: c.ID, Secret: c.secretSHA256}
	lc.Name = c.Name
	lc.RedirectURIs = c.RedirectURIs
	lc.ScopeIDs = strings.Join(c.Scopes, " ")
	lc.TokenAuthnMethod = oidc.AuthnMethod(c.Auth)
	if c.jwks != nil {
		lc.JWKS = c.jwks
	}
	if c.HasScope(csc.ScopeService) {
		lc.GrantTypes = append(lc.GrantTypes, oidc.GrantClientCredentials)
	}
	if len(c.RedirectURIs) > 0 {
		lc.GrantTypes = append(lc.GrantTypes, oidc.GrantAuthorizationCode)
		lc.ResponseTypes = []oidc.ResponseType{oidc.ResponseTypeCode}
	}
	lc.AuthDetailTypes = []oidc.AuthDetailType{csc.DetailCredential, csc.DetailCredential2025}
	return lc
}

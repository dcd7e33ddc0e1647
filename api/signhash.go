package api

import (
	"crypto"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/signapp"
)

// signHash hands out the signatures that the module made when the signer
// approved the credential token's operation (CSC 11.10). It can sign nothing:
// the digests must be, in this order, those that the approval covered. The
// token works for one request; its byte-identical repetition gets the same
// answer for a while.
func (a *API) signHash(c *call) error {
	text, err := c.body()
	if err != nil {
		return err
	}
	m, err := decodeMembers(text)
	if err != nil {
		return err
	}
	id, err := a.sadOf(c, m)
	if err != nil {
		return err
	}
	mode, err := operationMode(m)
	if err != nil {
		return err
	}
	if err := a.checkSignHash(m, *id.Bound); err != nil {
		return err
	}
	op, err := a.approvedOperation(c, *id.Bound)
	if err != nil {
		return err
	}
	if err := a.spend(c, id, text); err != nil {
		return err
	}
	if mode == "A" {
		return c.json(http.StatusOK, csc.Response{ResponseID: op.ID})
	}
	return c.json(http.StatusOK, signatures(op))
}

func signatures(op *signapp.Operation) csc.Signatures {
	out := csc.Signatures{}
	for _, s := range op.Signatures {
		out.Signatures = append(out.Signatures, base64.StdEncoding.EncodeToString(s))
	}
	return out
}

// sadOf finds the credential token: the bearer itself, or the SAD member next
// to a service token of the same client (and the same signer, when the service
// token stands for one).
func (a *API) sadOf(c *call, m members) (oauth.Identity, error) {
	sad, err := m.str("SAD")
	if err != nil {
		return oauth.Identity{}, err
	}
	if c.id.Bound != nil {
		if own, _ := bearer(c.r); sad != "" && sad != own {
			return oauth.Identity{}, refuse("Invalid parameter SAD")
		}
		return c.id, nil
	}
	if sad == "" {
		return oauth.Identity{}, refuse("Missing (or invalid type) string parameter SAD")
	}
	id, err := a.oauth.Credential(c.ctx(), sad)
	if errors.Is(err, oauth.ErrToken) {
		return oauth.Identity{}, refuse("Invalid parameter SAD")
	}
	if err != nil {
		return oauth.Identity{}, err
	}
	if id.Client.ID != c.id.Client.ID || c.id.Signer != "" && c.id.Signer != id.Signer {
		return oauth.Identity{}, refuse("Invalid parameter SAD")
	}
	return id, nil
}

func operationMode(m members) (string, error) {
	mode, err := m.str("operationMode")
	if err != nil || mode != "" && mode != "S" && mode != "A" {
		return "", refuse("Invalid parameter operationMode")
	}
	if mode == "A" {
		uri, err := m.str("response_uri")
		if err != nil || uri != "" {
			// A call to an address of the client's choice from inside the
			// service's network is not offered (SSRF).
			return "", refuse("Invalid parameter response_uri")
		}
	}
	return mode, nil
}

// checkSignHash compares the request with what the token stands for.
func (a *API) checkSignHash(m members, b oauth.Bound) error {
	m.alias("hashes", "hash")
	m.alias("hashAlgorithmOID", "hashAlgo")
	credentialID, err := m.need("credentialID")
	if err != nil {
		return err
	}
	if credentialID != csc.CredentialID(b.Signer, b.Key) {
		return refuse("Invalid parameter credentialID")
	}
	hashes, err := m.hashList(a.cfg.Limits.Hashes)
	if err != nil {
		return err
	}
	alg, err := signAlgorithm(m)
	if err != nil {
		return err
	}
	for _, h := range hashes {
		if len(h) != alg.Hash().Size() {
			return refuse("Invalid digest value length")
		}
	}
	if alg != b.Alg {
		return refuse("Invalid parameter signAlgo")
	}
	if !oauth.SameHashes(hashes, b.Hashes) {
		return refuse("Hash is not authorized by the SAD")
	}
	return nil
}

func signAlgorithm(m members) (algo.Algorithm, error) {
	oid, err := m.str("hashAlgorithmOID")
	if err != nil {
		return 0, err
	}
	var h crypto.Hash
	if oid != "" {
		if h, err = csc.ParseHash(oid); err != nil {
			return 0, refuse("Invalid parameter hashAlgorithmOID")
		}
	}
	name, err := m.need("signAlgo")
	if err != nil {
		return 0, err
	}
	params, err := m.str("signAlgoParams")
	if err != nil {
		return 0, err
	}
	if name == csc.OIDPSS && params != "" {
		ph, err := pssHash(params)
		if err != nil || h != 0 && h != ph {
			return 0, refuse("Invalid parameter signAlgoParams")
		}
		h = ph
	}
	alg, err := csc.ParseSign(name, h)
	switch {
	case err == nil:
		return alg, nil
	case h != 0:
		if _, alone := csc.ParseSign(name, 0); alone == nil {
			return 0, refuse("String parameter hashAlgorithmOID contradicts with signAlgo parameter")
		}
	case name == csc.OIDRSA || name == csc.OIDEC || name == csc.OIDPSS:
		return 0, refuse("Missing (or invalid type) string parameter hashAlgorithmOID")
	}
	return 0, refuse("Invalid parameter signAlgo")
}

type algorithmID struct {
	Algorithm  asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

// pssParams is RSASSA-PSS-params (RFC 4055 section 3.1).
type pssParams struct {
	Hash    algorithmID `asn1:"explicit,tag:0"`
	MGF     algorithmID `asn1:"explicit,tag:1"`
	Salt    int         `asn1:"explicit,tag:2"`
	Trailer int         `asn1:"optional,explicit,tag:3,default:1"`
}

var oidMGF1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}

// pssHash accepts the one form per digest that is served: MGF1 with the same
// digest, a salt of its length, trailer 1.
func pssHash(params string) (crypto.Hash, error) {
	der, err := lenientBase64(params)
	if err != nil || len(der) > 128 {
		return 0, errParameter
	}
	var p pssParams
	if rest, err := asn1.Unmarshal(der, &p); err != nil || len(rest) > 0 {
		return 0, errParameter
	}
	var inner algorithmID
	if rest, err := asn1.Unmarshal(p.MGF.Parameters.FullBytes, &inner); err != nil || len(rest) > 0 {
		return 0, errParameter
	}
	h, err := csc.ParseHash(p.Hash.Algorithm.String())
	if err != nil || !p.MGF.Algorithm.Equal(oidMGF1) || !inner.Algorithm.Equal(p.Hash.Algorithm) || p.Salt != h.Size() || p.Trailer != 1 {
		return 0, errParameter
	}
	return h, nil
}

// approvedOperation fetches the token's operation and looks again that it is
// what the token says.
func (a *API) approvedOperation(c *call, b oauth.Bound) (*signapp.Operation, error) {
	op, err := a.cfg.Operations.Get(c.ctx(), c.client(), b.Operation)
	if errors.Is(err, signapp.ErrNotFound) {
		return nil, refuse("Invalid parameter SAD")
	}
	if err != nil {
		return nil, err
	}
	fits := op.Client.ID == c.id.Client.ID && op.Signer == b.Signer && op.Key == b.Key && op.Alg == b.Alg.String() &&
		op.State == signapp.StateFinished && len(op.Items) == len(b.Hashes) && len(op.Signatures) == len(b.Hashes)
	for i := 0; fits && i < len(b.Hashes); i++ {
		p := op.Items[i].Prepared
		fits = p != nil && string(p.DTBSR) == string(b.Hashes[i])
	}
	if !fits {
		return nil, refuse("Hash is not authorized by the SAD")
	}
	return op, nil
}

// spend uses the token up for this request.
func (a *API) spend(c *call, id oauth.Identity, text []byte) error {
	err := a.oauth.Spend(c.ctx(), id, sum(string(text)))
	outcome := "ok"
	switch {
	case errors.Is(err, oauth.ErrSpent):
		outcome, err = "spent", refuse("Invalid parameter SAD")
	case errors.Is(err, oauth.ErrTokenExpired):
		outcome = "expired"
		if c.id.Bound == nil {
			err = refuse("SAD expired")
		}
	case errors.Is(err, oauth.ErrToken):
		outcome = "revoked"
	case err != nil:
		outcome = "error"
	}
	a.metrics.tokens.WithLabelValues(outcome).Inc()
	return err
}

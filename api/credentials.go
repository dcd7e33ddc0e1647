package api

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap/sapclient"
)

const stateActive = "active"

// cscTime is the form of times in certificates' members.
const cscTime = "20060102150405Z"

// view is which parts of a credential a client wants to see.
type view struct {
	certificates string // none, single, chain
	certInfo     bool
}

func readView(m members) (v view, err error) {
	if v.certificates, err = m.str("certificates"); err != nil {
		return v, refuse("Invalid parameter certificates")
	}
	orElse(&v.certificates, "single")
	if v.certificates != "none" && v.certificates != "single" && v.certificates != "chain" {
		return v, refuse("Invalid parameter certificates")
	}
	if v.certInfo, err = m.flag("certInfo"); err != nil {
		return v, err
	}
	_, err = m.flag("authInfo")
	return v, err
}

// credentialsList lists a signer's credentials (CSC 11.4): the token's own
// signer, or, for a client's token, the one of userID.
func (a *API) credentialsList(c *call, m members) (csc.List, error) {
	userID, err := m.str("userID")
	if err != nil {
		return csc.List{}, refuse("Invalid parameter userID")
	}
	switch {
	case c.id.Signer != "" && userID != "":
		return csc.List{}, refuse("userID parameter MUST be null")
	case c.id.Signer != "":
		userID = c.id.Signer
	case userID == "":
		return csc.List{}, refuse("Invalid parameter userID")
	}
	v, err := readView(m)
	if err != nil {
		return csc.List{}, err
	}
	withInfo, err := m.flag("credentialInfo")
	if err != nil {
		return csc.List{}, err
	}
	onlyValid, err := m.flag("onlyValid")
	if err != nil {
		return csc.List{}, err
	}
	// A signer whom the client may not deal with looks like one without keys.
	list, err := a.credentials(c, userID)
	if err != nil && classify(err).status != 403 {
		return csc.List{}, err
	}
	out := csc.List{CredentialIDs: []string{}, OnlyValid: onlyValid}
	for _, cr := range list {
		leaf, ok := leafOf(cr)
		if !ok || cr.State == "destroyed" || onlyValid && (cr.State != stateActive || a.certStatus(leaf) != "valid") {
			continue
		}
		out.CredentialIDs = append(out.CredentialIDs, csc.CredentialID(cr.Signer, cr.Key))
		if withInfo {
			info, err := a.credentialInfo(cr, leaf, v)
			if err != nil {
				return csc.List{}, err
			}
			info.CredentialID = csc.CredentialID(cr.Signer, cr.Key)
			out.CredentialInfos = append(out.CredentialInfos, info)
		}
	}
	return out, nil
}

// credentialsInfo describes one credential (CSC 11.5).
func (a *API) credentialsInfo(c *call, m members) (csc.CredentialInfo, error) {
	id, err := m.need("credentialID")
	if err != nil {
		return csc.CredentialInfo{}, err
	}
	v, err := readView(m)
	if err != nil {
		return csc.CredentialInfo{}, err
	}
	cr, leaf, err := a.credential(c, id)
	if err != nil {
		return csc.CredentialInfo{}, err
	}
	return a.credentialInfo(cr, leaf, v)
}

// credential finds a credential that the token may see. Unknown and foreign
// ones get the same answer.
func (a *API) credential(c *call, id string) (sapclient.Credential, *x509.Certificate, error) {
	unknown := refuse("Invalid parameter credentialID")
	signer, key, ok := csc.SplitCredentialID(id)
	if !ok || allowedSigner(c.id, signer) != nil {
		return sapclient.Credential{}, nil, unknown
	}
	list, err := a.credentials(c, signer)
	if err != nil {
		return sapclient.Credential{}, nil, err
	}
	i := slices.IndexFunc(list, func(cr sapclient.Credential) bool { return cr.Key == key && cr.Signer == signer })
	if i < 0 {
		return sapclient.Credential{}, nil, unknown
	}
	leaf, ok := leafOf(list[i])
	if !ok {
		return sapclient.Credential{}, nil, unknown
	}
	return list[i], leaf, nil
}

// leafOf returns the certificate; a key without one is no credential yet.
func leafOf(cr sapclient.Credential) (*x509.Certificate, bool) {
	if len(cr.Chain) == 0 {
		return nil, false
	}
	leaf, err := x509.ParseCertificate(cr.Chain[0])
	return leaf, err == nil
}

func (a *API) certStatus(leaf *x509.Certificate) string {
	if a.cfg.Clock.Now().After(leaf.NotAfter) {
		return "expired"
	}
	return "valid"
}

func (a *API) credentialInfo(cr sapclient.Credential, leaf *x509.Certificate, v view) (csc.CredentialInfo, error) {
	kt, err := algo.KeyTypeOf(leaf.PublicKey)
	if err != nil {
		return csc.CredentialInfo{}, fmt.Errorf("%w: %w", errInternal, err)
	}
	out := csc.CredentialInfo{Key: csc.Key{Status: "disabled"}, Cert: csc.Cert{Status: a.certStatus(leaf)},
		Auth: csc.Auth{Mode: "oauth2code"}, SCAL: scal(cr), Multisign: a.cfg.Limits.Hashes, Assurance: cr.Assurance,
		Description: "Signature key, assurance " + cr.Assurance}
	if cr.State == stateActive {
		out.Key.Status = "enabled"
	}
	out.Key.Len, out.Key.Curve = csc.KeySize(kt)
	for _, name := range cr.Algs {
		alg, err := algo.Parse(name)
		if err != nil {
			return csc.CredentialInfo{}, fmt.Errorf("%w: %w", errInternal, err)
		}
		if oid := csc.SignOID(alg); !slices.Contains(out.Key.Algo, oid) {
			out.Key.Algo = append(out.Key.Algo, oid)
		}
	}
	out.Key.Algo = append(out.Key.Algo, csc.KeyOID(kt))
	chain := cr.Chain
	switch v.certificates {
	case "none":
		chain = nil
	case "single":
		chain = chain[:1]
	}
	for _, der := range chain {
		out.Cert.Certificates = append(out.Cert.Certificates, base64.StdEncoding.EncodeToString(der))
	}
	if v.certInfo {
		out.Cert.IssuerDN, out.Cert.SubjectDN = leaf.Issuer.String(), leaf.Subject.String()
		out.Cert.SerialNumber = fmt.Sprintf("%x", leaf.SerialNumber)
		out.Cert.ValidFrom, out.Cert.ValidTo = leaf.NotBefore.UTC().Format(cscTime), leaf.NotAfter.UTC().Format(cscTime)
	}
	return out, nil
}

// scal is CSC's SCAL member. It tells a client one thing: whether an
// authorization must name the digests ("2") or not ("1"), clauses 8.2 and 11.5.
// It is "2" exactly when the key has an activation carrier, for then the module
// uses it only with activation data that a signer's device made over those
// digests; clients that would read "1" leave the digests out and get nothing.
// It is no claim about the token: that is the module's computed label in the
// member assurance, which for a software token says "development", and
// signatureQualifier is never sent for such a key.
func scal(cr sapclient.Credential) string {
	if cr.Carrier == "" {
		return "1"
	}
	return "2"
}

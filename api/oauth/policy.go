package oauth

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	oidc "github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
)

// pushed runs when the library has accepted a pushed request; the front parsed
// its CSC parameters from the same form.
func (s *Server) pushed(ctx context.Context, as *oidc.AuthnSession, c *oidc.Client) error {
	// The library compares what url.Parse makes of the address; here the
	// characters are compared (RFC 9700 section 2.1).
	if !containsExactly(c.RedirectURIs, as.RedirectURI) {
		return oidc.NewError(oidc.ErrorCodeInvalidRequest, "redirect_uri is not registered for the client")
	}
	sk := sinkOf(ctx)
	if sk == nil || as.Scopes != csc.ScopeCredential {
		return nil
	}
	if sk.request == nil {
		return oidc.NewError(oidc.ErrorCodeInvalidRequest, "Missing (or invalid type) string parameter credentialID")
	}
	b, err := json.Marshal(sk.request)
	if err != nil {
		return err
	}
	as.Store[storeRequest] = string(b)
	return nil
}

// flow is one step of the browser's way.
type flow struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	as     *oidc.AuthnSession
	client Client
}

// authenticate is the library's policy: it runs at authorize and at every
// return of the browser to the session's own address, until it says success or
// failure.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request, as *oidc.AuthnSession, c *oidc.Client) (oidc.Status, error) {
	client, known := s.clients[c.ID]
	if !known {
		return oidc.StatusFailure, oidc.NewError(oidc.ErrorCodeUnauthorizedClient, "unknown client")
	}
	f := &flow{s: s, w: w, r: r, as: as, client: client}
	if !f.bindBrowser() {
		s.errorPage(w, wireError{http.StatusForbidden, csc.ErrAccessDenied, "This address belongs to a request that was started in another browser"})
		return oidc.StatusPending, nil
	}
	switch as.Scopes {
	case "":
		as.Scopes = csc.ScopeService
	case csc.ScopeService, csc.ScopeCredential:
	default:
		return f.fail(oidc.ErrorCodeInvalidScope, "ask for service or for credential, not both")
	}
	var req CredentialRequest
	if as.Scopes == csc.ScopeCredential && !storeJSON(as.Store, storeRequest, &req) {
		return f.fail(oidc.ErrorCodeInvalidRequest, "scope credential needs a pushed authorization request")
	}
	signer, status, err := f.login()
	if status != oidc.StatusSuccess {
		return status, err
	}
	if as.Scopes == csc.ScopeService {
		// No consent page: clients are the operator's choice, and what this opens
		// is the signer's own list of certificates and asking this signer, which
		// the signer then approves or not.
		return f.succeed(signer, nil)
	}
	if storeString(as.Store, storeOperation) == "" {
		return f.start(signer, req)
	}
	return f.resume(signer)
}

func (f *flow) fail(code oidc.ErrorCode, text string) (oidc.Status, error) {
	return oidc.StatusFailure, oidc.NewError(code, text)
}

func (f *flow) path() string { return PathAuthorize + "/" + f.as.ID }

// bindBrowser ties the session to the browser that started it: whoever learns
// the session's address cannot continue it elsewhere, and nobody can be led
// into a session that somebody else began (RFC 9700 section 4.7).
func (f *flow) bindBrowser() bool {
	name := f.s.cookieName()
	cookie, err := f.r.Cookie(name)
	have := err == nil && isSecret("", cookie.Value)
	if want := storeString(f.as.Store, storeBrowser); want != "" {
		return have && hashID(cookie.Value) == want
	}
	var value string
	if have {
		value = cookie.Value
	} else {
		value = newSecret("")
	}
	// Lax: the way back from the client's site and from the signing origin is a
	// top-level navigation.
	http.SetCookie(f.w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: sessionLife,
		HttpOnly: true, Secure: f.s.secure, SameSite: http.SameSiteLaxMode})
	f.as.Store[storeBrowser] = hashID(value)
	return true
}

func (s *Server) cookieName() string {
	if s.secure {
		return "__Host-assent_authorize"
	}
	return "assent_authorize"
}

// login makes sure that a signer is logged in, the same during the whole
// session. prompt=login shows the login page even so, once.
func (f *flow) login() (string, oidc.Status, error) {
	signer, ok := f.s.cfg.Portal.SignerOf(f.r)
	shown := storeString(f.as.Store, storeLogin) != ""
	if !ok || f.as.Prompt == oidc.PromptTypeLogin && !shown {
		if f.as.Prompt == oidc.PromptTypeNone {
			status, err := f.fail(oidc.ErrorCodeLoginRequired, "the signer is not logged in")
			return "", status, err
		}
		f.as.Store[storeLogin] = "1"
		http.Redirect(f.w, f.r, f.s.cfg.Portal.LoginURL(f.path()), http.StatusFound)
		return "", oidc.StatusPending, nil
	}
	if was := storeString(f.as.Store, storeSigner); was != "" && was != signer {
		status, err := f.fail(oidc.ErrorCodeAccessDenied, "another signer logged in")
		return "", status, err
	}
	if !f.client.MayAsk(signer) {
		status, err := f.fail(oidc.ErrorCodeAccessDenied, "the client may not ask this signer")
		return "", status, err
	}
	f.as.Store[storeSigner] = signer
	return signer, oidc.StatusSuccess, nil
}

func (f *flow) succeed(signer string, b *Bound) (oidc.Status, error) {
	f.as.Subject, f.as.GrantedScopes = signer, f.as.Scopes
	delete(f.as.Store, storeRequest)
	delete(f.as.Store, storeCredential)
	if b != nil {
		text, err := json.Marshal(b)
		if err != nil || !b.valid() {
			return oidc.StatusFailure, errors.Join(err, errors.New("approved operation has no meaning as a token"))
		}
		f.as.Store[storeCredential] = string(text)
		f.as.GrantedAuthDetails = f.as.AuthDetails
	}
	return oidc.StatusSuccess, nil
}

func (f *flow) asker() signapp.Client { return signapp.Client{ID: f.client.ID, Name: f.client.Name} }

// start finds or makes the operation that the signer is to approve.
func (f *flow) start(signer string, req CredentialRequest) (oidc.Status, error) {
	var op *signapp.Operation
	var err error
	if req.Operation != "" {
		op, err = f.prepared(signer, req)
	} else {
		op, err = f.create(signer, req)
	}
	if err != nil {
		return f.refuseStart(err)
	}
	f.as.Store[storeOperation] = op.ID
	if req.Operation != "" {
		// Its return address is the one it was created with, so this window
		// stays and asks again.
		f.s.waitPage(f.w, f.path(), f.client.Name)
		return oidc.StatusPending, nil
	}
	return f.toSigningOrigin(op.ID)
}

func (f *flow) refuseStart(err error) (oidc.Status, error) {
	pe := (*paramError)(nil)
	switch {
	case errors.As(err, &pe):
		return f.fail(oidc.ErrorCodeInvalidRequest, pe.text)
	case errors.Is(err, signapp.ErrInput), errors.Is(err, signapp.ErrNotFound), errors.Is(err, signapp.ErrTooLarge), errors.Is(err, signapp.ErrTooMany), errors.Is(err, signapp.ErrQuota), errors.Is(err, signapp.ErrPaused):
		return oidc.StatusFailure, oidc.WrapError(oidc.ErrorCodeInvalidRequest, "the request cannot be served", err)
	case errors.Is(err, signapp.ErrRefused):
		return oidc.StatusFailure, oidc.WrapError(oidc.ErrorCodeAccessDenied, "access denied", err)
	}
	f.s.cfg.Log.ErrorContext(f.r.Context(), "oauth: operation could not be made", "client", f.client.ID, "error", err)
	return oidc.StatusFailure, oidc.WrapError(csc.ErrUnavailable, "the service cannot answer now", err)
}

// create makes an operation over exactly the digests of the request.
func (f *flow) create(signer string, req CredentialRequest) (*signapp.Operation, error) {
	alg, err := f.algorithm(signer, req)
	if err != nil {
		return nil, err
	}
	_, key, _ := csc.SplitCredentialID(req.CredentialID)
	n := signapp.NewOperation{Signer: signer, Key: key, Alg: alg.String(), Purpose: purpose(f.client.Name, req.Description),
		Lifetime: f.s.cfg.OperationLife, ReturnURL: f.s.cfg.Issuer + f.path()}
	for i, h := range req.Hashes {
		item := signapp.NewItem{Digest: h, Name: fmt.Sprintf("digest %d of %d", i+1, len(req.Hashes))}
		if i < len(req.Labels) && req.Labels[i] != "" {
			item.Name = req.Labels[i]
		}
		n.Items = append(n.Items, item)
	}
	return f.s.cfg.Operations.Create(f.r.Context(), f.asker(), n)
}

// purpose is what the signer reads and approves: who asks, and what the client
// says about it, cut to what a SAD may carry.
func purpose(name, description string) string {
	if description == "" {
		return name
	}
	text := []rune(name + ": " + description)
	if len(text) > sap.MaxText {
		text = append(text[:sap.MaxText-1], '…')
	}
	return string(text)
}

// algorithm finds the signer's credential and the algorithm by which the
// digests are to be signed. Somebody else's credential and an unknown one get
// the same answer.
func (f *flow) algorithm(signer string, req CredentialRequest) (algo.Algorithm, error) {
	owner, key, ok := csc.SplitCredentialID(req.CredentialID)
	if !ok || owner != signer {
		return 0, invalid("credentialID")
	}
	list, err := f.s.cfg.Credentials.Credentials(f.r.Context(), signer)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(list, func(c sapclient.Credential) bool { return c.Key == key && c.Signer == signer })
	if i < 0 {
		return 0, invalid("credentialID")
	}
	c := list[i]
	switch {
	case c.State != "active":
		return 0, &paramError{text: "The credential identified by credentialID is disabled"}
	case !c.Raw:
		// Bare digests show the signer nothing; the officer allows them per
		// credential (design 4, step 3).
		return 0, &paramError{text: "The credential identified by credentialID does not sign digests of unseen content"}
	case f.certificateOver(c):
		return 0, &paramError{text: "Signing certificate is expired"}
	}
	for _, name := range c.Algs {
		a, err := algo.Parse(name)
		if err != nil || a.Hash() != req.Hash {
			continue
		}
		if want, err := csc.ParseSign(req.SignAlgo, req.Hash); req.SignAlgo == "" || err == nil && want == a {
			return a, nil
		}
	}
	if req.SignAlgo != "" {
		return 0, invalid("signAlgo")
	}
	return 0, invalid("hashAlgorithmOID")
}

// certificateOver tells whether the credential's certificate is over. The SAM
// decides; this only spares the signer a useless approval.
func (f *flow) certificateOver(c sapclient.Credential) bool {
	if len(c.Chain) == 0 {
		return true
	}
	cert, err := x509.ParseCertificate(c.Chain[0])
	return err != nil || f.s.cfg.Clock.Now().After(cert.NotAfter)
}

// prepared takes an operation that the client prepared by the native API, whose
// documents the signer will see.
func (f *flow) prepared(signer string, req CredentialRequest) (*signapp.Operation, error) {
	op, err := f.s.cfg.Operations.Get(f.r.Context(), f.asker(), req.Operation)
	if errors.Is(err, signapp.ErrNotFound) {
		return nil, invalid("operation")
	}
	if err != nil {
		return nil, err
	}
	if op.Client.ID != f.client.ID || op.Signer != signer || op.State.Terminal() {
		return nil, invalid("operation")
	}
	if req.CredentialID != "" && req.CredentialID != csc.CredentialID(op.Signer, op.Key) {
		return nil, invalid("credentialID")
	}
	hashes, ok := digests(op)
	if !ok {
		return nil, invalid("operation")
	}
	if len(req.Hashes) > 0 && !SameHashes(req.Hashes, hashes) {
		return nil, invalid("hashes")
	}
	return op, nil
}

// digests returns what an operation's key use signs, in order.
func digests(op *signapp.Operation) ([][]byte, bool) {
	var out [][]byte
	for _, it := range op.Items {
		if it.Prepared == nil || len(it.Prepared.DTBSR) == 0 {
			return nil, false
		}
		out = append(out, it.Prepared.DTBSR)
	}
	return out, len(out) > 0
}

func (f *flow) toSigningOrigin(opID string) (oidc.Status, error) {
	target, err := f.s.cfg.Portal.ApprovalTicketURL(f.r.Context(), f.r, opID)
	if err != nil {
		return f.refuseStart(fmt.Errorf("no ticket: %w", err))
	}
	http.Redirect(f.w, f.r, target, http.StatusFound)
	return oidc.StatusPending, nil
}

// resume looks what became of the operation.
func (f *flow) resume(signer string) (oidc.Status, error) {
	id := storeString(f.as.Store, storeOperation)
	op, err := f.s.cfg.Operations.Get(f.r.Context(), f.asker(), id)
	if err == nil && (op.State == signapp.StateApproved || op.State == signapp.StateSigned) {
		ctx, cancel := context.WithTimeout(f.r.Context(), f.s.cfg.FinishWait)
		op, err = f.s.cfg.Operations.Wait(ctx, f.asker(), id)
		cancel()
	}
	if errors.Is(err, signapp.ErrNotFound) {
		return f.fail(oidc.ErrorCodeAccessDenied, "the request is gone")
	}
	if err != nil {
		f.s.cfg.Log.ErrorContext(f.r.Context(), "oauth: operation cannot be read", "error", err)
		f.s.waitPage(f.w, f.path(), f.client.Name)
		return oidc.StatusPending, nil
	}
	if op.Signer != signer || op.Client.ID != f.client.ID {
		return f.fail(oidc.ErrorCodeAccessDenied, "access denied")
	}
	switch op.State {
	case signapp.StateFinished:
		return f.approved(signer, op)
	case signapp.StateDeclined:
		return f.fail(oidc.ErrorCodeAccessDenied, "The signer declined")
	case signapp.StateCancelled, signapp.StateExpired:
		return f.fail(oidc.ErrorCodeAccessDenied, "The request was cancelled or is expired")
	case signapp.StateFailed:
		return f.fail(oidc.ErrorCodeAccessDenied, "The signature could not be made")
	}
	if f.r.URL.Query().Get("open") == "1" {
		return f.toSigningOrigin(op.ID)
	}
	f.s.waitPage(f.w, f.path(), f.client.Name)
	return oidc.StatusPending, nil
}

// approved turns a finished operation into what the token will stand for. The
// list of digests is the operation's own, not the request's.
func (f *flow) approved(signer string, op *signapp.Operation) (oidc.Status, error) {
	hashes, ok := digests(op)
	alg, err := algo.Parse(op.Alg)
	if !ok || err != nil || len(op.Signatures) != len(hashes) {
		return oidc.StatusFailure, oidc.WrapError(csc.ErrServerError, "the signature could not be used", errors.New("finished operation without fitting signatures"))
	}
	var req CredentialRequest
	if !storeJSON(f.as.Store, storeRequest, &req) || len(req.Hashes) > 0 && !SameHashes(req.Hashes, hashes) {
		return oidc.StatusFailure, oidc.WrapError(csc.ErrServerError, "the signature could not be used", errors.New("operation is over other digests than the request"))
	}
	return f.succeed(signer, &Bound{Operation: op.ID, Key: op.Key, Signer: signer, Alg: alg, Hashes: hashes})
}

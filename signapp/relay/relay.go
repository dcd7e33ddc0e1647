// Package relay serves the signer's app at the signing origin: it hands out
// exactly what is to be approved and passes approvals on to the module. The
// app believes nothing that it says; what can go wrong here is delay.
//
// Every call on an operation needs two things that do not travel together: the
// login session's cookie, which scripts cannot read, and the operation's token
// in a header, which another origin's form cannot send. The token works only in
// the session that opened the operation, so an approval prepared in one browser
// is worth nothing in another (T8, the 2024 BankID case).
package relay

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/time/rate"

	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/ration"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
)

// Sessions tells who is logged in at the app origin (portal.Portal).
type Sessions interface {
	Session(r *http.Request) (signapp.Session, bool)
}

// Enroller relays the enrolment of a signing authenticator (sapclient.Client).
// The application adds nothing and learns no secret: the officer's code never
// passes it.
type Enroller interface {
	EnrolBegin(ctx context.Context, id string) (sap.Signed, error)
	EnrolFinish(ctx context.Context, id string, registration []byte) (*sapclient.EnrolFinishOut, error)
}

// Config is what a Relay is made of. All but Teller, Proxies and Log is required.
type Config struct {
	Service       *signapp.Service
	Enroller      Enroller
	Keeper        Keeper
	Teller        signapp.Teller // tells how the module's keys follow one another; nil: they never change
	Sessions      Sessions
	SigningOrigin string         // the one origin whose scripts may call
	Proxies       ration.Proxies // whose X-Forwarded-For tells where a call comes from
	Log           *slog.Logger
}

// Relay is the endpoints under /sap/v1.
type Relay struct {
	cfg    Config
	enrols *rate.Limiter  // calls without a login, of all
	places *ration.Shares // the same, by address
	own    *ration.Shares // calls on a signer's passkeys, by signer
}

// New checks the configuration.
func New(cfg Config) (*Relay, error) {
	if cfg.Service == nil || cfg.Enroller == nil || cfg.Keeper == nil || cfg.Sessions == nil || cfg.SigningOrigin == "" {
		return nil, fmt.Errorf("relay: Config needs Service, Enroller, Keeper, Sessions and SigningOrigin")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	// Enrolment is the one thing that needs no login. Each call costs the
	// module an audited answer, so it is rationed; one address gets less than half, or it could keep
	// everybody from registering. What signers ask about their own passkeys has a ration of its own for each of
	// them: nobody may hold up who removes a stolen passkey, or stops one that was added (ENR-04).
	return &Relay{cfg: cfg, enrols: rate.NewLimiter(rate.Every(100*time.Millisecond), 20),
		places: ration.New(4, 15, clock.System{}), own: ration.New(1, 20, clock.System{})}, nil
}

// stranger takes a call without a login out of its ration.
func (h *Relay) stranger(r *http.Request) error {
	if h.places.Take(ration.Place(h.cfg.Proxies.Address(r))) > 0 || !h.enrols.Allow() {
		return errBusy
	}
	return nil
}

// Size limits of request bodies, in bytes.
const (
	maxSmall  = 4 << 10
	maxEnrol  = 128 << 10
	maxRedeem = 1 << 20
)

// Header is where the operation token travels.
const Header = "X-Assent-Operation-Token"

// Mount adds the endpoints to the app origin's router.
func (h *Relay) Mount(r chi.Router) {
	r.Route("/sap/v1", func(r chi.Router) {
		r.Use(h.cors)
		r.Post("/session", h.session)
		r.Get("/operations/{id}", serve(h, maxSmall, h.view))
		r.Post("/operations/{id}/request", serve(h, maxSmall, h.request))
		r.Post("/operations/{id}/onetime", serve(h, maxSmall, h.oneTime))
		r.Post("/operations/{id}/onetime/approve", serve(h, maxEnrol, h.oneTimeApprove))
		r.Post("/operations/{id}/onetime/end", serve(h, maxSmall, h.oneTimeEnd))
		r.Post("/operations/{id}/redeem", serve(h, maxRedeem, h.redeem))
		r.Post("/operations/{id}/decline", serve(h, maxSmall, h.decline))
		r.Post("/operations/{id}/stopped", serve(h, maxSmall, h.stopped))
		r.Get("/operations/{id}/receipt", h.receipt)
		r.Get("/operations/{id}/items/{i}/document", h.file(h.cfg.Service.ItemDocument))
		r.Get("/operations/{id}/items/{i}/result", h.file(h.cfg.Service.ItemResult))
		r.Post("/enrolment/begin", h.enrolBegin)
		r.Post("/enrolment/finish", h.enrolFinish)
		r.Post("/passkeys/list", own(h, maxSmall, h.passkeys))
		r.Post("/passkeys/change", own(h, maxSmall, h.changeBegin))
		r.Post("/passkeys/finish", own(h, maxEnrol, h.changeFinish))
		r.Get("/successions", h.successions)
		r.NotFound(func(w http.ResponseWriter, r *http.Request) { h.fail(w, r, signapp.ErrNotFound) })
		r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) { h.fail(w, r, errMethod) })
	})
}

type none struct{}

type sessionIn struct {
	Ticket string `json:"ticket"`
}

type sessionOut struct {
	Token     string        `json:"token"`
	Operation *signapp.View `json:"operation"`
}

func (h *Relay) session(w http.ResponseWriter, r *http.Request) {
	sess, ok := h.cfg.Sessions.Session(r)
	if !ok {
		h.fail(w, r, errLogin)
		return
	}
	var in sessionIn
	if err := decode(w, r, maxSmall, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	token, v, err := h.cfg.Service.OpenSession(r.Context(), sess, in.Ticket)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	reply(w, http.StatusOK, sessionOut{token, v})
}

func (h *Relay) view(ctx context.Context, g signapp.Grant, _ none) (*signapp.View, error) {
	return h.cfg.Service.View(ctx, g)
}

type requestOut struct {
	Request *sap.Signed `json:"request"`
}

func (h *Relay) request(ctx context.Context, g signapp.Grant, _ none) (requestOut, error) {
	req, err := h.cfg.Service.RequestActivation(ctx, g)
	return requestOut{req}, err
}

func (h *Relay) oneTime(ctx context.Context, g signapp.Grant, _ none) (requestOut, error) {
	req, err := h.cfg.Service.RequestOneTime(ctx, g)
	return requestOut{req}, err
}

type oneTimeIn struct {
	Statement string `json:"statement"` // base64url, as offered
	Proof     string `json:"proof"`     // base64url
}

func (h *Relay) oneTimeApprove(ctx context.Context, g signapp.Grant, in oneTimeIn) (*signapp.View, error) {
	statement, err := sap.UnB64(in.Statement)
	if err != nil {
		return nil, fmt.Errorf("%w: statement is not base64url", signapp.ErrInput)
	}
	proof, err := sap.UnB64(in.Proof)
	if err != nil {
		return nil, fmt.Errorf("%w: proof is not base64url", signapp.ErrInput)
	}
	return h.cfg.Service.ApproveOneTime(ctx, g, statement, proof)
}

func (h *Relay) oneTimeEnd(ctx context.Context, g signapp.Grant, _ none) (*signapp.View, error) {
	return h.cfg.Service.EndOneTime(ctx, g)
}

type redeemIn struct {
	SAD   string `json:"sad"`   // base64url
	Proof string `json:"proof"` // base64url
}

type redeemOut struct {
	State   signapp.State      `json:"state"`
	Receipt *sap.SignedReceipt `json:"receipt,omitempty"` // absent while the module cannot be reached
}

func (h *Relay) redeem(ctx context.Context, g signapp.Grant, in redeemIn) (redeemOut, error) {
	sad, err := sap.UnB64(in.SAD)
	if err != nil {
		return redeemOut{}, fmt.Errorf("%w: sad is not base64url", signapp.ErrInput)
	}
	proof, err := sap.UnB64(in.Proof)
	if err != nil {
		return redeemOut{}, fmt.Errorf("%w: proof is not base64url", signapp.ErrInput)
	}
	op, err := h.cfg.Service.Redeem(ctx, g, sad, proof)
	if err != nil {
		return redeemOut{}, err
	}
	return redeemOut{op.State, op.Receipt}, nil
}

type declineIn struct {
	Reason string `json:"reason"`
}

func (h *Relay) decline(ctx context.Context, g signapp.Grant, in declineIn) (*signapp.View, error) {
	return h.cfg.Service.Decline(ctx, g, in.Reason)
}

type stoppedIn struct {
	Code string `json:"code"`
}

// stopped is told by the signer's app, which waits for no answer.
func (h *Relay) stopped(ctx context.Context, g signapp.Grant, in stoppedIn) (none, error) {
	return none{}, h.cfg.Service.Stopped(ctx, g, in.Code)
}

type enrolIn struct {
	ID string `json:"id"`
}

func (h *Relay) enrolBegin(w http.ResponseWriter, r *http.Request) {
	var in enrolIn
	if err := h.enrolment(w, r, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	req, err := h.cfg.Enroller.EnrolBegin(r.Context(), in.ID)
	if err != nil {
		h.fail(w, r, signapp.ModuleError(err))
		return
	}
	reply(w, http.StatusOK, requestOut{&req})
}

type enrolFinishIn struct {
	ID           string `json:"id"`
	Registration string `json:"registration"` // base64url of the canonical sap.Registration
}

type enrolFinishOut struct {
	Signer     string `json:"signer"`
	Credential string `json:"credential"`
}

func (h *Relay) enrolFinish(w http.ResponseWriter, r *http.Request) {
	var in enrolFinishIn
	if err := h.enrolment(w, r, &in); err != nil {
		h.fail(w, r, err)
		return
	}
	reg, err := sap.UnB64(in.Registration)
	if err != nil {
		h.fail(w, r, fmt.Errorf("%w: registration is not base64url", signapp.ErrInput))
		return
	}
	out, err := h.cfg.Enroller.EnrolFinish(r.Context(), in.ID, reg)
	if err != nil {
		h.fail(w, r, signapp.ModuleError(err))
		return
	}
	reply(w, http.StatusOK, enrolFinishOut{out.Signer, out.Credential})
}

// enrolment is the entry of both enrolment calls: no login, so a ration.
func (h *Relay) enrolment(w http.ResponseWriter, r *http.Request, in any) error {
	if err := h.stranger(r); err != nil {
		return err
	}
	return decode(w, r, maxEnrol, in)
}

package relay

import (
	"context"
	"fmt"
	"net/http"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
)

// Keeper relays the changes of a signer's own authenticators (sapclient.Client). It
// decides nothing: the module wants the assertion of an authenticator that is
// there, and what it says of the state is signed (ENR-04).
type Keeper interface {
	Authenticators(ctx context.Context, in sapclient.AuthListIn) (sap.Signed, error)
	ChangeBegin(ctx context.Context, in sapclient.ChangeBeginIn) (sap.Signed, error)
	ChangeFinish(ctx context.Context, id string, change []byte) (*sapclient.ChangeFinishOut, error)
}

type passkeysIn struct {
	Nonce string `json:"nonce"` // base64url, 32 octets of the page's
	After int64  `json:"after"`
}

type passkeysOut struct {
	List sap.Signed `json:"list"`
}

type changeIn struct {
	Action string `json:"action"`
	Target string `json:"target"`
}

type changeFinishIn struct {
	ID     string `json:"id"`
	Change string `json:"change"` // base64url of the canonical sap.Change
}

// own is the frame of calls on the logged-in signer's authenticators (ENR-04): whose they
// are comes from the login session and from nothing that the page sends. They are
// rationed for each signer, since each costs the module an answer.
func own[In, Out any](h *Relay, limit int64, f func(context.Context, string, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sess, ok := h.cfg.Sessions.Session(r)
		if !ok {
			h.fail(w, r, errLogin)
			return
		}
		var in In
		err := decode(w, r, limit, &in)
		if err == nil && h.own.Take(sess.Signer) > 0 {
			err = errBusy
		}
		if err != nil {
			h.fail(w, r, err)
			return
		}
		out, err := f(r.Context(), sess.Signer, in)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		reply(w, http.StatusOK, out)
	}
}

func (h *Relay) passkeys(ctx context.Context, signer string, in passkeysIn) (passkeysOut, error) {
	list, err := h.cfg.Keeper.Authenticators(ctx, sapclient.AuthListIn{Signer: signer, Nonce: in.Nonce, After: in.After})
	if err != nil {
		return passkeysOut{}, signapp.ModuleError(err)
	}
	return passkeysOut{list}, nil
}

func (h *Relay) changeBegin(ctx context.Context, signer string, in changeIn) (requestOut, error) {
	req, err := h.cfg.Keeper.ChangeBegin(ctx, sapclient.ChangeBeginIn{Signer: signer, Action: in.Action, Target: in.Target})
	if err != nil {
		return requestOut{}, signapp.ModuleError(err)
	}
	return requestOut{&req}, nil
}

func (h *Relay) changeFinish(ctx context.Context, _ string, in changeFinishIn) (*sapclient.ChangeFinishOut, error) {
	change, err := sap.UnB64(in.Change)
	if err != nil {
		return nil, fmt.Errorf("%w: change is not base64url", signapp.ErrInput)
	}
	out, err := h.cfg.Keeper.ChangeFinish(ctx, in.ID, change)
	if err != nil {
		return nil, signapp.ModuleError(err)
	}
	return out, nil
}

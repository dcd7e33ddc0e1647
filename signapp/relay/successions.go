package relay

import (
	"net/http"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp"
)

type successionsOut struct {
	Successions []sap.SignedSuccession `json:"successions"`
}

// successions passes on how the module's statement keys follow one another (KPR-06). It is
// public: the signer's app believes it as far as it leads from the key that the app pins.
func (h *Relay) successions(w http.ResponseWriter, r *http.Request) {
	out := successionsOut{[]sap.SignedSuccession{}}
	if h.cfg.Teller == nil {
		reply(w, http.StatusOK, out)
		return
	}
	if err := h.stranger(r); err != nil { // each costs the module an answer
		h.fail(w, r, err)
		return
	}
	info, err := h.cfg.Teller.Info(r.Context())
	if err != nil {
		h.fail(w, r, signapp.ModuleError(err))
		return
	}
	reply(w, http.StatusOK, successionsOut{append(out.Successions, info.Successions...)})
}

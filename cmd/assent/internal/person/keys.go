package person

import (
	"context"
	"net/http"

	"github.com/assent-sign/assent/sap"
)

// learnKeys asks how the module's statement keys follow one another, as the signer's app
// does; the device believes what leads from the key that it pins.
func (p *Person) learnKeys(ctx context.Context) error {
	var out struct {
		Successions []sap.SignedSuccession `json:"successions"`
	}
	if err := p.relay(ctx, http.MethodGet, "/successions", "", nil, &out); err != nil {
		return err
	}
	p.Device.Successions = out.Successions
	return nil
}

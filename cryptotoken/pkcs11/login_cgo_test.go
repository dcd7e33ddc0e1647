//go:build cgo

package pkcs11

import (
	"errors"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

// shaky is a module whose C_Login answers in turn; nil lets in.
type shaky struct {
	answers []error
	flags   uint
	gone    *fault // of reopening

	entered, reopened int
}

func (s *shaky) enter(string) error {
	s.entered++
	return s.answers[s.entered-1]
}

func (s *shaky) reopen() (uint, *fault) {
	s.reopened++
	return s.flags, s.gone
}

// A PIN is tried a second time only after an answer that says nothing of it,
// four times in all, each on a module that was initialised anew, and never on a token that counts
// wrong PINs: what looks like a hiccup could be the next count.
func TestLoginIsRepeatedWithinBoundsAndNeverOnACountingToken(t *testing.T) {
	general, failed := p11.Error(p11.CKR_GENERAL_ERROR), p11.Error(p11.CKR_FUNCTION_FAILED)
	torn := p11.Error(p11.CKR_USER_PIN_NOT_INITIALIZED)
	wrong, unknown := p11.Error(p11.CKR_PIN_INCORRECT), p11.Error(p11.CKR_VENDOR_DEFINED+7)
	for name, c := range map[string]struct {
		module            shaky
		entered, reopened int
		status            byte // 0: logged in
	}{
		"at once":                        {shaky{answers: []error{nil}}, 1, 0, 0},
		"a hiccup":                       {shaky{answers: []error{general, nil}}, 2, 1, 0},
		"another hiccup":                 {shaky{answers: []error{failed, nil}}, 2, 1, 0},
		"a torn read":                    {shaky{answers: []error{torn, nil}}, 2, 1, 0},
		"three hiccups":                  {shaky{answers: []error{general, torn, failed, nil}}, 4, 3, 0},
		"four hiccups":                   {shaky{answers: []error{general, general, general, general}}, 4, 3, statusDevice},
		"never initialised":              {shaky{answers: []error{torn, torn, torn, torn}}, 4, 3, statusLocked},
		"hiccups, then a wrong PIN":      {shaky{answers: []error{torn, general, wrong}}, 3, 2, statusLocked},
		"a torn read, PIN count low":     {shaky{answers: []error{torn}, flags: p11.CKF_USER_PIN_COUNT_LOW}, 1, 1, statusLocked},
		"a wrong PIN":                    {shaky{answers: []error{wrong}}, 1, 0, statusLocked},
		"an unknown answer":              {shaky{answers: []error{unknown}}, 1, 0, statusLocked},
		"not the module's answer":        {shaky{answers: []error{errors.New("x")}}, 1, 0, statusDevice},
		"a hiccup, then a wrong PIN":     {shaky{answers: []error{general, wrong}}, 2, 1, statusLocked},
		"a hiccup, PIN count low":        {shaky{answers: []error{general}, flags: p11.CKF_USER_PIN_COUNT_LOW}, 1, 1, statusLocked},
		"a hiccup, final try":            {shaky{answers: []error{general}, flags: p11.CKF_USER_PIN_FINAL_TRY}, 1, 1, statusLocked},
		"a hiccup, locked":               {shaky{answers: []error{failed}, flags: p11.CKF_USER_PIN_LOCKED | p11.CKF_RNG}, 1, 1, statusLocked},
		"a hiccup, other flags":          {shaky{answers: []error{general, nil}, flags: p11.CKF_RNG | p11.CKF_LOGIN_REQUIRED | p11.CKF_TOKEN_INITIALIZED}, 2, 1, 0},
		"a hiccup, then nothing to open": {shaky{answers: []error{general}, gone: faultf(statusDevice, "gone")}, 1, 1, statusDevice},
	} {
		t.Run(name, func(t *testing.T) {
			f := login(&c.module, "1234")
			var status byte
			if f != nil {
				status = f.status
			}
			if status != c.status || c.module.entered != c.entered || c.module.reopened != c.reopened {
				t.Errorf("%v: %d calls of C_Login, %d initialisations; want status %d, %d, %d", f, c.module.entered, c.module.reopened, c.status, c.entered, c.reopened)
			}
		})
	}
}

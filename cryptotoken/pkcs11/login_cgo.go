//go:build cgo

package pkcs11

import (
	"errors"

	p11 "github.com/miekg/pkcs11"
)

// door is what login needs of a loaded module.
type door interface {
	// enter is C_Login as the user.
	enter(pin string) error
	// reopen initialises the module anew, opens a session again and returns the
	// token's flags (CK_TOKEN_INFO) as they are then.
	reopen() (flags uint, f *fault)
}

// pinCounted are the flags of a token that has counted wrong PINs.
const pinCounted = p11.CKF_USER_PIN_COUNT_LOW | p11.CKF_USER_PIN_FINAL_TRY | p11.CKF_USER_PIN_LOCKED

// loginTries bounds C_Login at one start of a child. Each try but the first
// follows an answer that says nothing of the PIN and a new initialisation.
const loginTries = 4

// login logs in. A PIN that is refused is never tried again: tokens lock. An
// answer that says nothing of the PIN is followed by another try after the
// module was initialised anew, but only when the token itself says that it has
// counted no wrong PIN; else an operator has to look, and no process tries again
// by itself. Measured with SoftHSM under load, while many processes open the
// same token: CKR_GENERAL_ERROR (1 start of 16), and, from a read of the token
// file while another process writes it, CKR_USER_PIN_NOT_INITIALIZED (1 of 300).
func login(d door, pin string) *fault {
	for try := 1; ; try++ {
		err := d.enter(pin)
		switch {
		case err == nil:
			return nil
		case try == loginTries || !saysNothingOfThePIN(err):
			return loginFault(err)
		}
		flags, f := d.reopen()
		switch {
		case f != nil:
			return f
		case flags&pinCounted != 0:
			return faultf(statusLocked, "C_Login: %v, and the token counts wrong PINs (flags %#x): look at the PIN before it locks", err, flags&pinCounted)
		}
	}
}

// saysNothingOfThePIN tells an answer that was given before any PIN was
// compared, so that repeating the call cannot be the next wrong try.
func saysNothingOfThePIN(err error) bool {
	var ck p11.Error
	if !errors.As(err, &ck) {
		return false
	}
	return ck == p11.CKR_GENERAL_ERROR || ck == p11.CKR_FUNCTION_FAILED || ck == p11.CKR_USER_PIN_NOT_INITIALIZED
}

// loginFault: an unknown refusal of the PIN is a refusal.
func loginFault(err error) *fault {
	f := ckFault("C_Login", err)
	if f.status == statusFailed {
		f.status = statusLocked
	}
	return f
}

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

// login logs in. A PIN that is refused is never tried again: tokens lock. An
// answer that says nothing of the PIN is followed by one more try after the
// module was initialised anew (SoftHSM answers CKR_GENERAL_ERROR while many
// processes open the same token; measured: 1 of 16 under load), but only when
// the token itself says that it has counted no wrong PIN; else an operator has
// to look, and no process tries again by itself.
func login(d door, pin string) *fault {
	err := d.enter(pin)
	if err == nil {
		return nil
	}
	var ck p11.Error
	if !errors.As(err, &ck) || ck != p11.CKR_GENERAL_ERROR && ck != p11.CKR_FUNCTION_FAILED {
		return loginFault(err)
	}
	flags, f := d.reopen()
	switch {
	case f != nil:
		return f
	case flags&pinCounted != 0:
		return faultf(statusLocked, "C_Login: %v, and the token counts wrong PINs (flags %#x): look at the PIN before it locks", ck, flags&pinCounted)
	}
	if err = d.enter(pin); err != nil {
		return loginFault(err)
	}
	return nil
}

// loginFault: an unknown refusal of the PIN is a refusal.
func loginFault(err error) *fault {
	f := ckFault("C_Login", err)
	if f.status == statusFailed {
		f.status = statusLocked
	}
	return f
}

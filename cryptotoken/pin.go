package cryptotoken

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

const maxPIN = 256 // bytes; PKCS #11 tokens take far fewer

// ReadPINFile reads a PIN, which unlocks the token and with it every wrapped key
// (KPR-11), from a file that only its owner can read; one line end after it is
// dropped. The caller wipes the result. ErrLocked says what is wrong
// with the file and never what is in it.
func ReadPINFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: PIN file: %w", ErrLocked, err)
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: PIN file: %w", ErrLocked, err)
	}
	if !st.Mode().IsRegular() || st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: PIN file %s can be read by others (mode %v): chmod 600 it", ErrLocked, path, st.Mode())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPIN+2))
	if err != nil {
		return nil, fmt.Errorf("%w: PIN file: %w", ErrLocked, err)
	}
	pin := bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(pin) == 0 || len(pin) > maxPIN {
		clear(b)
		return nil, fmt.Errorf("%w: PIN file %s does not hold 1 to %d bytes", ErrLocked, path, maxPIN)
	}
	return pin, nil
}

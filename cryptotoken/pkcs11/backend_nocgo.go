//go:build !cgo

package pkcs11

// newBackend: without cgo no module can be loaded, and every request says so.
func newBackend() backend { return noBackend{} }

type noBackend struct{}

func (noBackend) handle(req message) message {
	return faultf(statusUnsupported, "this binary was built without cgo and cannot load PKCS #11 modules").reply(req.seq, 0)
}

func (noBackend) close() {}

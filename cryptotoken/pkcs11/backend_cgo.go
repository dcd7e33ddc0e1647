//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"
	"strings"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// module is the backend of a real child: one loaded library, one session,
// logged in once.
type module struct {
	ctx     *p11.Ctx
	label   string // of the token; "": any
	serial  string
	slot    uint
	info    p11.TokenInfo
	session p11.SessionHandle
	mech    uint32
	keks    map[int]p11.ObjectHandle // by epoch
	seal    p11.ObjectHandle
	labels  struct{ kek, seal string }
	named   map[string]namedKey
}

type namedKey struct {
	private p11.ObjectHandle
	kt      algo.KeyType
	public  []byte // PKIX
}

func newBackend() backend { return &module{named: map[string]namedKey{}} }

func (m *module) close() {
	if m.ctx != nil {
		_ = m.ctx.Finalize()
	}
}

// handle runs one request. Every path that fails before C_Sign says so.
func (m *module) handle(req message) message {
	if (req.kind == opHello) != (m.ctx == nil) {
		return faultf(statusFailed, "request %d out of order", req.kind).reply(req.seq, 0)
	}
	op := map[byte]func(message) (message, *fault){
		opHello: m.hello, opInit: m.init, opSelfTest: m.selfTest, opGenerate: m.generate,
		opSign: m.sign, opCheck: m.check, opFind: m.find, opCreate: m.create,
		opNamed: m.signNamed, opSeal: m.deriveSeal, opPing: m.ping,
		opNextKEK: m.nextKEK, opRewrap: m.rewrap, opDestroyKEK: m.destroyKEK, opDestroyKey: m.destroyNamed,
	}[req.kind]
	if op == nil {
		return faultf(statusFailed, "unknown request %d", req.kind).reply(req.seq, 0)
	}
	rep, f := op(req)
	if f != nil {
		return f.reply(req.seq, rep.num)
	}
	return rep
}

func (m *module) ping(message) (message, *fault) { return message{}, nil }

// hello loads the module, finds the token, logs in once and finds the token's own
// keys (their absence is an error of the operations that need them).
func (m *module) hello(req message) (message, *fault) {
	if len(req.fields) != 6 {
		return message{}, faultf(statusFailed, "hello with %d fields", len(req.fields))
	}
	path, pin := string(req.field(0)), req.field(3)
	defer clear(pin)
	m.label, m.serial = string(req.field(1)), string(req.field(2))
	m.labels.kek, m.labels.seal = string(req.field(4)), string(req.field(5))
	m.ctx = p11.New(path)
	if m.ctx == nil {
		return message{}, faultf(statusDevice, "cannot load module %s: is the file there, and are the libraries it needs?", path)
	}
	f := m.open()
	if f != nil {
		return message{}, f
	}
	if f = login(m, string(pin)); f != nil {
		return message{}, f
	}
	if m.mech, f = m.chooseMechanism(req.num); f != nil {
		return message{}, f
	}
	if f = m.findTokenKeys(); f != nil {
		return message{}, f
	}
	trim := func(s string) []byte { return []byte(strings.TrimRight(s, " \x00")) }
	rep := message{num: m.mech, fields: [][]byte{
		trim(m.info.ManufacturerID), trim(m.info.Model), trim(m.info.SerialNumber),
		fmt.Appendf(nil, "%d.%d", m.info.FirmwareVersion.Major, m.info.FirmwareVersion.Minor),
	}}
	for _, n := range m.epochs() {
		rep.fields = append(rep.fields, []byte(epochLabel(m.labels.kek, n)))
	}
	return rep, nil
}

// open initialises the loaded library, finds the token and opens the session.
func (m *module) open() *fault {
	var f *fault
	if m.slot, m.info, f = m.findToken(m.label, m.serial); f != nil {
		return f
	}
	var err error
	if m.session, err = m.ctx.OpenSession(m.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION); err != nil {
		return ckFault("C_OpenSession", err)
	}
	return nil
}

func (m *module) enter(pin string) error { return m.ctx.Login(m.session, p11.CKU_USER, pin) }

func (m *module) reopen() (uint, *fault) {
	_ = m.ctx.Finalize()
	f := m.open()
	return m.info.Flags, f
}

// findToken initialises the module and scans its slots for the token. A process
// that initialises while another one does may not see the token at first
// (measured with SoftHSM: 4 of 24), so the whole is tried again a few times.
func (m *module) findToken(label, serial string) (uint, p11.TokenInfo, *fault) {
	var last *fault
	for try := range 6 {
		if try > 0 {
			_ = m.ctx.Finalize()
			time.Sleep(time.Duration(try) * 40 * time.Millisecond)
		}
		if err := m.ctx.Initialize(); err != nil {
			last = ckFault("C_Initialize", err)
			continue
		}
		slot, info, f := m.scanSlots(label, serial)
		if f == nil {
			return slot, info, nil
		}
		last = f
	}
	return 0, p11.TokenInfo{}, last
}

func (m *module) scanSlots(label, serial string) (uint, p11.TokenInfo, *fault) {
	slots, err := m.ctx.GetSlotList(true)
	if err != nil {
		return 0, p11.TokenInfo{}, ckFault("C_GetSlotList", err)
	}
	var found []uint
	var info p11.TokenInfo
	for _, s := range slots {
		ti, err := m.ctx.GetTokenInfo(s)
		if err != nil {
			continue // a slot whose token was just removed is not ours
		}
		if (label == "" || strings.TrimRight(ti.Label, " \x00") == label) &&
			(serial == "" || strings.TrimRight(ti.SerialNumber, " \x00") == serial) {
			found, info = append(found, s), ti
		}
	}
	switch len(found) {
	case 0:
		return 0, info, faultf(statusDevice, "no token with label %q and serial %q in %d slots", label, serial, len(slots))
	case 1:
		return found[0], info, nil
	}
	return 0, info, faultf(statusInvalidInput, "%d tokens have label %q: set the serial number too", len(found), label)
}

func (m *module) chooseMechanism(wanted uint32) (uint32, *fault) {
	for _, mech := range []uint32{mechWrapKWP, mechWrapPad} {
		if wanted != 0 && wanted != mech {
			continue
		}
		info, err := m.ctx.GetMechanismInfo(m.slot, []*p11.Mechanism{p11.NewMechanism(uint(mech), nil)})
		if err == nil && info.Flags&p11.CKF_WRAP != 0 && info.Flags&p11.CKF_UNWRAP != 0 {
			return mech, nil
		}
	}
	return 0, faultf(statusUnsupported, "the token does not wrap and unwrap with mechanism %#x (0: neither 0x210B nor 0x210A)", wanted)
}

func (m *module) findTokenKeys() *fault {
	f := m.findKEKs()
	if f != nil {
		return f
	}
	if m.seal, f = m.findOne(p11.CKO_SECRET_KEY, m.labels.seal); f != nil && f.status != statusKeyNotFound {
		return f
	}
	return nil
}

// findOne finds the one object of a class with a label. Two are an error: which
// one is used must not depend on the module's order.
func (m *module) findOne(class uint, label string) (p11.ObjectHandle, *fault) {
	found, f := m.findAll(byLabel(class, label))
	switch {
	case f != nil:
		return 0, f
	case len(found) == 0:
		return 0, faultf(statusKeyNotFound, "%q", label)
	case len(found) > 1:
		return 0, faultf(statusFailed, "several objects of one class have the label %q", label)
	}
	return found[0], nil
}

func (m *module) findAll(template []*p11.Attribute) ([]p11.ObjectHandle, *fault) {
	return m.findUpTo(template, 4)
}

func (m *module) findUpTo(template []*p11.Attribute, most int) ([]p11.ObjectHandle, *fault) {
	if err := m.ctx.FindObjectsInit(m.session, template); err != nil {
		return nil, ckFault("C_FindObjectsInit", err)
	}
	found, _, err := m.ctx.FindObjects(m.session, most)
	if err2 := m.ctx.FindObjectsFinal(m.session); err == nil {
		err = err2
	}
	if err != nil {
		return nil, ckFault("C_FindObjects", err)
	}
	return found, nil
}

// ckFault classifies an error of the module, from before C_Sign.
func ckFault(call string, err error) *fault {
	var ck p11.Error
	if !errors.As(err, &ck) {
		return faultf(statusDevice, "%s: %v", call, err)
	}
	status := statusFailed
	switch ck {
	case p11.CKR_PIN_INCORRECT, p11.CKR_PIN_INVALID, p11.CKR_PIN_LEN_RANGE, p11.CKR_PIN_EXPIRED,
		p11.CKR_PIN_LOCKED, p11.CKR_USER_PIN_NOT_INITIALIZED, p11.CKR_USER_TYPE_INVALID:
		status = statusLocked
	case p11.CKR_MECHANISM_INVALID, p11.CKR_MECHANISM_PARAM_INVALID, p11.CKR_FUNCTION_NOT_SUPPORTED,
		p11.CKR_KEY_SIZE_RANGE, p11.CKR_CURVE_NOT_SUPPORTED:
		status = statusUnsupported
	case p11.CKR_GENERAL_ERROR, p11.CKR_FUNCTION_FAILED, p11.CKR_HOST_MEMORY, p11.CKR_FUNCTION_CANCELED,
		p11.CKR_DEVICE_ERROR, p11.CKR_DEVICE_MEMORY, p11.CKR_DEVICE_REMOVED,
		p11.CKR_TOKEN_NOT_PRESENT, p11.CKR_TOKEN_NOT_RECOGNIZED, p11.CKR_SLOT_ID_INVALID,
		p11.CKR_SESSION_CLOSED, p11.CKR_SESSION_COUNT, p11.CKR_SESSION_HANDLE_INVALID,
		p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_CRYPTOKI_NOT_INITIALIZED, p11.CKR_OPERATION_ACTIVE,
		p11.CKR_KEY_HANDLE_INVALID, p11.CKR_OBJECT_HANDLE_INVALID, p11.CKR_WRAPPING_KEY_HANDLE_INVALID,
		p11.CKR_UNWRAPPING_KEY_HANDLE_INVALID:
		status = statusDevice
	}
	return faultf(status, "%s: %v", call, err)
}

func parseKeyType(b []byte) (algo.KeyType, *fault) {
	kt := algo.KeyType(b)
	if _, ok := families[kt]; !ok {
		return "", faultf(statusUnsupported, "key type %.20q", b)
	}
	return kt, nil
}

func parseLabel(b []byte) (string, *fault) {
	if cryptotoken.CheckLabel(string(b)) != nil {
		return "", faultf(statusInvalidInput, "label of %d bytes", len(b))
	}
	return string(b), nil
}

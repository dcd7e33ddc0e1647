// Package pkcs11 is the driver for hardware security modules.
//
// PKCS #11 has no time limits: C_Sign on a hung module blocks for ever, and no
// Go code can take the thread back. Modules crash, leak and lose sessions, and
// some (SoftHSM) scale only with processes. So the module is never loaded into
// the service. Every module instance lives in a child process of the same
// binary, with one session, one login and one loop; the parent is pure Go. A
// child that does not answer in time is killed and replaced.
//
//	caller -> Token -> pool of workers -> pipe -> child: C_UnwrapKey, C_Sign, C_DestroyObject
//
// main calls RunChildIfAsked first; nothing else is needed in the binary.
//
// # What an error proves
//
// ErrNotStarted is given only when C_Sign was certainly not called: the request
// was not (wholly) written to a child, or the child reported a failure from
// before C_Sign. A child that hangs, dies or answers nonsense after it got the
// request leaves the outcome open, and the error says nothing about it; the
// caller must treat what it asked for as done. Such signatures count as key uses.
//
// # PIN
//
// A child logs in once. A wrong PIN stops the token for good (ErrLocked): the
// driver never tries it twice, because a real module locks after a few tries.
// The PIN goes to the child through a pipe, never in arguments or environment.
//
// # Signers' keys
//
// They are wrapped under an AES-256 key that cannot leave the module, as
// session objects that the module destroys after each use. Templates.go holds
// every attribute template; the unwrap template is a constant. The self-test
// at start tries what an attacker with the wrapped keys and the PIN would: a
// changed blob, and unwrapping a key as readable. A module that allows the
// second (SoftHSM does; so do others: the "Tookan" attacks) protects signers'
// keys no better than its PIN, and needs Config.Development.
package pkcs11

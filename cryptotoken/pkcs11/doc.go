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
// They are wrapped under AES-256 keys that cannot leave the module, as
// session objects that the module destroys after each use. Templates.go holds
// every attribute template; the unwrap template is a constant. The self-test
// at start tries what an attacker with the wrapped keys and the PIN would: a
// changed blob, and unwrapping a key as readable. A module that allows the
// second (SoftHSM does; so do others: the "Tookan" attacks) protects signers'
// keys no better than its PIN, and needs Config.Development.
//
// # Epochs of the wrapping key
//
// The first wrapping key has the label Config.KEKLabel, each later one that label, a
// slash and its number; the highest is the current one (KPR-06). It gets its name
// when it has passed the self-test, and a name never comes back, because the highest
// is never destroyed. A blob opens under the key that its record names or not at all,
// which binds it to its epoch. A key is wrapped anew as it was wrapped at birth: a
// session object that can be wrapped but not read, unwrapped under the old key and
// wrapped under the new one by the module; what comes out is compared by wrapping it
// back. Children learn of a new epoch when a request names it, and are replaced when
// one is destroyed.
//
// Wrapping anew needs a module that lets a wrapped key be unwrapped as one that can be
// wrapped again, which is what the second part of the self-test objects to. A module
// that forbids it for good reason keeps its first wrapping key: NextKEK says so before
// it makes anything, and the key is changed by the means of the module's maker.
package pkcs11

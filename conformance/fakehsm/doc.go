// Package fakehsm stands between a PKCS #11 application and a token and sees every
// call that matters. The application loads a small module (shim/shim.c), which asks
// this package, in a process of its own, around every call that finds, makes,
// unwraps or uses a key, and hands the call on to the real module. SoftHSM does
// the cryptography, so that all calls work. (p11-kit's own client would do for
// the way between, but up to version 0.24 it refuses the mechanisms that wrap
// private keys.)
//
// Every signature is in a log that the application cannot reach
// (docs/audit-format.md, 5), written before the key is used: the oracle of the
// auditor. Without an answer from here the module uses no key.
//
// On command the token misbehaves as hardware does: it is slow, hangs, fails,
// turns a bit of a signature, is removed, locks its PIN, unwraps what and as it should not. It is for tests only and
// imports nothing of this project, so that it shares none of its mistakes.
package fakehsm

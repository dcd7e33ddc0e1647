// Package tsp is the Time-Stamp Protocol (RFC 3161 with RFC 5816): a responder
// that writes tokens, a client that trusts none, and the verification of tokens
// found in documents.
//
// The client sends a fresh nonce of 128 bits with every request and returns a
// token only after it has checked status, imprint, nonce, policy, signature,
// the purpose and the chain of the certificate that signed, and the time. Each
// refusal has its own sentinel error. A refused token is never returned, so that
// nothing can be embedded by mistake (threat T39, faults F17 to F19).
//
// The responder accepts SHA-256, SHA-384 and SHA-512 imprints and no request
// extensions. It works in two phases (Prepare, Finish) around any signer.
package tsp

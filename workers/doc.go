// Package workers holds the SignServer-style processors: a document goes in, a
// signed container comes out. A worker names a token; with a plain token it
// signs at once (TSA, seals), with a token that is an Activator the runtime
// makes a pending operation of it and a person decides.
//
// Life of a document: Prepare builds the container around the certificate and
// leaves a hole, rehearses it and returns the digests;
// somebody gets them signed; Finish fills the hole, adds time-stamps and checks
// the result. Format code sees nothing of signers, keys or approvals.
package workers

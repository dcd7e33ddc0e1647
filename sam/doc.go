// Package sam is the signature activation module: the only code that may use a
// signer's key, and the one that decides when. It believes nothing that its
// callers say; what counts is signed by the signer's authenticator or sealed by
// the module itself. EN 419 241-1 calls it the SAM.
//
// The security argument, by asset:
//
//	asset                  rule                                               where
//	signer's key           used only through an activation, minted once after activate.go
//	                       a durable reservation of exactly its digests
//	approval (SAD)         verified against what the module itself issued;    redeem.go
//	                       one compare-and-swap consumes it (SAP-03)
//	digest to be signed    rebuilt from the approved document (SGN-04)        sap.Rebuild
//	signature              verified with the certificate's key before it      activate.go
//	                       leaves (SGN-03)
//	records                sealed under a key that only the token can derive; seal.go
//	                       an older row put back shows by its audit number
//	whole database         an anchor outside it, checked at start (BKP-03)    anchor.go
//	authenticator          enrolled only with an officer's one-time code,     enrol.go
//	                       before any key exists; bound into each key's seal
//	audit chain            written in the same transaction as the act; no     events.go
//	                       record, no act (AUD-06)
//	one-time key          after the signer's assertion only; in memory only;   once.go, pool.go
//	                      consumed with its one session, gone on failure
//	roles                  first line of every exported method (IAM-04)       caller.go
//
// What a crash leaves, by the last durable step of a redemption: nothing
// (the SAD is as it was), RESERVED (becomes BURNT at the next start: the key may
// have been used, the signature is lost and stays so), CONSUMED (the answer is
// stored and a byte-identical retry gets it).
package sam

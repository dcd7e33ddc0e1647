// Package sap is the Signature Activation Protocol between a signer's device
// and the signature activation module (SAM): its messages, their one canonical
// encoding, what is signed under which label, and the pure checks. The
// protocol in prose, from which a stranger can implement it, is SAP.md in this
// folder; testdata/vectors.json holds its test vectors, shared with the
// TypeScript implementation of the signer's app.
//
// The package does no I/O and keeps no state. Freshness, single use, lockout
// and policy belong to package sam; what is here says only whether bytes mean
// what they claim. Requirements: EN 419 241-1 SRA_SAP.1 and SRA_SAP.2 families
// (SAP-01, SAP-02, SAP-05, SAP-07, SGN-01, SGN-04 in the requirement table).
package sap

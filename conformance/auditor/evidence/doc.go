// Package evidence compares what four independent witnesses say about the
// signatures of a module: the token's own log, the module's database, its audit
// chain, and what its clients were told. It checks the invariants I1 to I9 of
// the design by the comparisons of the fault plan (4.3).
//
// It imports nothing of this project, so that it shares none of its mistakes: it
// reads SQLite itself, hashes the chain itself from docs/audit-format.md, and
// has signatures verified by openssl. A test in package conformance holds it to
// that.
package evidence

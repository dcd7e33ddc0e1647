// Package conformance holds proofs about the whole project: who may import whom
// (boundary_test.go), which packages are linked into samd (testdata/samd.deps),
// that what the documents tell people to type exists (docs_test.go), and the
// judges of others (judge, cmd/pdfsignjudge). DIVERGENCES.md lists where we
// depart from a standard and what the judges cannot see.
//
// Nobody imports it, but for cmd/assent, whose demo asks the judges.
package conformance

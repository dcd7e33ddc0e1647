// Package conformance holds proofs about the whole project: who may import whom
// (boundary_test.go), which packages are linked into samd (testdata/samd.deps),
// that what the documents tell people to type exists (docs_test.go), the judges of
// others (judge, cmd/pdfsignjudge), and whether our tests would notice a change
// of the code they test (cmd/mutate). DIVERGENCES.md lists where we
// depart from a standard and what the judges cannot see.
//
// Nobody imports it, but for cmd/assent, whose demo asks the judges.
package conformance

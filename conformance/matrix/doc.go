// Package matrix is the requirement matrix as code. conformance/requirements.tsv
// has one row for each requirement on a signature activation module; this package
// reads it strictly, reads what "go test -json" said in a run, and decides for
// each row whether that run proved it.
//
// A row is proven only when
//
//   - it says so itself (status "proven"; who marks it has read the tests against
//     the requirement),
//   - each place of code that it names exists and cites its id,
//   - each test that it names exists, cites the id, ran in that run and passed,
//     and nothing below it was skipped,
//   - a row that asks for evidence to read (kind R) names a section of a document
//     or a command, and that exists too.
//
// Comments prove nothing: a test that did not run proves nothing. A row that is
// marked proven and is not makes the build fail. What is not marked proven is
// counted and printed with its reason.
package matrix

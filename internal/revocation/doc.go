// Package revocation decides whether certificates were revoked, from statements of
// their authorities: certificate revocation lists (RFC 5280 sections 5 and 6.3:
// direct and indirect, complete and delta, partitioned by place, kind and reason)
// and OCSP responses (RFC 6960).
//
// A Checker judges a path, given statements and, if it has one, a Fetcher that gets
// more from where the certificates say. It returns what it decided on, so that a
// signature can carry it. The rules:
//
//   - Nothing counts before it is verified: the signature, who may make it (the
//     issuer, a delegate of OCSP, an issuer of indirect CRLs; their own paths lead to
//     the anchor of the path in question and their own revocation is checked), that
//     it is about this certificate, and its time.
//   - A statement is current at the time in question, and not older than the time
//     after which it is wanted: one from before a signature says nothing about the
//     moment of the signature.
//   - A certificate is good only if a verified statement says so. Whatever cannot be
//     decided is ErrUndetermined, with the reason for each statement that was tried,
//     and never good.
//   - One statement that says revoked wins over any that says good. A responder that
//     does not know the certificate wins over a list that does not name it: lists
//     cannot name what was made behind the authority's back.
//   - A statement from after a certificate's expiry says nothing about it, unless its
//     maker declares to keep expired certificates.
//
// Everything that is parsed or fetched is bounded in size, count and time.
package revocation

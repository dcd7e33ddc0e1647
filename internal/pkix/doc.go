// Package pkix validates certification paths as RFC 5280 section 6 prescribes:
// Build finds a path from a certificate over an unordered pool to a trust anchor
// at a given time, which may be long past, and judges it: signatures, validity,
// names and name constraints, policies, basic constraints, key usage, extended key
// usage as the caller demands it, critical extensions. Whether a certificate was
// revoked is decided by the caller, as a check of the complete path (package
// revocation has one).
//
// Certificates are taken apart here and not by crypto/x509, because that package
// refuses some that the standard allows (negative serial numbers, distribution
// points relative to the issuer), compares names by their octets, has no way to
// check name constraints on directory names, and gives neither policies after
// mapping nor a reason for each path. Keys are parsed and signatures verified by
// the standard library.
//
// Policies follow RFC 9618, which replaced the tree of RFC 5280 by a graph, since
// a tree can grow exponentially with the length of a hostile path.
//
// Everything is bounded: size and count of what is parsed, depth, signatures
// checked, paths judged, names compared with constraints; and the context ends it.
//
// Choices where the standard leaves one, all towards refusal: the anchor's own
// validity, path length and name constraints count (RFC 5937), and one that by its
// basic constraints, key usage or purposes may not issue does not; an intermediate
// certificate with an extended key usage must allow what is demanded of the end
// certificate; email addresses in the subject are always held against constraints
// on addresses; an extension that occurs twice makes a certificate unreadable; DSA,
// MD5 and SHA-1 verify nothing.
package pkix

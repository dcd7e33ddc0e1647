// Package csc holds the wire types and constants of the Cloud Signature
// Consortium API, the subset of v2.0.0.2 that Assent serves: info,
// credentials/list, credentials/info, signatures/signHash, signatures/signDoc,
// signatures/signPolling and the OAuth parameters of clause 8.4. It is a leaf:
// servers, clients and checkers can use it. Clause numbers are those of
// v2.0.0.2.
package csc

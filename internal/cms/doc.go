// Package cms reads and writes Cryptographic Message Syntax SignedData
// (RFC 5652) for signatures that are made in two phases: first the signed
// attributes are built and hashed, then, possibly days and a process restart
// later, the signature comes back and Assemble puts the message together.
//
// What it guarantees:
//
//   - The attribute bytes that were hashed are the bytes that are assembled.
//     Assemble refuses a set that is not DER-sorted, lacks content-type,
//     message-digest or ESS signing-certificate-v2 (RFC 5035), or names another
//     certificate than the one that signs.
//   - Signed attributes are always present, when writing and when verifying. A
//     message without them could be one whose content is the attribute set of
//     another message (ForgedAttributes, ePrint 2023/1801).
//   - Algorithms are the closed set of package algo. RSASSA-PSS carries its
//     parameters explicitly (RFC 4055, RFC 4056).
//   - Parsing never copies, never recurses, and is bounded in size and count
//     before anything is allocated; BER (indefinite lengths) is refused.
//   - AddUnsigned edits a parsed message on its raw bytes, so that attributes
//     which we do not understand survive unchanged.
//
// Whether the signer's certificate is trusted is not decided here: Verify
// returns the certificate that made the signature, and package certs checks its
// chain. The choice of signed attributes of a profile (PAdES, CAdES) is not
// here either.
package cms

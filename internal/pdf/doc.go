// Package pdf reads the structure of PDF files and appends signatures to them.
//
// It is a structure reader, not a renderer: it finds objects, the page tree, the
// form fields and the signatures, and it writes one incremental update (ISO
// 32000-1, 7.5.6) that adds a signature field with an empty /Contents. It knows
// no CMS and, beside hashing, no cryptography but that of encrypted files: it
// hands out a digest and takes bytes.
//
// # Two phases
//
// Prepare copies the input once, hashing as it copies, and appends the update.
// What it returns, a Prepared, is plain data that survives a restart. Embed later
// patches the hole that Prepare left and touches nothing else. Between the two a
// signer may take a week; no document is held in memory meanwhile.
//
// # Rules of the writer
//
//   - The input is a byte-for-byte prefix of the output, whatever it looks like.
//   - Objects are raw spans. An updated dictionary is its old bytes with one key
//     replaced or added; nothing is ever parsed into a tree and printed again,
//     because every writer that does so loses something it did not understand.
//   - Positions of /Contents and /ByteRange are known by construction and never
//     searched for: a search can be led into an earlier signature.
//   - The update follows the file's own kind of cross-reference and keeps object
//     numbers and every trailer key.
//   - What the writer cannot do faithfully it refuses with a typed error, before
//     the first byte of output.
//
// # Encrypted files
//
// Files under the standard security handler with AES-256 (ISO 32000-2, 7.6.4;
// revisions 5 and 6) are read and signed: without a password if they need none, else
// with the user's or the owner's. What an update adds to them is encrypted as they
// demand, but for /Contents of signatures. Their permissions hold. Files with RC4 or
// AES-128, which protect nothing, and files for certificates are refused.
//
// # Hostile input
//
// Every input is hostile. Recursion is bounded by Limits.MaxDepth, counts by the
// other limits, and all reading and inflating together by Limits.MaxWork, so that
// time and memory stay bounded for every file (design, invariant I9).
//
// # Values
//
// A value is a slice of the file's own bytes plus its offset. Dictionaries and
// arrays are walked in place; nothing is allocated per entry.
//
// It implements ADE-04 and ADE-06.
package pdf

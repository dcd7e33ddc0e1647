// Package xmlsig reads the XML signatures of a document and checks them: XML
// Signature 1.1 with XAdES (EN 319 132-1), enveloped, enveloping or detached. It is a reader for verifiers and for the worker that looks at what is
// in a document before and after it signs; it has no place where a signer's approval
// is checked.
//
// Read gives every Signature element with its references and properties; Check
// computes each reference's digest and verifies the value with the certificate that
// the signature names. What a reference covers is said by element, because a digest
// that is right says nothing about which node it is of (signature wrapping).
//
// The set of algorithms is closed: digests SHA-256, SHA-384 and SHA-512, the signature
// algorithms of internal/algo, the canonicalization methods of internal/c14n, the
// transforms enveloped-signature, base64 and the filters of all signatures in the forms that
// programs write (filter.go), of XPath Filtering and of XPath Filter 2.0. Anything else is ErrUnsupported, never
// skipped. References reach the document and elements in it by identifier, each as an XPointer too, and files that the caller
// has at hand (Document.Detached); nothing is fetched. Identifiers that two elements have are refused.
package xmlsig

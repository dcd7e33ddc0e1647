// Package c14n reads XML and computes its canonical forms: Canonical XML 1.0 and
// 1.1 and Exclusive XML Canonicalization 1.0, each with and without comments, of
// a whole document or of one element, less an enveloped signature. It does so in
// one pass, from a reader to a writer, in memory that does not depend on the
// document's size, and within the bounds of Limits.
//
// There are three doors:
//
//   - Canonicalize writes canonical forms, several in one pass.
//   - Scan makes an Index: where elements with identifiers and signatures are,
//     and where an enveloped signature can be inserted so that the user's own
//     bytes stay as they are (Insertion).
//   - Scanner gives the events of a document with their byte offsets.
//
// # What is read
//
// The tokenizer is our own, because a signature is over exact octets and what
// encoding/xml and etree give no longer has them: it keeps byte offsets, and it
// normalises line ends (XML 1.0, section 2.11) and attribute values (section
// 3.3.3). It is strict: XML 1.0, fifth edition, and Namespaces in XML 1.0, with
// no leniency. Refused, each with a sentinel error, are:
//
//   - document type declarations (ErrDTD). So there are no entities but the five
//     predefined ones, no default attributes, no attributes of type ID or with
//     other normalisation than CDATA, and nothing that could be fetched. With a
//     DTD two readers of one document can see two documents.
//   - other encodings than UTF-8, declared or not (ErrEncoding). A byte order
//     mark is passed over.
//   - XML 1.1 (ErrVersion), characters that XML forbids and what is not UTF-8
//     (ErrChar).
//   - relative namespace names, when canonicalizing (Canonical XML 1.0, section
//     1.3; ErrRelativeNamespace).
//
// # What is written
//
// Canonical XML 1.0 (sections 1.1, 2.2 to 2.4), Canonical XML 1.1 (section 2.4:
// xml:id is not inherited, xml:base is joined) and Exclusive XML Canonicalization
// (section 3, with InclusiveNamespaces PrefixList). A subset is always an element
// with all that it contains, less at most one element inside of it; general
// node-sets (XPath) have no place here. Inclusive methods give an element that is
// taken out of its document the namespaces and xml: attributes around it.
//
// # Identifiers
//
// Which attribute identifies an element is a convention when there is no DTD;
// see DefaultIDs. Two elements with one identifier are an error wherever an
// identifier is used, since a reference to it could be wrapped around either.
package c14n

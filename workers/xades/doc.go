// Package xades makes XAdES baseline signatures (EN 319 132-1) in two phases:
// levels B-B, B-T, B-LT and B-LTA, enveloped, enveloping, detached or internally detached, over the whole document or some of its elements. Prepare reads the XML,
// computes the digest of its canonical octets, and leaves the user's file as it is;
// the signer's app shows these octets as text. Finish inserts the Signature element
// before the root's end tag: every byte of the user stays where it was (of a root
// that is one empty tag, "/>" becomes ">" and an end tag). What is signed is composed
// by sap/xades from the item that the signer approves.
//
// Properties, for all documents of the worker; those marked * can be given with a
// request as parameters of the same names:
//
//	level                 B-B, B-T, B-LT or B-LTA; default B-B
//	tsa                   worker:NAME or a URL; needed from B-T on
//	trust_anchors and the others of workers.KeeperProperties; needed from B-LT on
//	signature_packaging   ENVELOPED (default); ENVELOPING: the document stands inside of the signature, which is the root; INTERNALLY_DETACHED: the
//	                      signature stands in the document, where an enveloped one does, and is over elements of it; or DETACHED: the signature is a file of its own over the bytes of
//	                      the document, a PDF or a text in UTF-8, which it names; or over those of several (workers.Input.More), at most 50 with names of their own
//	enveloping_content    XML (default): the document is XML without signatures, and stands in an Object less its byte order mark and XML
//	                      declaration; or BASE64: any octets, which the signer's app shows as pages of a PDF, as text, or by their numbers
//	reference_ids*        of INTERNALLY_DETACHED: the identifiers (Id, ID, id, xml:id) of the elements, separated by commas, in the order of the
//	                      references; at most 50. None is the root or a part of a signature. What they do not name is not signed
//	parallel              true: the signature is over the document less all signatures in
//	                      it, so that others can sign beside it; false (the default): less itself
//	max_size              bytes of a document, or of several together; default 100 MiB (104857600)
//	mime_type*            of DataObjectFormat; default text/xml; of files that are signed as they are, by their content: application/pdf,
//	                      text/xml, text/plain, application/octet-stream; of several files one for all, or one of each separated by commas
//	description*          of DataObjectFormat
//	commitment_types*     PROOF_OF_APPROVAL, PROOF_OF_CREATION, PROOF_OF_DELIVERY, PROOF_OF_ORIGIN,
//	                      PROOF_OF_RECEIPT, PROOF_OF_SENDER, or URIs; separated by commas
//	claimed_role*         one claimed role
//	city*, street*, state*, postal_code*, country*   the place
//	policy_id, policy_hash   a signature policy: its URI (an OID as urn:oid:1.2.3), and
//	                      the digest of its document as sha256:BASE64 (sha384, sha512)
//
// Refused: what internal/c14n refuses (document type declarations, other encodings than
// UTF-8, what is not well-formed, two elements with one identifier), and a document with a
// signature that the new one would break, since it covers the place where that
// would stand. Under the policy for qualified signatures octets are refused that are neither a PDF nor text, and
// a PDF with hazards, and a mime_type that is not that of what the signer sees: application/pdf of a PDF, of text text/plain, text/csv, text/xml,
// application/xml, application/json, or one that ends in +xml or +json and is not drawn (XHTML, SVG), in UTF-8 (ADE-04).
//
// What an internally detached element takes from those around it (the meaning of prefixes in its values, xml:base, xml:lang) is neither
// shown nor signed: exclusive canonicalization leaves it out.
//
// It implements ADE-02, ADE-03 (internal/extend renews), and of ADE-05 what concerns signing.
package xades

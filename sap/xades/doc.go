// Package xades composes what an XAdES signature signs: the octets of SignedInfo
// and of SignedProperties (EN 319 132-1), from the digests of the data, the
// certificate and parameters, and nothing else.
//
// The octets are composed, not canonicalized: there is no XML parser here and no
// canonicalizer, so that the signer's device and the module can both rebuild them
// and compare. Every element is written as Exclusive XML Canonicalization 1.0
// writes it, with its own prefixes (ds, xades) declared where that method declares
// them; so the same octets stand in the document and are the canonical form of the
// element there, whatever the document around it declares. Tests hold them against
// internal/c14n, and signatures against xmlsec1.
//
// There is one text for each set of values: a closed set of algorithms and
// transforms, one order, times in UTC to the second. Values are refused if
// they cannot stand in XML. Identifiers inside of the signature all derive from
// Parameters.ID.
//
// Levels: this is the signed part of XAdES B-B (EN 319 132-1, clause 6.3):
// SigningTime, SigningCertificateV2, DataObjectFormat for each data object, and, if
// wanted, SignaturePolicyIdentifier, CommitmentTypeIndication, SignerRoleV2 with
// claimed roles, SignatureProductionPlaceV2. What T, LT and LTA add is not signed by
// the signer's key and has no place here.
package xades

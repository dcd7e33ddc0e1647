// Package attestation reads and verifies WebAuthn attestation objects (WebAuthn level
// 3, sections 6.5 and 8). It decides what an authenticator proved about itself;
// whether that is enough is the caller's policy.
//
// It replaces a general library on purpose: the module that uses it links every
// line, so formats are few, bounds are stated, nothing is fetched, and no list of
// manufacturers is built in: whom to trust comes from the caller's anchors.
//
//	format       what is verified                                    section
//	none         no statement at all                                 8.7
//	packed       self, or x5c with the certificate rules             8.2
//	tpm          TPM 2.0: pubArea, certInfo, AIK certificate         8.3
//	android-key  key, challenge, no allApplications                  8.4
//	fido-u2f     the U2F registration signature                      8.6
//	apple        nonce extension, certified key                      8.8
//
// android-safetynet (8.5) is a service that has ended and is not known here; nor
// is compound (8.9).
package attestation

// Package der takes DER apart in small bounded steps for the packages that read
// certificates and statements about their revocation. It never recurses, never
// copies content, and checks the length of what it is about to decode first.
//
// Only DER is accepted: definite minimal lengths (as cryptobyte demands), minimal
// integers and object identifiers, times in the one form of RFC 5280 section
// 4.1.2.5. A second encoding of the same statement would be a second statement to
// whoever compares octets.
package der

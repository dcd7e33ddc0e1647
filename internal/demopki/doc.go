// Package demopki answers about the certificates of the demo certification
// authority: an Authority keeps a record of what the CA issued and of what was
// revoked, and serves it over HTTP as OCSP and as certificate revocation lists, at the
// addresses that the certificates name (certs.DemoConfig.Base).
//
// It is for the demo and for tests. Its keys are in memory, its statements are
// signed on the spot, and everything that it says is as true as the demo CA.
package demopki

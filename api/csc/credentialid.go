package csc

import "strings"

// A credentialID on the wire is the signer's identifier, a slash and the key's:
// a key is found only through its owner, and the key's part cannot be guessed.

// CredentialID joins the two; neither has a slash in it (sap.ValidID).
func CredentialID(signer, key string) string { return signer + "/" + key }

// SplitCredentialID takes one apart.
func SplitCredentialID(id string) (signer, key string, ok bool) {
	signer, key, ok = strings.Cut(id, "/")
	return signer, key, ok && signer != "" && key != "" && !strings.Contains(key, "/")
}

// Package oauth is the authorization server of the front doors, built on
// luikyv/go-oidc (RFC 6749, 7636, 7009, 9126, 9207, 9396, 9700) with the
// meaning that the CSC API v2 gives to it (clause 8.4).
//
// Grants: client_credentials (scope service) and authorization_code with PKCE
// S256. Nothing else: no implicit, hybrid, password or refresh grant, no
// dynamic registration. Scope credential needs a pushed authorization request.
//
// A credential token is CSC's SAD on the wire, and here only a reference: it
// names one operation that the signer approved on the signing origin with an
// own authenticator, and the list of digests that the approval covered. The
// signatures were made by the signature activation module when it verified that
// approval; no token of this package moves a key.
//
// What go-oidc leaves to its storage is done in this package's managers: a
// code, a request_uri and a jti are used once (one Insert or Swap of the
// primary database), an ended session cannot be continued, tokens are found by
// hash, and a storage error is never a success: the front collects it and
// replaces whatever the library answered.
//
// Files: server.go wiring; front.go what stands before the library; clients.go
// who may call; params.go the CSC parameters; policy.go the browser's way;
// manager.go storage; token.go what a token opens; metadata.go RFC 8414.
package oauth

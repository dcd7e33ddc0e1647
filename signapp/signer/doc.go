// Package signer serves the signer's app: the static page on the signing origin
// where a signer reads the very bytes that are hashed, approves them with a
// passkey and checks the receipt. The app's code is in ts, its pages and styles
// in static, what is served in dist (made by the program in build).
//
// The package holds no state and no secret, and it knows nothing of operations,
// signers or documents: the browser gets those from the application at the app
// origin, and believes none of it (ts/offer.ts). Whoever can change what this
// package serves can change what signers see; that is why it runs in a process
// and at an origin of its own (design sections 1 and 2).
package signer

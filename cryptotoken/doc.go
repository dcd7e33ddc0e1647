// Package cryptotoken is where keys live: behind crypto.Signer, in a token
// that never gives them away.
//
// A Token has few methods; what else it can do shows in optional interfaces
// (Named, Wrapper, Sealer, Prober). Drivers: softtoken (encrypted file, for
// development and demo only), pkcs11 (an HSM, always in a killable child
// process) and samtoken (a token whose every use needs signature activation
// data; it holds no key and forwards to samd). All pass the suite tokentest.
//
// Life of a signer's key: generated in the token, tested once, wrapped,
// destroyed in the token; then, per activation: unwrapped, used for exactly
// the approved digests, destroyed. What the module around the token must do
// itself (bind blobs to owners, verify signatures before release, count uses
// against approvals) is said at each method. The assumptions follow EN 419
// 221-5; a Go process is no certified module and Info says so.
package cryptotoken

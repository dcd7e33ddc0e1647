// Package signapp is the signing application: it takes documents and requests,
// prepares what is to be signed, lets the signer's app fetch exactly that,
// relays the signer's approval to the module and finishes the documents.
//
// What it can do: delay, drop, lose, show its own pages at the app origin. What
// it cannot do: make signature activation data, change what was approved,
// enrol an authenticator or use a signer's key. Its database and its keys are
// its own; nothing in them moves a signer's key.
package signapp

// Package e2e holds the tests of the whole service from outside: the programs as
// an operator starts them, a real browser with passkeys as a signer uses them,
// and nothing of our packages in between, but where a test plays an attacker, who
// speaks the protocol himself. It has no code of its own.
package e2e

// Package certs verifies certificate chains offline and names, with a sentinel
// error for each cause, why a chain is not acceptable. It also reads PEM under
// size limits and holds the demo certification authority.
//
// It decides nothing about revocation, and nothing about which anchors deserve
// trust: the caller brings them.
package certs

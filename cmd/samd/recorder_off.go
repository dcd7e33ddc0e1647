//go:build !failpoint

package main

import (
	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/sam"
)

// recorded is nothing in every binary that is delivered.
func recorded(t *softtoken.Token, err error) (cryptotoken.Token, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

// witnessed is nothing in every binary that is delivered.
func witnessed(ca sam.CertificateAuthority) sam.CertificateAuthority { return ca }

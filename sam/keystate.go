package sam

import (
	"fmt"
	"slices"

	"github.com/assent-sign/assent/sap"
)

// keyMoves is every move that a long-term key can make; what is not in it does
// not happen, whoever asks. Only an active key signs (KEY-07); nothing leads back
// from revoked, expired or destroyed, and nothing leads anywhere from destroyed
// (KPR-08). A generated key is revoked by a restore only: the older database does
// not know its certificate yet.
var keyMoves = map[string][]string{
	KeyGenerated: {KeyActive, KeyRevoked, KeyDestroyed},
	KeyActive:    {KeySuspended, KeyRevoked, KeyExpired, KeyDestroyed},
	KeySuspended: {KeyActive, KeyRevoked, KeyExpired, KeyDestroyed},
	KeyRevoked:   {KeyDestroyed},
	KeyExpired:   {KeyDestroyed},
	KeyDestroyed: {},
}

// onceMoves is the same for one-time keys (KEY-10): one way, each step once, and
// destroyed from wherever it stands.
var onceMoves = map[string][]string{
	OnceRequested: {OnceApproved, OnceDestroyed},
	OnceApproved:  {OnceGenerated, OnceDestroyed},
	OnceGenerated: {OnceCertified, OnceDestroyed},
	OnceCertified: {OnceUsed, OnceDestroyed},
	OnceUsed:      {OnceDestroyed},
	OnceDestroyed: {},
}

// move changes a state by the table. ReasonState when the table has no such move.
func move(table map[string][]string, state *string, to string) error {
	if !slices.Contains(table[*state], to) {
		return fmt.Errorf("%w: from %s to %s", sap.ReasonState, clip(*state, 16), to)
	}
	*state = to
	return nil
}

//go:build planted_hole

package samrpc_test

import "github.com/assent-sign/assent/sam"

const planted = true

var plantedArguments = map[string]any{sam.DecideHole: sam.Hole{}}

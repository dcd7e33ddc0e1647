//go:build !planted_hole

package samrpc_test

const planted = false

// plantedArguments: this build has no decision beyond the module's own.
var plantedArguments = map[string]any{}

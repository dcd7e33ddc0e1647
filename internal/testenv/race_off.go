//go:build !race

package testenv

// Slowdown is how much more time a bound of a test leaves when the race
// detector makes everything slower.
const Slowdown = 1

// Package door is what the tests of mutate change: its own tests notice some changes
// and not others, on purpose.
package door

import "errors"

// ErrYoung and ErrStranger are refusals.
var (
	ErrYoung    = errors.New("too young")
	ErrStranger = errors.New("no member")
)

// MinAge is tested on both sides.
const MinAge = 18

// Check lets members of age in.
func Check(age int, member bool) error {
	if age < MinAge {
		return ErrYoung
	}
	if !member { // nobody tests it
		return ErrStranger
	}
	return nil
}

// Late is tested away from its bound.
func Late(hour int) bool { return hour > 22 }

// Count ends because it counts down.
func Count(n int) int {
	rounds := 0
	for n > 0 {
		n--
		rounds++
	}
	return rounds
}

// Bell is called by no test.
func Bell(rings *int) { *rings = 1 }

// Full is a byte that has no next one.
func Full(b byte) bool { return b == byte(255) }

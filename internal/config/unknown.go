package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// unknownKey says what to do about a key that is not there.
func unknownKey(key, path string, known map[string]reflect.Type) string {
	where := ""
	if path != "" {
		where = " in " + path
	}
	words := fmt.Sprintf("there is no key %.60q%s", key, where)
	names := slices.Sorted(maps.Keys(known))
	best, least := "", 3
	for _, n := range names {
		if d := distance(key, n); d < least && d < len(n) {
			best, least = n, d
		}
	}
	if best != "" {
		return words + fmt.Sprintf(": did you mean %q?", best)
	}
	return words + ": known are " + strings.Join(names, ", ")
}

// distance is how many letters must be put in, taken out or changed to make one
// word the other; 99 for words that are far too long to be asked about.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 99
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := before
			if a[i] != b[j] {
				changed++
			}
			before = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

package config

import (
	"fmt"
	"strings"
)

// Faults is all that is wrong with a configuration, in the order of the checks, so
// that an operator mends a file in one go and reads the same twice.
type Faults []string

// AddIf adds a sentence about what is wrong.
func (f *Faults) AddIf(wrong bool, words string, args ...any) {
	if wrong {
		*f = append(*f, fmt.Sprintf(words, args...))
	}
}

// Err is one error with all of them, which wraps kind; nil without faults.
func (f Faults) Err(kind error) error {
	switch len(f) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%w: %s", kind, f[0])
	}
	return fmt.Errorf("%w: %d things are wrong:\n- %s", kind, len(f), strings.Join(f, "\n- "))
}

//go:build !failpoint

package failpoint

// Enabled tells whether this binary can kill itself.
const Enabled = false

// Before marks the place before a step.
func Before(string) {}

// After marks the place after a step.
func After(string) {}

// Hit marks a place that is before one step and after another.
func Hit(string) {}

// ChildEnv is what a worker process gets so that its death at a point is the
// death of this process too.
func ChildEnv() []string { return nil }

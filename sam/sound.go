//go:build !planted_hole

package sam

// planted adds nothing: only the build that proves the random walk (PRV-01) has
// a hole.
func planted(all map[string]decision) map[string]decision { return all }

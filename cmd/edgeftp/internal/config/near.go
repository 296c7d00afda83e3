package config

// Nearest returns the candidate that is the fewest edits from s, or nothing if all are
// far.
func Nearest(s string, candidates []string) string { return nearest(s, candidates) }

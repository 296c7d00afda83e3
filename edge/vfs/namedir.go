package vfs

// NameDir is a [Dir] that can give names alone, which costs no look at each
// entry (NLST).
type NameDir interface {
	Dir
	// Names returns up to n further names, like Next. Names and Next draw from
	// the same entries.
	Names(n int) ([]string, error)
}

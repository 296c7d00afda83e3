package vfs

// NameDir is a [Dir] that can give names alone, which costs no look at each
// entry (NLST).
type NameDir interface {
	Dir
	// Names returns up to n further names, like Next. Names and Next draw from
	// the same entries.
	Names(n int) ([]string, error)
}

// LookDir is a [NameDir] whose entries can be described by their names, so that
// names can be put in order before anything is looked at (LIST).
type LookDir interface {
	NameDir
	// Look describes entries whose names the directory has given, in that order,
	// as [FS].Lstat does but relative to the open directory. Those that have
	// vanished are left out.
	Look(names []string) ([]Info, error)
}

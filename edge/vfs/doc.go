// Package vfs is the server's view of files: RFC 959's NVFS, a virtual
// filesystem that cannot be left.
//
// Every path is made canonical once, by [Clean], before a policy or a filesystem
// sees it; both are given the same [Path]. A filesystem is an [FS]; one that can
// be changed is also a [Writer]. Nothing of an upload is visible to anybody until
// its [Stage] is committed.
//
// What a filesystem can do beyond that is told by the small interfaces that it
// implements: [Chmodder], [Chtimer], [Birther], [Symlinker], [Spacer], [Partials],
// [Subber], [Masker], [Guard] and [Impersonator]. A login gets a root of its own by
// Sub, and the rights of a user of the host by [AsUser].
//
// [Disk] serves a directory of the host through an [os.Root]; [Mem] holds files
// in memory. [Forest] makes one filesystem of several, as virtual folders are, and
// [ReadOnly] one that cannot be changed of any. The package vfstest holds the conformance functions that every
// implementation passes: TestFS, or TestReadOnly if it cannot be written to.
package vfs

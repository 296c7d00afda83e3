package vfs

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// FS is a filesystem that can be read. Implementations are safe for concurrent
// use. Their errors are those of package io/fs (fs.ErrNotExist and so on) or of
// this package, wrapped with %w, and never hold a path of the host.
//
// Symbolic links are followed as long as they stay inside the root; one that
// leads out is refused with ErrEscapes.
type FS interface {
	// Open opens a regular file for reading. A directory is refused with
	// ErrIsDirectory, a device, socket or FIFO with ErrSpecial, at once and
	// without blocking.
	Open(p Path) (File, error)
	// Stat describes what p leads to.
	Stat(p Path) (Info, error)
	// Lstat describes p itself, a final symbolic link included.
	Lstat(p Path) (Info, error)
	// ReadDir opens a directory for reading in portions. A path that is not a
	// directory is refused with ErrNotDirectory.
	ReadDir(p Path) (Dir, error)
}

// File is an open regular file. A Disk returns an *os.File itself, with nothing
// around it, so that the kernel can move its bytes (sendfile(2)).
type File interface {
	io.Reader
	io.Seeker
	io.Closer
	// Stat describes the open file.
	Stat() (fs.FileInfo, error)
}

// Dir is an open directory.
type Dir interface {
	// Next returns up to n further entries as Lstat would describe them, in no
	// order, without "." and ".." and without names that the filesystem keeps
	// for itself. It returns io.EOF, and no entries, at the end. Entries that
	// vanish meanwhile are left out.
	Next(n int) ([]Info, error)
	io.Closer
}

// Info describes a file. It is plain data: whoever lists a directory may keep
// it.
type Info struct {
	Name    string      // last component; "/" for the root
	Size    int64       // bytes of a regular file
	Mode    fs.FileMode // type and permission bits
	ModTime time.Time   // of the last change of its bytes, in any zone
	// Birth is when the file was made; zero where unknown. A Disk tells it on
	// Linux, in Lstat and ReadDir alone.
	Birth  time.Time
	Target string // what a symbolic link says, empty for all else
	Links  uint64 // number of hard links, 1 where unknown
	UID    uint32 // the owner on the host, 0 where there is none
	GID    uint32 // the group on the host, 0 where there is none
	Dev    uint64 // with Inode, identifies the file; both 0 where unknown
	Inode  uint64 // on Dev
}

// IsDir reports whether the file is a directory.
func (i Info) IsDir() bool { return i.Mode.IsDir() }

// Writer is an FS that can be changed.
type Writer interface {
	// Stage begins an upload. See StageOptions and Stage.
	Stage(p Path, opt StageOptions) (Stage, error)
	// Mkdir makes a directory with mode 0777 less the umask.
	Mkdir(p Path) error
	// Rmdir removes an empty directory; the root is refused with ErrRoot.
	Rmdir(p Path) error
	// Remove removes a file or a symbolic link, not a directory
	// (ErrIsDirectory).
	Remove(p Path) error
	// Rename moves a file or directory and replaces an existing file. The root
	// is refused with ErrRoot, a directory moved into itself with fs.ErrInvalid.
	Rename(from, to Path) error
}

// Chmodder is an FS whose modes can be changed (SITE CHMOD). Set-id and sticky
// bits are never set. Symbolic links at the end of p are followed inside the
// root.
type Chmodder interface {
	Chmod(p Path, mode fs.FileMode) error
}

// Chtimer is an FS whose times can be changed (MFMT, SITE UTIME): when a file was
// last read and last written to. A zero time leaves the one that is there.
// Symbolic links at the end of p are followed inside the root.
type Chtimer interface {
	Chtimes(p Path, atime, mtime time.Time) error
}

// Birther is an FS that lets its users say when a file was made (MFCT, MFF
// Create; Info.Birth). Symbolic links at the end of p are followed inside the
// root.
type Birther interface {
	SetBirth(p Path, t time.Time) error
}

// Symlinker is an FS in which symbolic links can be made (SITE SYMLINK).
type Symlinker interface {
	// Symlink makes a link at p that says target. Whatever is at p is left alone:
	// fs.ErrExist, also for a link that leads nowhere.
	//
	// A relative target counts from the directory that really holds the link, and
	// is kept as it is. An absolute one is a Path, as every absolute name of a
	// client is; the link is made to say the same relative to its directory, so
	// that it means the same on the host, under another root and to other
	// programs. What target leads to need not exist. A target that leads out of
	// the root is refused with ErrEscapes, one into the names that the filesystem
	// keeps for itself with fs.ErrPermission, an empty one with fs.ErrInvalid; the
	// bytes that no Path may hold with ErrBadName, too long a one with
	// ErrNameTooLong.
	//
	// That is how things stand when the link is made. One that is moved, or whose
	// target changes, may lead out later; following it is then refused.
	Symlink(target string, p Path) error
}

// Spacer is an FS that knows how much room there is (AVBL).
type Spacer interface {
	// Space returns how many bytes the server may still write to the filesystem
	// that holds the directory p; ErrNotDirectory if it is none. Quotas may allow
	// less.
	Space(p Path) (free int64, err error)
}

// Subber is an FS of which a part can be served by itself, as the model makes one
// filesystem for each login with the user's home as its root.
type Subber interface {
	// Sub returns a view of the FS in which the directory dir is the root: ".."
	// does not leave it, and a symbolic link that leads out of dir is refused with
	// ErrEscapes, also one that stays inside the FS. What the FS can do, the view
	// can. It may be an io.Closer, to be closed when nobody uses it any more.
	Sub(dir Path) (FS, error)
}

// Partials is an FS that keeps interrupted uploads privately for their owner, so
// that the owner can go on with them (StageOptions.Owner). Nobody else sees
// them.
type Partials interface {
	// Partial describes what is kept of an interrupted upload of p by owner;
	// fs.ErrNotExist if nothing is.
	Partial(owner string, p Path) (Info, error)
	// Partials lists what is kept for owner in the directory p; Info.Name is
	// the name that the upload will have.
	Partials(owner string, p Path) ([]Info, error)
	// OpenPartial opens what is kept, to be read; fs.ErrNotExist if nothing is, and
	// ErrBusy while somebody goes on with it.
	OpenPartial(owner string, p Path) (File, error)
	// DropPartial forgets what is kept; fs.ErrNotExist if nothing is.
	DropPartial(owner string, p Path) error
}

// StageOptions say what kind of upload a Stage is. The zero value is a whole new
// file that replaces any older one at its commit, and is discarded when
// interrupted.
type StageOptions struct {
	// Append adds to what is there (APPE): to the published file if there is
	// one, else to the owner's partial, else to nothing.
	Append bool
	// Offset is the byte at which writing begins (REST and STOR, RFC 3659 §5).
	// It must not be beyond the end of what is there: ErrOffset. Not with
	// Append.
	Offset int64
	// Unique makes a name that does not exist, beginning with the path given
	// (STOU, RFC 959 §4.1.3).
	Unique bool
	// Owner is whose upload this is. With an Owner, an upload to a name that
	// does not exist is kept privately when it is interrupted; empty discards
	// it.
	Owner string
}

// Interrupter is a Stage that can be told, by any goroutine, to give up what it does
// without its user, such as to copy a large file of which a part is to be replaced.
// A Write or ReadFrom then fails soon, and nothing can be committed.
type Interrupter interface {
	Interrupt()
}

// Stage is one running upload. It is in nobody's view until Commit. It has one
// user at a time, and exactly one of Commit and Discard ends it; both close it.
//
// A Stage may be an io.ReaderAt of the bytes that Commit would publish, also those
// that Append or Offset kept; those of a Disk and a Mem are. They are read before
// Commit, when nothing is written any more.
//
// A Stage of a Disk reads from a *net.TCPConn and from the *os.File of another
// file, also through an *io.LimitedReader, without the bytes passing through the
// process (splice(2), copy_file_range(2)).
type Stage interface {
	io.Writer
	io.ReaderFrom
	// Path is the canonical path under which Commit publishes, made up by the
	// Stage for StageOptions.Unique.
	Path() Path
	// Size is the length in bytes that the file has now, Offset and appended-to
	// bytes included.
	Size() int64
	// Commit publishes the upload durably: when it returns nil, the file and
	// its name survive a power cut. After an error nothing is published.
	Commit(ctx context.Context) error
	// Discard ends an upload that did not end properly. What was there before
	// is untouched; the bytes are kept for the owner where StageOptions say so
	// and keep is true, and dropped otherwise.
	Discard(keep bool) error
}

//go:build !unix

package vfs

import (
	"io/fs"
	"os"
)

// openFlags are added to every open. There are no FIFOs to wait for here.
const openFlags = 0

// directoryFlags open directories; whoever uses them checks the type.
const directoryFlags = os.O_RDONLY

// setBlocking has nothing to do here.
func setBlocking(*os.File) error { return nil }

// infoOf describes a file of the host.
func infoOf(fi fs.FileInfo, name string) Info {
	return Info{Name: name, Size: fi.Size(), Mode: fi.Mode(), ModTime: fi.ModTime(), Links: 1}
}

// lockFile pretends: this host's locks would keep the holder from reading.
func lockFile(*os.File) (bool, error) { return true, nil }

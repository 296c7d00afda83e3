package vfs_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// body makes n bytes that no other body has at the same place.
func body(seed byte, n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%c%d,", seed, i)
	}
	return b.String()[:n]
}

// script does everything that a client can do to a Disk.
func (w *witness) script() {
	w.scriptUploads()
	w.scriptLooks()
	w.scriptChanges()
	w.scriptInterrupted()
	w.scriptFolders()
}

func (w *witness) scriptUploads() {
	w.mkdir("/a")
	w.mkdir("/a/b")
	w.store("STOR", "/a/f", body('a', 9000), 0)
	w.store("STOR", "/a/f", body('b', 7000), 0) // replaced
	w.store("APPE", "/a/f", body('c', 3000), 0)
	w.store("APPE", "/a/log", body('d', 100), 0) // appended to nothing
	w.store("APPE", "/a/log", body('e', 100), 0)
	w.store("STOR", "/a/f", body('f', 500), 10000) // at its end
	w.store("STOR", "/a/f", body('g', 300), 2000)  // inside
	w.store("STOR", "/a/large", body('h', 200000), 0)
	w.unique(body('i', 1000))
	w.store("STOR", "/a/b/empty", "", 0)
	w.store("STOR", "/a/beyond", "never taken", 0)
}

func (w *witness) scriptLooks() {
	length := func(data string) string { return strconv.Itoa(len(data)) }
	w.tells("SIZE /a/f", "/a/f", 213, length)
	w.tells("MLST /a/f", "/a/f", 250, func(data string) string { return "size=" + length(data) + ";" })
	_, _ = w.do("MDTM /a/f", 213)
	w.fetch("/a/f", 0)
	w.fetch("/a/f", 4000)
	w.fetch("/a/large", 0)
	w.list("LIST /a", "/a")
	w.list("NLST /a", "/a")
	w.list("MLSD /a", "/a")
	w.list("NLST /", "/")
	_, _ = w.do("STAT /a", 212)
	w.tells("HASH /a/f", "/a/f", 213, func(data string) string {
		sum := sha256.Sum256([]byte(data))
		return hex.EncodeToString(sum[:])
	})
	w.tells("XCRC /a/log", "/a/log", 250, func(data string) string {
		return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(data)))
	})
	_, _ = w.do("AVBL /a", 213)
	_, _ = w.do("CWD /a/b", 250)
	_, _ = w.do("CDUP", 250)
	_, _ = w.do("CWD /", 250)
}

func (w *witness) scriptChanges() {
	w.copyTo("/a/f", "/a/copy")
	w.copyTo("/a/log", "/a/copy") // replaced
	w.attribute("SITE CHMOD 600 /a/copy", 200, "/a/copy", func(i fs.FileInfo) bool { return i.Mode().Perm() == 0o600 })
	stamp := time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)
	w.attribute("MFMT 20210304050607 /a/copy", 213, "/a/copy", func(i fs.FileInfo) bool { return i.ModTime().Equal(stamp) })
	later := stamp.AddDate(1, 0, 0)
	w.attribute("SITE UTIME 20220304050607 /a/copy", 200, "/a/copy", func(i fs.FileInfo) bool { return i.ModTime().Equal(later) })
	if _, ok := w.do("SITE SYMLINK f /a/link", 200); ok {
		w.links["/a/link"] = "/a/f"
		w.fetch("/a/link", 0)
		w.store("STOR", "/a/link", body('j', 6000), 0)
		w.gone("DELE", "/a/link")
	}
	w.rename("/a/f", "/a/g")
	w.rename("/a/g", "/a/log")  // over another
	w.rename("/a/log", "/kept") // into another folder
	w.rename("/a/b", "/a/c")
	w.fetch("/a/c/empty", 0)
	w.gone("DELE", "/a/copy")
	w.gone("DELE", "/a/beyond")
}

func (w *witness) scriptInterrupted() {
	full := body('k', 50000)
	w.interrupt("STOR", "/a/part", full[:20000])
	_, _ = w.do("SIZE /a/part", 213)
	w.list("MLSD /a", "/a")
	w.resume("APPE", "/a/part", full)
	w.fetch("/a/part", 0)
	full = body('l', 40000)
	w.interrupt("STOR", "/a/again", full[:10000])
	w.interruptAgain("/a/again", full[:15000])
	w.resume("STOR", "/a/again", full)
	w.interrupt("STOR", "/a/shorter", body('m', 30000))
	w.store("STOR", "/a/shorter", body('n', 20000), 5000)
	w.interrupt("STOR", "/a/dropped", body('o', 30000))
	w.gone("DELE", "/a/dropped")
	w.interrupt("STOR", "/a/new", body('p', 3000))
	w.store("STOR", "/a/new", body('q', 4000), 0) // instead of what was kept
	w.interrupt("APPE", "/kept", body('r', 3000))
	w.store("APPE", "/kept", body('s', 700), 0)
	w.interrupt("STOR", "/kept", body('t', 3000))
}

func (w *witness) scriptFolders() {
	full := body('u', 5000)
	w.mkdir("/d")
	w.mkdir("/d/e")
	w.interrupt("STOR", "/d/e/part", full[:4000])
	w.rename("/d", "/m")
	w.resume("APPE", "/m/e/part", full)
	w.interrupt("STOR", "/m/e/left", full)
	w.gone("DELE", "/m/e/part")
	w.gone("RMD", "/m/e")
	w.gone("RMD", "/m")
	w.list("MLSD /", "/")
}

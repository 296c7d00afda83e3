// Package backup writes all that a server is into one archive, and brings it back. The
// format is described in docs/backup.md.
//
// An archive is a tar file. Its first member says what it is; its last one names every
// other with its length and SHA-256, so that an archive that is not whole, or that somebody
// has changed by accident, is refused before anything of it is put in place. It is no proof
// of who made it: whoever can write the archive can write the sums.
package backup

import "time"

// Format is the version of archives that this package writes, and the only one it reads.
const Format = 1

// Names of members.
const (
	headName     = "edgeftp-backup.json" // first
	manifestName = "manifest.json"       // last
	configDir    = "config"
	stateDir     = "state"
	certDir      = "certificates"
)

// Bounds of archives that are read.
const (
	maxMembers  = 200_000
	maxManifest = 64 << 20
	maxHead     = 64 << 10
	maxName     = 1024
	// MaxSize is how many bytes the members of an archive have together at most, unless
	// somebody says otherwise.
	MaxSize = 16 << 30
)

// Head is the first member: what the archive is of.
type Head struct {
	Format   int       `json:"format"`
	Version  string    `json:"version"` // of the program that wrote it
	Time     time.Time `json:"time"`
	Instance string    `json:"instance"`
	// Audit is the newest record of the audit log, which is not in the archive: whoever has
	// this hash can see whether the log was made anew. It is nil where there is no log.
	Audit *AuditHead `json:"audit,omitempty"`
	// Outside are files that the configuration names and that are not in the archive.
	Outside []string `json:"outside"`
}

// AuditHead is a place in the audit log's chain.
type AuditHead struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// Member is a row of the manifest.
type Member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// manifest is the last member.
type manifest struct {
	Members []Member `json:"members"`
}

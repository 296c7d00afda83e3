package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/edge/pi"
)

// Transfer says how bytes are moved.
type Transfer struct {
	Sendfile  bool        // the kernel moves plain files
	Buffer    int64       // bytes; 0 is the server's choice
	NoDelay   bool        // TCP_NODELAY on control connections
	Deflate   bool        // MODE Z
	MaxRatio  int         // of an upload in that mode; 0 is no limit
	Binary    bool        // sessions begin with TYPE I
	Checksums []pi.Digest // that HASH and the X commands compute; empty removes them
}

type fileTransfer struct {
	Sendfile    bool     `json:"sendfile"`
	Buffers     string   `json:"buffers"`
	NoDelay     bool     `json:"tcp_nodelay"`
	DefaultType string   `json:"default_type"`
	Checksums   []string `json:"checksums"`
	Deflate     struct {
		Enabled  bool `json:"enabled"`
		MaxRatio int  `json:"max_ratio"`
	} `json:"deflate"`
}

// autoBuffers leaves the size of buffers to the server.
const autoBuffers = "auto"

// digestName is how the file writes an algorithm: "sha256" for SHA-256.
func digestName(d pi.Digest) string {
	return strings.ToLower(strings.ReplaceAll(string(d), "-", ""))
}

func (c *checker) transfer(f *fileTransfer) Transfer {
	t := Transfer{Sendfile: f.Sendfile, Buffer: size(f.Buffers), NoDelay: f.NoDelay, Binary: f.DefaultType == "binary",
		Deflate: f.Deflate.Enabled, MaxRatio: f.Deflate.MaxRatio}
	for i, name := range f.Checksums {
		all := pi.Digests()
		at := slices.IndexFunc(all, func(d pi.Digest) bool { return digestName(d) == name })
		if at < 0 { // the schema has refused it
			continue
		}
		if slices.Contains(t.Checksums, all[at]) {
			c.at([]string{"transfer", "checksums", strconv.Itoa(i)}, fmt.Sprintf("%q is given twice", name), "remove one of them")
			continue
		}
		t.Checksums = append(t.Checksums, all[at])
	}
	return t
}

func (t *Transfer) file() fileTransfer {
	f := fileTransfer{Sendfile: t.Sendfile, Buffers: orElse(formatSize(t.Buffer), autoBuffers), NoDelay: t.NoDelay, DefaultType: "ascii",
		Checksums: []string{}}
	f.Deflate.Enabled, f.Deflate.MaxRatio = t.Deflate, t.MaxRatio
	if t.Binary {
		f.DefaultType = "binary"
	}
	for _, d := range t.Checksums {
		f.Checksums = append(f.Checksums, digestName(d))
	}
	return f
}

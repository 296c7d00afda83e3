package delivery

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
)

// fresh is for how long after its last change a file may have been changed again without
// its times saying so: some filesystems count in whole seconds, FAT in two.
const fresh = 2 * time.Second

// answer is how a request for a file is answered. Its header is that of GET also for HEAD.
type answer struct {
	status int
	header http.Header
	parts  []pi.Part
}

// size is how many bytes the answer's body has.
func (a *answer) size() (n int64) {
	for _, p := range a.parts {
		n += int64(len(p.Before)) + p.Size
	}
	return n
}

// answerFile is the answer to a GET or HEAD of the file f, which is called name.
func answerFile(method string, asked http.Header, name string, f file, now time.Time) answer {
	a := answer{status: http.StatusOK, header: http.Header{}}
	v := f.validators(now)
	set(a.header, "ETag", v.tag)
	if !v.date.IsZero() {
		a.header.Set("Last-Modified", v.date.UTC().Format(http.TimeFormat))
	}
	switch judge(asked, v) {
	case notModified:
		a.status = http.StatusNotModified
		return a
	case failed:
		a.status = http.StatusPreconditionFailed
		return a
	}
	kind := mediaType(name)
	a.header.Set("Content-Type", kind)
	if f.Filtered {
		a.header.Set("Accept-Ranges", "none")
		a.parts = []pi.Part{{Size: f.Size}}
		return a
	}
	a.header.Set("Accept-Ranges", "bytes")
	a.choose(method, asked, v, kind, f.Size)
	if a.status != http.StatusRequestedRangeNotSatisfiable {
		a.header.Set("Content-Length", strconv.FormatInt(a.size(), 10))
	}
	return a
}

// choose chooses the parts that are sent.
func (a *answer) choose(method string, asked http.Header, v validators, kind string, size int64) {
	a.parts = []pi.Part{{Size: size}}
	lines := asked["Range"]
	if method != http.MethodGet || len(lines) != 1 || !inRange(asked, v) {
		return // RFC 9110 §14.2: Range is for GET alone
	}
	spans, ok := parseRange(lines[0], size)
	switch {
	case !ok:
		a.status, a.parts = http.StatusRequestedRangeNotSatisfiable, nil
		a.header.Del("Content-Type")
		a.header.Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
	case len(spans) == 1:
		a.status, a.parts = http.StatusPartialContent, []pi.Part{{From: spans[0].from, Size: spans[0].size}}
		a.header.Set("Content-Range", spans[0].header(size))
	case len(spans) > 1:
		a.status = http.StatusPartialContent
		a.several(spans, kind, size, rand.Text())
	}
}

// several makes the body one of several parts (RFC 9110 §14.6).
func (a *answer) several(spans []span, kind string, size int64, boundary string) {
	a.header.Set("Content-Type", "multipart/byteranges; boundary="+boundary)
	a.parts = a.parts[:0]
	for _, s := range spans {
		before := "\r\n--" + boundary + "\r\nContent-Type: " + kind + "\r\nContent-Range: " + s.header(size) + "\r\n\r\n"
		if len(a.parts) == 0 {
			before = before[2:]
		}
		a.parts = append(a.parts, pi.Part{Before: before, From: s.from, Size: s.size})
	}
	a.parts = append(a.parts, pi.Part{Before: "\r\n--" + boundary + "--\r\n"})
}

// validators of the file. One whose bytes a policy changes has none: what is known is
// about other bytes.
func (f file) validators(now time.Time) (v validators) {
	if f.Filtered || f.ModTime.IsZero() {
		return v
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %s", f.ModTime.UnixNano(), f.Size, f.ID))
	v.tag = `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
	v.date = f.ModTime.Truncate(time.Second)
	v.strong = now.Sub(f.ModTime) > fresh
	if !v.strong {
		v.tag = "W/" + v.tag
	}
	if v.date.After(now) { // RFC 9110 §8.8.2.1: not later than Date
		v.date = now.Truncate(time.Second)
	}
	return v
}

// dress puts on what an answer about a file has beside the file's own: what browsers may do
// with it, and how long it may be kept.
func (c *Config) dress(a *answer, p string, anonymous bool) {
	set(a.header, "Cache-Control", c.cacheControl(p, anonymous))
	if a.status == http.StatusNotModified || a.status >= 400 {
		return
	}
	if c.FilePolicy != "off" && active(mediaType(p)) {
		a.header.Set("Content-Security-Policy", c.FilePolicy)
	}
	if c.attached(p) {
		set(a.header, "Content-Disposition", disposition(path.Base(p)))
	}
}

// disposition is how a file is saved under its name (RFC 6266).
func disposition(name string) string {
	if d := mime.FormatMediaType("attachment", map[string]string{"filename": shown(name)}); d != "" {
		return d
	}
	return "attachment"
}

// set sets a header field that has a value.
func set(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}

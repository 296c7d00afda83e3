package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode"
)

// ErrArchive says that an archive is not one, or not whole.
var ErrArchive = errors.New("that is no archive that edgeftp backup wrote, or it is not whole")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrArchive, fmt.Sprintf(format, args...))
}

// Contents is what an archive holds.
type Contents struct {
	Head
	Members []Member `json:"members"`
	Size    int64    `json:"size"` // of the members together
}

// reader reads an archive member by member.
type reader struct {
	tar   *tar.Reader
	limit int64
	seen  map[string]bool // names, and the directories above them
	files map[string]bool
	got   Contents
}

// Read reads a whole archive of at most limit bytes and hands each member over but the
// first and the last; keep may be nil. What it was handed counts only when Read returns
// without an error: the sums are at the end.
func Read(in io.Reader, limit int64, keep func(name string, size int64, in io.Reader) error) (*Contents, error) {
	r := &reader{tar: tar.NewReader(in), limit: limit, seen: map[string]bool{}, files: map[string]bool{}}
	if err := r.head(); err != nil {
		return nil, err
	}
	for {
		h, err := r.tar.Next()
		if err != nil {
			return nil, bad("it ends before its manifest (%v)", cut(err))
		}
		if h.Name == manifestName {
			if err := r.manifest(h); err != nil {
				return nil, err
			}
			return &r.got, r.end(in)
		}
		if err := r.member(h, keep); err != nil {
			return nil, err
		}
	}
}

// cut bounds an error's text, of which a part may be the archive's.
func cut(err error) string { return fmt.Sprintf("%.200q", err.Error()) }

// head reads the first member.
func (r *reader) head() error {
	h, err := r.tar.Next()
	if err != nil {
		return bad("it is no tar file")
	}
	if h.Name != headName || h.Typeflag != tar.TypeReg || h.Size > maxHead {
		return bad("it does not begin with %s", headName)
	}
	text, err := io.ReadAll(r.tar)
	if err != nil {
		return bad("its beginning cannot be read")
	}
	if err := json.Unmarshal(text, &r.got.Head); err != nil {
		return bad("its beginning is not understood")
	}
	if r.got.Format != Format {
		return fmt.Errorf("the archive has format %d, and this program reads format %d\n   = help: use the version that wrote it (%.40q), or a newer one", r.got.Format, Format, r.got.Version)
	}
	return nil
}

// allowed reports what is wrong with a member by its header.
func (r *reader) allowed(h *tar.Header) error {
	name := h.Name
	top, _, below := strings.Cut(name, "/")
	switch {
	case h.Typeflag != tar.TypeReg:
		return bad("%.100q is no file", name)
	case len(name) > maxName || name != path.Clean(name) || !below || strings.HasPrefix(name, "/") || strings.Contains(name, "\\") ||
		strings.ContainsFunc(name, unicode.IsControl) || slices.Contains(strings.Split(name, "/"), ".."):
		return bad("%.100q is no name of a member", name)
	case !slices.Contains([]string{configDir, stateDir, certDir}, top):
		return bad("%.100q is in none of %s, %s and %s", name, configDir, stateDir, certDir)
	case r.seen[name]:
		return bad("%.100q is there twice", name)
	case h.Size < 0 || r.got.Size+h.Size > r.limit:
		return fmt.Errorf("the archive holds more than %d bytes\n   = help: --max-size allows more", r.limit)
	case len(r.got.Members) >= maxMembers:
		return bad("it has more than %d members", maxMembers)
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if r.files[dir] {
			return bad("%.100q lies below a file", name)
		}
		r.seen[dir] = true
	}
	r.seen[name], r.files[name] = true, true
	return nil
}

// member reads one member.
func (r *reader) member(h *tar.Header, keep func(string, int64, io.Reader) error) error {
	if err := r.allowed(h); err != nil {
		return err
	}
	sum := sha256.New()
	in := io.TeeReader(r.tar, sum)
	if keep != nil {
		if err := keep(h.Name, h.Size, in); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return bad("%.100q is not whole (%s)", h.Name, cut(err))
	}
	r.got.Members = append(r.got.Members, Member{h.Name, h.Size, hex.EncodeToString(sum.Sum(nil))})
	r.got.Size += h.Size
	return nil
}

// manifest holds what was read against the last member.
func (r *reader) manifest(h *tar.Header) error {
	if h.Typeflag != tar.TypeReg || h.Size > maxManifest {
		return bad("its manifest is none")
	}
	text, err := io.ReadAll(r.tar)
	var m manifest
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return bad("its manifest is not understood")
	}
	if len(m.Members) != len(r.got.Members) {
		return bad("it has %d members, and its manifest names %d", len(r.got.Members), len(m.Members))
	}
	for i, want := range m.Members {
		switch got := r.got.Members[i]; {
		case got.Name != want.Name:
			return bad("%.100q stands where its manifest has %.100q", got.Name, want.Name)
		case got != want:
			return bad("%.100q is not what was written: its SHA-256 or its length is another one", got.Name)
		}
	}
	return nil
}

// end holds that nothing follows.
func (r *reader) end(in io.Reader) error {
	if h, err := r.tar.Next(); err == nil {
		return bad("%.100q stands behind its manifest", h.Name)
	} else if !errors.Is(err, io.EOF) {
		return bad("it has no end (%s)", cut(err))
	}
	b := make([]byte, 32<<10)
	for {
		n, err := in.Read(b)
		if strings.Trim(string(b[:n]), "\x00") != "" {
			return bad("something stands behind its end")
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

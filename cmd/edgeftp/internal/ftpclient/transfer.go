package ftpclient

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// pieces is how much is read from a data connection or a file at once.
const pieces = 128 << 10

// Unknown is a size that nobody has told.
const Unknown = -1

// Retrieve reads a file from an offset on into w and returns how many bytes w has taken.
// Size is how long the whole file is: neither more nor less is taken for it; Unknown
// takes what comes, if the end of it is announced. After an error the session is lost
// unless nothing was sent yet.
func (s *Session) Retrieve(path string, from, size int64, w io.Writer) (int64, error) {
	d, err := s.beginData("RETR "+path, from)
	if err != nil {
		return 0, err
	}
	n, err := s.receive(d, path, from, size, w)
	d.close()
	if err != nil {
		return n, s.lose(err)
	}
	_, err = s.expect("the end of RETR "+path, 226, 250)
	return n, err
}

func (s *Session) receive(d *stream, path string, from, size int64, w io.Writer) (n int64, err error) {
	buf := make([]byte, pieces)
	for {
		got, err := d.Read(buf)
		if size != Unknown && n+int64(got) > size-from {
			return n, refuse("the server sends more of %s than the %d bytes that it has", escape.Text(path), size)
		}
		if got > 0 {
			put, werr := w.Write(buf[:got])
			n += int64(put)
			if werr != nil {
				return n, &Local{werr}
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) || errors.Is(err, errCut) && size != Unknown:
			// A cut that takes nothing away does no harm.
			if size != Unknown && n < size-from {
				return n, fmt.Errorf("only %d of %d bytes came: %w", from+n, size, io.ErrUnexpectedEOF)
			}
			return n, nil
		default:
			return n, err
		}
	}
}

// Local is an error of this side: a file that cannot be read or written.
type Local struct {
	// Err is what the system says.
	Err error
}

// Error is what the system says.
func (l *Local) Error() string { return l.Err.Error() }

// Unwrap returns what the system says.
func (l *Local) Unwrap() error { return l.Err }

// Store sends what r has to a new file; with more it is added to the end of one that is
// there (APPE). It returns how many bytes were sent.
func (s *Session) Store(path string, more bool, r io.Reader) (int64, error) {
	command := "STOR " + path
	if more {
		command = "APPE " + path
	}
	d, err := s.beginData(command, 0)
	if err != nil {
		return 0, err
	}
	n, err := s.deliver(d, r)
	if err == nil {
		err = d.end()
	}
	d.close()
	if err != nil {
		var local *Local
		if errors.As(err, &local) {
			return n, s.lose(err)
		}
		return n, s.refused(command, err)
	}
	_, err = s.expect("the end of "+command, 226, 250)
	return n, err
}

func (s *Session) deliver(d *stream, r io.Reader) (n int64, err error) {
	buf := make([]byte, pieces)
	for {
		got, err := r.Read(buf)
		if got > 0 {
			put, werr := d.Write(buf[:got])
			n += int64(put)
			if werr != nil {
				return n, werr
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, &Local{err}
		}
	}
}

// refused is why a server does not take the rest of an upload: its reply if it has sent
// one, which says more than a broken connection.
func (s *Session) refused(command string, err error) error {
	_ = s.conn.SetReadDeadline(time.Now().Add(min(s.conf.Timeout, 5*time.Second)))
	r, replied := readReply(s.in)
	if replied != nil || r.Code < 400 {
		return s.lose(err)
	}
	_ = s.lose(err)
	return &ReplyError{command, r}
}

// Size asks how long a file is; Unknown if the server does not say.
func (s *Session) Size(path string) (int64, error) {
	r, err := s.do("SIZE " + path)
	if err != nil {
		return Unknown, err
	}
	if r.is(213) {
		n, err := strconv.ParseInt(strings.TrimSpace(r.Text()), 10, 64)
		if err != nil || n < 0 {
			return Unknown, refuse("the server answers SIZE with %q", clip(r.Text()))
		}
		return n, nil
	}
	if r.is(500, 502, 504) {
		return Unknown, nil
	}
	return Unknown, &ReplyError{"SIZE " + path, r}
}

// ModTime asks when a file was changed (MDTM, RFC 3659 §3); zero if the server does not
// say.
func (s *Session) ModTime(path string) (time.Time, error) {
	if !s.Has("MDTM") {
		return time.Time{}, nil
	}
	r, err := s.do("MDTM " + path)
	if err != nil || !r.is(213) {
		return time.Time{}, err
	}
	t, _ := parseTimeVal(strings.TrimSpace(r.Text()))
	return t, nil
}

// SetModTime sets it (MFMT, draft-somers-ftp-mfxx), if the server can.
func (s *Session) SetModTime(path string, t time.Time) error {
	if !s.Has("MFMT") || t.IsZero() {
		return nil
	}
	_, err := s.must("MFMT "+t.UTC().Format("20060102150405")+" "+path, 213)
	return err
}

// parseTimeVal reads the time of MDTM, MFMT and MLSD: UTC, with or without fractions of
// a second (RFC 3659 §2.3).
func parseTimeVal(text string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if strings.Trim(fraction, "0123456789") != "" || len(fraction) > 9 {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation("20060102150405", whole, time.UTC)
	if err != nil {
		return time.Time{}, false
	}
	if fraction != "" {
		ns, _ := strconv.Atoi((fraction + "000000000")[:9])
		t = t.Add(time.Duration(ns))
	}
	return t, true
}

// Hash asks for the SHA-256 of a file, in small hexadecimal digits (HASH of
// draft-bryan-ftpext-hash, or XSHA256); empty if the server has neither.
func (s *Session) Hash(path string) (string, error) {
	command := ""
	if algorithms, ok := s.features["HASH"]; ok && strings.Contains(strings.ToUpper(algorithms), "SHA-256") {
		if _, err := s.must("OPTS HASH SHA-256", 200); err != nil {
			return "", err
		}
		command = "HASH " + path
	} else if s.Has("XSHA256") {
		command = "XSHA256 " + path
	} else {
		return "", nil
	}
	patience := s.conf.Timeout
	s.conf.Timeout = max(patience, 10*time.Minute) // a large file is read as a whole
	defer func() { s.conf.Timeout = patience }()
	r, err := s.must(command, 213, 250, 200)
	if err != nil {
		return "", err
	}
	for _, word := range strings.Fields(r.Text()) {
		if len(word) == 64 && strings.Trim(strings.ToLower(word), "0123456789abcdef") == "" {
			return strings.ToLower(word), nil
		}
	}
	return "", refuse("the server answers %s without a SHA-256: %q", escape.Text(command), clip(r.Text()))
}

// MakeDir makes a directory; one that is there already is no error.
func (s *Session) MakeDir(path string) error {
	r, err := s.do("MKD " + path)
	if err != nil || r.is(257, 250) {
		return err
	}
	if s.home != "" && r.is(550, 521, 553) { // it may be there
		cwd, err := s.do("CWD " + path)
		if err != nil {
			return err
		}
		if cwd.Code == 250 {
			_, err := s.must("CWD "+s.home, 250)
			return err
		}
	}
	return &ReplyError{"MKD " + path, r}
}

// Remove deletes a file.
func (s *Session) Remove(path string) error {
	_, err := s.must("DELE "+path, 250)
	return err
}

// RemoveDir deletes an empty directory.
func (s *Session) RemoveDir(path string) error {
	_, err := s.must("RMD "+path, 250)
	return err
}

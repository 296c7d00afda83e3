package accesslog

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Append appends the line of an event, without a line end. It reports false, and
// appends nothing, for an event of which the format tells nothing.
func (f Format) Append(dst []byte, e *policy.Event) ([]byte, bool) {
	moved := transfer(e)
	if !moved && (e.Kind != policy.EventCommandDone || f == Xferlog) {
		return dst, false
	}
	switch f {
	case Xferlog:
		return xferlog(dst, e), true
	case Common:
		return common(dst, e, moved), true
	case JSON:
		return object(dst, e, moved), true
	}
	return dst, false
}

func transfer(e *policy.Event) bool { return upload(e) || download(e) }

func upload(e *policy.Event) bool {
	return e.Kind == policy.EventFileReceived || e.Kind == policy.EventIncompleteFileReceived
}

func download(e *policy.Event) bool {
	return e.Kind == policy.EventFileSent || e.Kind == policy.EventIncompleteFileSent
}

func complete(e *policy.Event) bool {
	return e.Kind == policy.EventFileReceived || e.Kind == policy.EventFileSent
}

// host is the client's address, or what stands for none.
func host(s *policy.Session) string {
	if addr := s.Peer.Addr(); addr.IsValid() {
		return addr.Unmap().String()
	}
	return "-"
}

func xferlog(dst []byte, e *policy.Event) []byte {
	s := e.Session
	pick := func(c bool, yes, no string) string {
		if c {
			return yes
		}
		return no
	}
	dst = e.Time.UTC().AppendFormat(dst, "Mon Jan _2 15:04:05 2006")
	for _, field := range []string{
		strconv.FormatInt(max(1, int64(e.Took.Round(time.Second)/time.Second)), 10), // at least 1, as everywhere: rates are computed with it
		word(host(s)),
		strconv.FormatInt(e.Size, 10),
		word(e.Path),
		pick(s.ASCII, "a", "b"),
		"_", // nothing was packed or unpacked
		pick(upload(e), "i", "o"),
		pick(s.Anon, "a", "r"),
		word(s.User),
		"ftp",
		"0", "*", // no identity was asked for
		pick(complete(e), "c", "i"),
	} {
		dst = append(append(dst, ' '), field...)
	}
	return dst
}

// word makes one field of a text.
func word(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, s)
}

func common(dst []byte, e *policy.Event, moved bool) []byte {
	s := e.Session
	dst = escaped(dst, host(s), " ")
	dst = append(dst, " - "...)
	if s.User == "" {
		dst = append(dst, '-')
	}
	dst = escaped(dst, s.User, " ")
	dst = e.Time.UTC().AppendFormat(dst, " [02/Jan/2006:15:04:05 -0700] \"")
	switch {
	case !moved:
		dst = escaped(dst, e.Text, "")
	case upload(e):
		dst = encoded(append(dst, "PUT "...), e.Path)
	default:
		dst = encoded(append(dst, "GET "...), e.Path)
	}
	dst = append(dst, " FTP"...)
	if s.TLS.Enabled() {
		dst = append(dst, 'S')
	}
	dst = append(dst, '"', ' ')
	if e.Code == 0 {
		dst = append(dst, '-')
	} else {
		dst = strconv.AppendInt(dst, int64(e.Code), 10)
	}
	dst = append(dst, ' ')
	if !moved {
		return append(dst, '-')
	}
	return strconv.AppendInt(dst, e.Size, 10)
}

// encoded appends a path as URLs have it (RFC 3986 §2.1), with %HH for each byte that is
// no printable ASCII, and for spaces, quotes, backslashes and percent signs: one word,
// from which the path can be had back.
func encoded(dst []byte, path string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(path) {
		switch c := path[i]; {
		case c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '%':
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// escaped appends a text with \xHH for each byte of what is not printable, of
// quotes, backslashes and the characters of also.
func escaped(dst []byte, s, also string) []byte {
	const hex = "0123456789abcdef"
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if unicode.IsPrint(r) && (r != utf8.RuneError || n > 1) && r != '"' && r != '\\' && !strings.ContainsRune(also, r) {
			dst = append(dst, s[:n]...)
		} else {
			for i := range n {
				dst = append(dst, '\\', 'x', hex[s[i]>>4], hex[s[i]&15])
			}
		}
		s = s[n:]
	}
	return dst
}

// object is the line of JSON. It is written by hand, because a module with a JSON
// encoder is twice as large.
func object(dst []byte, e *policy.Event, moved bool) []byte {
	s := e.Session
	dst = e.Time.UTC().AppendFormat(append(dst, `{"time":"`...), time.RFC3339Nano)
	dst = text(append(dst, '"'), "event", e.Kind.String())
	dst = strconv.AppendUint(append(dst, `,"session":`...), s.ID, 10)
	if s.Peer.IsValid() {
		dst = text(dst, "remote", s.Peer.String())
	}
	dst = text(dst, "user", s.User)
	if s.Anon {
		dst = append(dst, `,"anonymous":true`...)
	}
	dst = text(dst, "group", s.Group)
	dst = text(dst, "listener", s.Listener)
	dst = text(dst, "vhost", s.VHost)
	dst = text(dst, "tls", s.TLS.Version)
	dst = text(dst, "protocol", s.Protocol)
	if e.Op != 0 {
		dst = text(dst, "op", e.Op.String())
	}
	dst = text(dst, "path", e.Path)
	if moved {
		dst = strconv.AppendInt(append(dst, `,"bytes":`...), e.Size, 10)
		dst = strconv.AppendFloat(append(dst, `,"seconds":`...), e.Took.Seconds(), 'f', -1, 64)
		dst = strconv.AppendBool(append(dst, `,"complete":`...), complete(e))
	}
	if e.Code != 0 {
		dst = strconv.AppendInt(append(dst, `,"code":`...), int64(e.Code), 10)
	}
	dst = text(dst, "text", e.Text)
	return append(dst, '}')
}

// text appends a field, unless it is empty.
func text(dst []byte, name, s string) []byte {
	if s == "" {
		return dst
	}
	dst = append(append(append(dst, `,"`...), name...), `":"`...)
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case unicode.IsPrint(r):
			dst = utf8.AppendRune(dst, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = unit(unit(dst, high), low)
		default:
			dst = unit(dst, r)
		}
	}
	return append(dst, '"')
}

func unit(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

package delivery

import (
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// validators are what conditions are compared with (RFC 9110 §8.8). The zero value is a
// file of which nothing is known but that it is there.
type validators struct {
	tag    string    // entity tag as it is sent, such as W/"abc"; empty: there is none
	date   time.Time // Last-Modified, in whole seconds; zero: there is none
	strong bool      // date is a strong validator (RFC 9110 §8.8.2.2)
}

// verdict is what the conditions of a request come to.
type verdict int

const (
	proceed     verdict = iota // answer as if there were no conditions
	notModified                // 304
	failed                     // 412
)

// judge evaluates the conditions of a GET or HEAD in the order of RFC 9110 §13.2.2. That
// of If-Range is not among them: see inRange.
func judge(h http.Header, v validators) verdict {
	if list, ok := field(h, "If-Match"); ok {
		if !v.matches(list, strongly) {
			return failed
		}
	} else if at, ok := date(h, "If-Unmodified-Since"); ok && !v.date.IsZero() && v.date.After(at) {
		return failed
	}
	if list, ok := field(h, "If-None-Match"); ok {
		if v.matches(list, weakly) {
			return notModified
		}
	} else if at, ok := date(h, "If-Modified-Since"); ok && !v.date.IsZero() && !v.date.After(at) {
		return notModified
	}
	return proceed
}

// inRange reports whether the Range of a request is to be looked at, for all that If-Range
// says (RFC 9110 §13.1.5): it names the very file that would be sent, or is not there.
func inRange(h http.Header, v validators) bool {
	value, ok := field(h, "If-Range")
	if !ok {
		return true
	}
	if tag, rest, ok := cutTag(value); ok {
		return rest == "" && strongly(tag, v.tag)
	}
	at, err := http.ParseTime(value)
	return err == nil && v.strong && !v.date.IsZero() && at.Equal(v.date)
}

// matches reports whether a list of entity tags, or "*", has the file's. What comes after
// something that is no tag is not looked at.
func (v validators) matches(list string, same func(a, b string) bool) bool {
	if list == "*" {
		return true
	}
	for list != "" {
		if list[0] == ',' || list[0] == ' ' || list[0] == '\t' {
			list = list[1:]
			continue
		}
		tag, rest, ok := cutTag(list)
		if !ok {
			return false
		}
		if same(tag, v.tag) {
			return true
		}
		if list = textproto.TrimString(rest); list != "" && list[0] != ',' {
			return false
		}
	}
	return false
}

// strongly compares entity tags for what needs every byte (RFC 9110 §8.8.3.2).
func strongly(a, b string) bool { return a == b && strings.HasPrefix(a, `"`) }

// weakly compares entity tags for what may as well be kept.
func weakly(a, b string) bool {
	return b != "" && strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

// cutTag takes an entity tag off the front of a list (RFC 9110 §8.8.3).
func cutTag(s string) (tag, rest string, ok bool) {
	from := 0
	if strings.HasPrefix(s, "W/") {
		from = 2
	}
	if len(s) < from+2 || s[from] != '"' {
		return "", "", false
	}
	for i := from + 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:], true
		case c < 0x21 || c == 0x7f:
			return "", "", false
		}
	}
	return "", "", false
}

// field returns the value of a header field; a list that came in several lines is one.
func field(h http.Header, name string) (string, bool) {
	values := h[name]
	if len(values) == 0 {
		return "", false
	}
	return textproto.TrimString(strings.Join(values, ", ")), true
}

// date returns the value of a header field that is a date. One that is none is not there
// (RFC 9110 §13.1.3, §13.1.4).
func date(h http.Header, name string) (time.Time, bool) {
	value, ok := field(h, name)
	if !ok {
		return time.Time{}, false
	}
	at, err := http.ParseTime(value)
	return at, err == nil
}

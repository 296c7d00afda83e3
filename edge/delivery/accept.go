package delivery

import (
	"strconv"
	"strings"
)

// prefers returns which of some media types the value of an Accept field likes best (RFC
// 9110 §12.5.1), the first one where it makes no difference or none is liked.
func prefers(accept string, types ...string) string {
	best, most := types[0], 0.0
	for _, t := range types {
		if q := quality(accept, t); q > most {
			best, most = t, q
		}
	}
	return best
}

// quality is how much an Accept field likes a media type, by the most exact of its members
// that fits: 0 to 1. All is liked where there is no such field.
func quality(accept, mediaType string) float64 {
	if strings.TrimSpace(accept) == "" {
		return 1
	}
	kind, _, _ := strings.Cut(mediaType, "/")
	found, q := 0, 0.0
	for member := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(member, ";")
		exact := 0
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case mediaType:
			exact = 3
		case kind + "/*":
			exact = 2
		case "*/*":
			exact = 1
		}
		if exact > found {
			found, q = exact, weight(params)
		}
	}
	return q
}

// weight is the q of a member's parameters (RFC 9110 §12.4.2).
func weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || !(q >= 0 && q <= 1) {
				return 0
			}
			return q
		}
	}
	return 1
}

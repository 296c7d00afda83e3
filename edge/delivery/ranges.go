package delivery

import (
	"slices"
	"strconv"
	"strings"
)

// maxRanges is how many parts of a file one request may ask for. Whoever asks for more is
// sent the whole file (RFC 9110 §14.2 lets a server ignore Range; §17.15 says why).
const maxRanges = 8

// span is a part of a file that is not empty, in bytes.
type span struct{ from, size int64 }

// header is the part as Content-Range has it, of a file of so many bytes.
func (s span) header(of int64) string {
	return "bytes " + strconv.FormatInt(s.from, 10) + "-" + strconv.FormatInt(s.from+s.size-1, 10) + "/" + strconv.FormatInt(of, 10)
}

// parseRange reads the value of a Range field for a file of size bytes. It returns the
// parts that the file has, in the order in which they are asked for. No parts and ok is for
// a field to be ignored: one of another unit, one that is malformed, one that asks for too
// much or for the same bytes twice. Not ok is for parts none of which the file has (416),
// and an empty file has no part: not even its last bytes, which Content-Range could not say.
func parseRange(value string, size int64) (parts []span, ok bool) {
	set, found := strings.CutPrefix(strings.ToLower(value), "bytes=")
	if !found || size < 0 || strings.Count(set, ",") > 4*maxRanges {
		return nil, true
	}
	asked := 0
	for spec := range strings.SplitSeq(set, ",") {
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue // an empty member of a list (RFC 9110 §5.6.1.2)
		}
		s, valid := parseSpan(spec, size)
		if !valid {
			return nil, true
		}
		if asked++; s.size > 0 {
			parts = append(parts, s)
		}
	}
	switch {
	case asked == 0, asked > maxRanges, overlap(parts):
		return nil, true
	case len(parts) == 0:
		return nil, false
	}
	return parts, true
}

// parseSpan reads one range (RFC 9110 §14.1.1). Its size is 0 where the file does not have
// it.
func parseSpan(spec string, size int64) (s span, valid bool) {
	first, last, found := strings.Cut(spec, "-")
	if !found {
		return span{}, false
	}
	if first == "" {
		n, valid := number(last)
		n = min(n, size)
		return span{size - n, n}, valid
	}
	from, valid := number(first)
	if !valid {
		return span{}, false
	}
	to := size - 1
	if last != "" {
		n, valid := number(last)
		if !valid || n < from {
			return span{}, false
		}
		to = min(to, n)
	}
	if from >= size {
		return span{}, true
	}
	return span{from, to - from + 1}, true
}

// number reads digits alone. One that is too large for any file is the largest that there
// is.
func number(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, _ := strconv.ParseInt(s, 10, 64) // the largest one, with an error, where it is too large
	return n, true
}

// overlap reports whether parts have bytes in common.
func overlap(parts []span) bool {
	sorted := slices.SortedFunc(slices.Values(parts), func(a, b span) int {
		switch {
		case a.from < b.from:
			return -1
		case a.from > b.from:
			return 1
		}
		return 0
	})
	for i := 1; i < len(sorted); i++ {
		if sorted[i-1].from+sorted[i-1].size > sorted[i].from {
			return true
		}
	}
	return false
}

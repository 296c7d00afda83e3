package trust

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/wasmhost/refusal"
)

// Follows judges whether next may take the place of last in a slot: it must not
// have a lower version, in the order of Semantic Versioning 2.0.0 §11. The same
// module may always follow itself, and the same version may be another build.
//
// If last has no version that can be compared (none at all, or another scheme),
// anything may follow. If it has one, next must have one too: that which is
// silent about its age may be old.
func (r *Rules) Follows(slot string, last, next Accepted) error {
	if r.AllowDowngrade || last.Digest == next.Digest {
		return nil
	}
	before, ok := parseVersion(last.Version)
	if !ok {
		return nil
	}
	after, ok := parseVersion(next.Version)
	if ok && after.compare(before) >= 0 {
		return nil
	}
	e := &refusal.Error{Code: CodeDowngrade,
		Summary: fmt.Sprintf("policy %q is older than the module before it", slot),
		Found:   fmt.Sprintf("version %.100q", next.Version),
		Needs:   fmt.Sprintf("version %.100q or later", last.Version),
		Help:    "roll back if you want an earlier generation again, or allow the downgrade"}
	if !ok {
		e.Summary = fmt.Sprintf("policy %q does not say that it is as new as the module before it", slot)
		if next.Version == "" {
			e.Found = "no version in the manifest"
		} else {
			e.Found += ", which is not a semantic version"
		}
		e.Help = `give the manifest a "version" such as "1.4.2", or allow the downgrade`
	}
	return e
}

// maxVersion bounds the length of a version, in bytes.
const maxVersion = 200

// version is a semantic version without its build metadata, which has no order.
// Numbers stay text: they may have any number of digits.
type version struct {
	core [3]string
	pre  []string
}

// parseVersion reads MAJOR.MINOR.PATCH with an optional -PRERELEASE and +BUILD
// (Semantic Versioning 2.0.0 §2, §9, §10). A "v" before it is allowed.
func parseVersion(text string) (v version, ok bool) {
	if len(text) > maxVersion {
		return version{}, false
	}
	text = strings.TrimPrefix(text, "v")
	text, build, hasBuild := strings.Cut(text, "+")
	text, pre, hasPre := strings.Cut(text, "-")
	core := strings.Split(text, ".")
	if len(core) != len(v.core) || hasBuild && !identifiers(build) || hasPre && !identifiers(pre) {
		return version{}, false
	}
	for i, n := range core {
		if !numeric(n) || leadingZero(n) {
			return version{}, false
		}
		v.core[i] = n
	}
	if hasPre {
		v.pre = strings.Split(pre, ".")
	}
	return v, !slices.ContainsFunc(v.pre, func(id string) bool { return numeric(id) && leadingZero(id) })
}

// identifiers reports whether s is a list of words with dots between.
func identifiers(s string) bool {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" || strings.Trim(id, "-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return false
		}
	}
	return true
}

func numeric(s string) bool     { return s != "" && strings.Trim(s, "0123456789") == "" }
func leadingZero(s string) bool { return len(s) > 1 && s[0] == '0' }

// compare is negative if v comes before w, positive if after (§11).
func (v version) compare(w version) int {
	for i := range v.core {
		if c := compareNumbers(v.core[i], w.core[i]); c != 0 {
			return c
		}
	}
	switch {
	case len(v.pre) == 0 && len(w.pre) == 0:
		return 0
	case len(v.pre) == 0: // what is released comes after what led to it
		return 1
	case len(w.pre) == 0:
		return -1
	}
	return slices.CompareFunc(v.pre, w.pre, compareIdentifiers)
}

// compareNumbers compares digits without leading zeros.
func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func compareIdentifiers(a, b string) int {
	switch an, bn := numeric(a), numeric(b); {
	case an && bn:
		return compareNumbers(a, b)
	case an: // numbers come before words
		return -1
	case bn:
		return 1
	}
	return strings.Compare(a, b)
}

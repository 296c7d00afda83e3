package fs

import (
	"path"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// HasExtension reports whether a path of the action has one of the extensions, given
// with their dot or without, in any case. It looks at both paths of a rename and of a
// link. Dots and spaces at the end of a name do not count: Windows drops them, and
// "a.exe. " is "a.exe" there.
func HasExtension(a *policy.Action, extensions ...string) bool {
	return slices.ContainsFunc([]string{a.Path, a.Path2}, func(name string) bool {
		have := path.Ext(strings.TrimRight(name, ". "))
		return len(have) > 1 && slices.ContainsFunc(extensions, func(e string) bool {
			return strings.EqualFold(have[1:], strings.TrimPrefix(e, "."))
		})
	})
}

package chain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// numOps and numEvents are one more than the greatest numbers.
const (
	numOps    = int(policy.OpSymlink) + 1
	numEvents = int(policy.EventClientMoved) + 1
)

// interest is a policy.Interest made ready to be looked at before each call.
type interest struct {
	ops    [numOps]bool
	events [numEvents]bool
	// verbs, dirs and groups are nil for everything.
	verbs, dirs, groups []string
	narrow              bool // dirs or groups are not nil
}

// newInterest checks and prepares what a policy declares. Clean is the chain's.
func newInterest(in policy.Interest, clean func(string) (string, error)) (*interest, error) {
	i := &interest{verbs: in.Verbs, dirs: in.Paths, groups: in.Groups, narrow: in.Paths != nil || in.Groups != nil}
	for op := range i.ops {
		i.ops[op] = in.Ops == nil
	}
	for _, op := range in.Ops {
		if op == 0 || int(op) >= numOps {
			return nil, fmt.Errorf("interest: operation %d does not exist", op)
		}
		i.ops[op] = true
	}
	for k := range i.events {
		i.events[k] = in.Events == nil
	}
	for _, k := range in.Events {
		if k == 0 || int(k) >= numEvents {
			return nil, fmt.Errorf("interest: event %d does not exist", k)
		}
		i.events[k] = true
	}
	for _, p := range in.Paths {
		if c, err := clean(p); err != nil || c != p || !strings.HasPrefix(p, "/") {
			return nil, fmt.Errorf("interest: path %q is not canonical: it begins with / and has no \".\", \"..\" or / at its end", p)
		}
	}
	for _, v := range in.Verbs {
		if !verb(strings.TrimPrefix(v, "SITE ")) {
			return nil, fmt.Errorf("interest: command %q is none: capital letters and digits, perhaps after \"SITE \"", v)
		}
	}
	if slices.Contains(in.Groups, "") {
		return nil, fmt.Errorf("interest: a group has no name")
	}
	return i, nil
}

func verb(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// verb reports whether a command is of interest.
func (i *interest) verb(v string) bool { return i.verbs == nil || slices.Contains(i.verbs, v) }

// wants reports whether a question about one or two paths is of interest, and the
// session as well.
func (i *interest) wants(s *policy.Session, path, path2 string) bool {
	return !i.narrow || i.place(path, path2) && i.group(s)
}

// place reports whether a question about one or two paths is of interest; an
// absent one is empty.
func (i *interest) place(path, path2 string) bool {
	if i.dirs == nil {
		return true
	}
	for _, d := range i.dirs {
		if within(path, d) || path2 != "" && within(path2, d) {
			return true
		}
	}
	return false
}

// within reports whether a canonical path is a directory or lies in it.
func within(path, dir string) bool {
	return strings.HasPrefix(path, dir) && (len(path) == len(dir) || path[len(dir)] == '/' || len(dir) == 1)
}

// group reports whether a session is of interest.
func (i *interest) group(s *policy.Session) bool {
	return i.groups == nil || slices.Contains(i.groups, s.Group)
}

package workshop

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// hints says what may be behind a test that failed.
func (s *Shop) hints(t *wasmhost.Tried) (hints []string) {
	c, want := t.Case, t.Case.Want.Action
	lenient := slices.Contains([]string{"pass", "allow", "rewrite"}, t.Action)
	hint := func(on bool, format string, v ...any) {
		if on {
			hints = append(hints, fmt.Sprintf(format, v...))
		}
	}
	twoNames := c.Op == policy.OpRename.String() || c.Op == policy.OpSymlink.String()
	hint(c.Hook == "fs" && twoNames && lenient && want != t.Action,
		"a %s has two paths: does the policy look at path2 (%s) as well as at path?", c.Op, orNone(c.Path2))
	hint(want == "allow" && t.Action == "pass", "pass is no opinion; say allow to be in favour")
	hint(want == "deny" && t.Action == "hide" || want == "hide" && t.Action == "deny",
		"hide refuses as if the path did not exist, deny with a code and a text")
	hint(t.Action == "deny" && c.Want.Text != nil && *c.Want.Text != "" && !strings.Contains(t.Got, "text "),
		"it denies without TEXT: the client is told the server's own words")
	hint(t.Action == want && want == "deny" && c.Want.Code == 0 && strings.HasPrefix(fmt.Sprint(t.Err), "got the code"),
		"want.code is always compared: name the code that the policy answers, or have it answer none")
	hint(t.Action == want && strings.HasPrefix(fmt.Sprint(t.Err), "got the code 0,"),
		"the policy leaves the code to the server, and that is 0 here: leave want.code out, or have the policy answer %d", c.Want.Code)
	hint(c.Hook == "auth" && c.Password != "" && !slices.Contains(s.Facts.Manifest.Capabilities, abi.CapPassword) && t.Action != want,
		"the policy is not shown the password: its manifest does not declare the capability %q; it may answer with PWHASH, or ask with pw_verify (%q)", abi.CapPassword, abi.CapVerify)
	hint(errors.Is(t.Err, cases.ErrNoHook), "it exports the hooks %s: is the function registered or exported?", strings.Join(s.Facts.Hooks, ", "))
	hint(!s.interested(c), "a server would not ask this: it is outside of the interest in the manifest")
	hints = append(hints, ofCause(t.Cause)...)
	if f := explain(t.Cause); f != nil && f.Cause == wasmhost.CauseTrap.String() && f.Says == "" {
		most, has := uint64(s.pages())<<16, uint64(t.Memory())
		hint(has > most/4*3, "the memory is nearly full, %s of %s: a language that finds no room traps", bytesOf(has), bytesOf(most))
		hint(slices.ContainsFunc(f.Frames, nameless), "policy trace  builds with the names of the functions, where the language has them, and tells in which it was")
	}
	for _, x := range t.Calls {
		for i := range x.Host {
			hints = append(hints, ofCall(c, &x.Host[i])...)
		}
	}
	slices.Sort(hints)
	hint(len(hints) == 0 && t.Cause == nil && s.Facts.Settings && s.Set.Settings == nil && len(t.Missing) == 0, "the tests give no settings: the policy runs with its own defaults")
	return slices.Compact(hints)
}

func orNone(s string) string {
	if s == "" {
		return "empty while only the old one is known"
	}
	return s
}

// ofCause is about calls that ended badly.
func ofCause(err error) []string {
	var fault *wasmhost.CallError
	if !errors.As(err, &fault) {
		return nil
	}
	text := fault.Err.Error()
	switch {
	case fault.Cause == wasmhost.CauseBadOutput && strings.Contains(text, "code"),
		fault.Cause == wasmhost.CauseFailed && (strings.Contains(text, "code is out of range") || strings.Contains(text, "is not between 400 and")):
		return []string{"the code of a deny is 400 to 599, of an allow of site 200 to 299, and of all else 0 (ABI, section 6)"}
	case strings.Contains(text, "is not one line"):
		return []string{"a text is one line of UTF-8 without control characters, at most 512 bytes; only a reply of site has several"}
	case fault.Cause == wasmhost.CauseBadOutput:
		return []string{"the answer breaks section 6 of the ABI: a server takes it for a failure"}
	case fault.Cause == wasmhost.CauseFuel:
		return []string{"policy trace  shows where the fuel goes; limits.fuel of the manifest can only lower what the server gives"}
	case fault.Cause == wasmhost.CauseTimeout:
		return []string{"policy trace  shows where the work is; a busy machine also makes calls slow"}
	case fault.Cause == wasmhost.CauseDepth:
		return []string{"a function that calls itself needs a bound; limits.depth of the manifest says how deep"}
	}
	return nil
}

// ofCall is about what the host would not do.
func ofCall(c *cases.Case, call *wasmhost.HostCall) []string {
	hook := c.Hook
	switch {
	case call.Result != int64(abi.ErrnoDenied):
		return nil
	case call.Import == abi.ImportFetch && !slices.Contains([]string{"auth", "site", "event", "cert"}, hook):
		return []string{"fetch is there in auth, site, event and cert alone: keep what it found in a value or in STATE"}
	case call.Import == abi.ImportVerify && (hook != "auth" || c.Early):
		return []string{"pw_verify is there in auth alone, and not in an early question"}
	case call.Import == abi.ImportStat:
		return []string{"stat needs a session that is logged in: it is DENIED in auth, event and cert"}
	case call.Import == abi.ImportDigest && hook != "fs":
		return []string{"digest is there in fs alone"}
	}
	return nil
}

// interested reports whether a server asks the question under the interest that the
// manifest declares (ABI §8).
func (s *Shop) interested(c *cases.Case) bool {
	in := &s.Facts.Manifest.Interest
	named := func(list []string, name string) bool { return list == nil || slices.Contains(list, name) }
	groups := c.Hook == "event" || c.Hook == "auth" || c.Hook == "cert" || named(in.Groups, c.Group)
	switch c.Hook {
	case "fs":
		return groups && named(names(in.Ops), c.Op) && within(in.Paths, c.Path, c.Path2)
	case "event":
		return named(names(in.Events), c.Op)
	case "cmd":
		return groups && named(in.Verbs, c.Verb)
	case "list", "throttle", "data":
		return groups && within(in.Paths, c.Path, "")
	}
	return groups
}

// names lists what has names; nil stays nil.
func names[T fmt.Stringer](list []T) (out []string) {
	for _, v := range list {
		out = append(out, v.String())
	}
	if list != nil && out == nil {
		out = []string{}
	}
	return out
}

func within(dirs []string, path, path2 string) bool {
	in := func(p, dir string) bool {
		return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
	}
	return dirs == nil || slices.ContainsFunc(dirs, func(dir string) bool { return in(path, dir) || path2 != "" && in(path2, dir) })
}

package wasmhost

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// parseManifest reads a manifest by itself, without the module that it is about.
func parseManifest(text []byte) (*Manifest, *manifestFault) {
	r := &manifestReader{text: text}
	m := &Manifest{}
	root := r.tree()
	if r.fault != nil {
		return nil, r.fault
	}
	line := func(to *string, limit int) func(value) {
		return func(v value) { *to = r.line(v, limit) }
	}
	r.each(root, map[string]func(value){
		"name": line(&m.Name, 100), "description": line(&m.Description, 500),
		"license": line(&m.License, 200), "source": line(&m.Source, 500),
		"version":      func(v value) { m.Version = r.version(v) },
		"abi":          func(v value) { m.ABI = r.abi(v) },
		"hooks":        func(v value) { m.Hooks = r.words(v, "hooks: "+strings.Join(hookNames(), ", "), hookKnown) },
		"capabilities": func(v value) { r.capabilities(v, m) },
		"interest":     func(v value) { r.interest(v, &m.Interest) },
		"limits":       func(v value) { r.limits(v, &m.Limits) },
		"isolation": func(v value) {
			m.Isolation = Isolation(r.choice(v, IsolationPooled.String(), IsolationReset.String(), IsolationFresh.String()))
		},
		"data":     func(v value) { m.Tap = r.choice(v, "filter", "tap") == 1 },
		"kv":       func(v value) { r.space(v, m) },
		"site":     func(v value) { m.Site = r.site(v) },
		"settings": func(v value) { m.Settings = r.schema(v) },
	})
	r.sameSpace(root, m)
	if r.fault != nil {
		return nil, r.fault
	}
	return m, nil
}

// line reads a string of one line.
func (r *manifestReader) line(v value, limit int) string {
	if v.kind != "a string" || !abi.OneLine(v.text, limit) {
		r.fail(v, fmt.Sprintf("a string of one line of at most %d bytes", limit))
		return ""
	}
	return v.text
}

// number reads a whole number between two bounds.
func (r *manifestReader) number(v value, low, high int64) int64 {
	n, err := strconv.ParseInt(v.text, 10, 64)
	if v.kind != "a number" || err != nil || n < low || n > high {
		r.fail(v, fmt.Sprintf("a whole number from %d to %d", low, high))
		return 0
	}
	return n
}

// choice reads one of several words and returns its index.
func (r *manifestReader) choice(v value, words ...string) int {
	i := slices.Index(words, v.text)
	if v.kind != "a string" || i < 0 {
		r.fail(v, "one of "+strings.Join(words, ", "))
		return 0
	}
	return i
}

// words reads a list of different strings that check takes. An empty list would
// match nothing and is refused.
func (r *manifestReader) words(v value, what string, check func(string) bool) []string {
	if v.kind == "a list" && len(v.items) == 0 {
		r.failAt(v.at, v.key, v.key+" is an empty list", "at least one item, or no "+v.key, "")
		return nil
	}
	if v.kind != "a list" {
		r.fail(v, "a list of "+what)
		return nil
	}
	var all []string
	for _, item := range v.items {
		if item.kind != "a string" || len(item.text) > abi.MaxPath || !check(item.text) {
			r.fail(item, "a list of "+what)
			return nil
		}
		if slices.Contains(all, item.text) {
			r.failAt(item.at, item.key, item.key+" is "+item.show()+" for the second time", "each item once", "")
			return nil
		}
		all = append(all, item.text)
	}
	return all
}

func hookKnown(s string) bool { return slices.Contains(hookNames(), s) }

// hookNames lists the hooks that a manifest may name.
func hookNames() (all []string) {
	for h := abi.HookAuth; int(h) < abi.NumHooks; h++ {
		all = append(all, h.String())
	}
	return all
}

func (r *manifestReader) version(v value) string {
	if v.kind != "a string" || !isVersion(v.text) {
		r.fail(v, "a semantic version such as 1.4.0")
		return ""
	}
	return v.text
}

// isVersion reports whether s is a version of Semantic Versioning 2.0.0.
func isVersion(s string) bool {
	if len(s) > 100 {
		return false
	}
	s, build, hasBuild := strings.Cut(s, "+")
	s, pre, hasPre := strings.Cut(s, "-")
	core := strings.Split(s, ".")
	number := func(s string) bool {
		return strings.Trim(s, "0123456789") == "" && (len(s) == 1 || len(s) > 1 && s[0] != '0')
	}
	word := func(s string) bool {
		return s != "" && strings.Trim(s, "-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	}
	all := func(list []string, good func(string) bool) bool {
		return !slices.ContainsFunc(list, func(s string) bool { return !good(s) })
	}
	id := func(s string) bool { return word(s) && (strings.Trim(s, "0123456789") != "" || number(s)) }
	return len(core) == 3 && all(core, number) &&
		(!hasPre || all(strings.Split(pre, "."), id)) && (!hasBuild || all(strings.Split(build, "."), word))
}

func (r *manifestReader) abi(v value) string {
	if v.kind != "a string" || !speaks(v.text) {
		r.failAt(v.at, v.key, "abi is "+v.show(),
			fmt.Sprintf("this server speaks %d.0 to %d.%d", abi.Version, abi.Version, abi.Minor), "")
		return ""
	}
	return v.text
}

func (r *manifestReader) interest(v value, to *policy.Interest) {
	r.each(v, map[string]func(value){
		"ops": func(v value) {
			for _, s := range r.words(v, "names of operations: "+strings.Join(opNames(), ", "), func(s string) bool { return opNamed(s) != 0 }) {
				to.Ops = append(to.Ops, opNamed(s))
			}
		},
		"events": func(v value) {
			for _, s := range r.words(v, "names of events: "+strings.Join(eventNames(), ", "), func(s string) bool { return eventNamed(s) != 0 }) {
				to.Events = append(to.Events, eventNamed(s))
			}
		},
		"verbs": func(v value) { to.Verbs = r.words(v, "commands in capitals", isVerb) },
		"paths": func(v value) { to.Paths = r.words(v, "canonical paths", isCanonical) },
		"groups": func(v value) {
			to.Groups = r.words(v, "groups", func(s string) bool { return s != "" && abi.OneLine(s, abi.MaxText) })
		},
	})
}

func opNamed(name string) policy.Op {
	for op := policy.OpStat; op <= policy.OpSymlink; op++ {
		if op.String() == name {
			return op
		}
	}
	return 0
}

func opNames() (all []string) {
	for op := policy.OpStat; op <= policy.OpSymlink; op++ {
		all = append(all, op.String())
	}
	return all
}

func eventNames() (all []string) {
	for _, k := range policy.GuestEvents() {
		all = append(all, k.String())
	}
	return all
}

func eventNamed(name string) policy.EventKind {
	for _, k := range policy.GuestEvents() {
		if k.String() == name {
			return k
		}
	}
	return 0
}

// isVerb takes a command in capitals, and a SITE command as "SITE CHMOD".
func isVerb(s string) bool {
	return isSiteVerb(strings.TrimPrefix(s, "SITE "))
}

// isSiteVerb takes what policy.SiteCommand has for a verb.
func isSiteVerb(s string) bool {
	return s != "" && len(s) <= 16 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

func isCanonical(s string) bool {
	return strings.HasPrefix(s, "/") && path.Clean(s) == s && !strings.ContainsAny(s, "\x00\r\n")
}

func (r *manifestReader) limits(v value, to *Limits) {
	r.each(v, map[string]func(value){
		"memory_pages": func(v value) { to.MemoryPages = uint32(r.number(v, 1, 65536)) },
		"fuel":         func(v value) { to.Fuel = uint64(r.number(v, 1, 1<<53)) },
		"deadline_ms":  func(v value) { to.Deadline = time.Duration(r.number(v, 1, 600_000)) * time.Millisecond },
		"depth":        func(v value) { to.Depth = uint32(r.number(v, 1, 1_000_000)) },
		"instances":    func(v value) { to.Instances = int(r.number(v, 1, 100_000)) },
	})
}

func (r *manifestReader) space(v value, m *Manifest) {
	r.each(v, map[string]func(value){
		"namespace": func(v value) {
			if v.kind != "a string" || !isSpace(v.text) {
				r.fail(v, "1 to 64 bytes of a-z, 0-9, '.', '_' and '-'")
				return
			}
			m.Space = v.text
		},
		"max_bytes": func(v value) { m.SpaceBytes = r.number(v, 1, 1<<40) },
	})
}

func isSpace(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// site reads the SITE commands.
func (r *manifestReader) site(v value) []policy.SiteCommand {
	if v.kind != "a list" || len(v.items) == 0 {
		r.fail(v, "a list of commands with at least one item")
		return nil
	}
	var all []policy.SiteCommand
	for _, item := range v.items {
		c := r.siteCommand(item)
		twice := slices.ContainsFunc(all, func(o policy.SiteCommand) bool { return o.Verb == c.Verb })
		if twice {
			r.failAt(item.at, item.key, fmt.Sprintf("the command %q is there twice", c.Verb), "each verb once", "")
		}
		if r.fault != nil {
			return nil
		}
		all = append(all, c)
	}
	return all
}

func (r *manifestReader) siteCommand(item value) (c policy.SiteCommand) {
	r.each(item, map[string]func(value){
		"verb": func(v value) {
			if v.kind != "a string" || !isSiteVerb(v.text) {
				r.fail(v, "1 to 16 capital letters and digits")
				return
			}
			c.Verb = v.text
		},
		"perm": func(v value) {
			perm, err := policy.ParsePerms(v.text)
			if v.kind != "a string" || err != nil {
				r.fail(v, "permission letters of "+policy.PermAll.String()+", each at most once")
				return
			}
			c.Perm = perm
		},
		"arg":  func(v value) { c.Arg = r.line(v, 100) },
		"help": func(v value) { c.Help = r.line(v, abi.MaxText) },
	})
	if r.fault == nil && (c.Verb == "" || c.Help == "") {
		r.failAt(item.at, item.key, item.key+" has no verb or no help", "verb and help", "")
	}
	return c
}

// schema keeps the schema of the settings as it is.
func (r *manifestReader) schema(v value) json.RawMessage {
	if v.kind != "an object" {
		r.fail(v, "an object: a JSON schema")
		return nil
	}
	return slices.Clone(r.text[v.at:v.end])
}

// Package settings reads the settings of a policy from JSON without
// encoding/json, which would add more than a megabyte to a module.
//
// It reads one object: strings, whole numbers, truths, lists of strings, objects and
// lists of objects. A policy asks for each key with its default:
//
//	func (g *guard) Configure(s *settings.Settings) {
//		g.deny = s.Strings("deny_extensions", "exe", "scr")
//		if g.limit = s.Int("limit", 10); g.limit < 1 {
//			s.Refuse("limit", "must be at least 1")
//		}
//	}
//
//	func init() { fs.Export(settings.Into(&guard{})) }
//
// A value of another type and a key that nobody asked for refuse the settings, in
// words that name the key.
package settings

import (
	"errors"
	"sort"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
)

// Configurable is a policy that takes settings.
type Configurable interface {
	// Configure asks for all keys that there may be. It is called once for each
	// instance, before the first question, also where there are no settings.
	Configure(s *Settings)
}

// Into hands the settings of the policy to p and returns p. It is called from init, at
// most once; it stands in the place of edgeftp.Configure.
func Into[P Configurable](p P) P {
	guest.The.SetConfigure(func(b []byte) error { return Read(b, p) })
	return p
}

// Read hands the settings in b to p, and fails with the first fault: see Err.
func Read(b []byte, p Configurable) error {
	s := Parse(b)
	if s.err == nil {
		p.Configure(s)
	}
	return s.Err()
}

// Settings are the values of one object. They remember the first fault: ask for
// it with Err after all keys.
type Settings struct {
	values map[string]any // string, int64, bool, []string, *Settings, []*Settings or empty
	asked  map[string]bool
	path   string // of an object in another one, with a dot behind
	err    error
}

// empty is a list of nothing, be it of strings or objects.
type empty struct{}

// Parse reads the settings. No bytes at all are an empty object.
func Parse(b []byte) *Settings {
	if len(b) == 0 {
		return &Settings{}
	}
	p := &parser{in: string(b)}
	s := p.text()
	s.err = p.err
	return s
}

// Err returns the first fault, also of objects in this one: text that is not such a
// JSON object, a value of another type than was asked for, or a key that nobody
// asked for.
func (s *Settings) Err() error {
	if s.err != nil {
		return s.err
	}
	var unknown []string
	for _, k := range s.Keys() {
		if !s.asked[k] {
			unknown = append(unknown, strconv.Quote(s.path+k))
			continue
		}
		for _, o := range s.objects(k) {
			if err := o.Err(); err != nil {
				return err
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return errors.New("unknown setting " + strings.Join(unknown, ", "))
}

// Refuse makes it a fault that the value under key is what it is, in words that follow
// the key's.
func (s *Settings) Refuse(key, why string) {
	s.ask(key)
	if s.err == nil {
		s.err = errors.New("setting " + strconv.Quote(s.path+key) + " " + why)
	}
}

// objects are those under a key, be it one or a list of them.
func (s *Settings) objects(key string) []*Settings {
	switch v := s.values[key].(type) {
	case *Settings:
		return []*Settings{v}
	case []*Settings:
		return v
	}
	return nil
}

// Keys returns the keys that are there, sorted. It asks for none of them.
func (s *Settings) Keys() []string {
	keys := make([]string, 0, len(s.values))
	for k := range s.values {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Object returns the object under key, one without keys if there is none.
func (s *Settings) Object(key string) *Settings {
	o := get(s, key, "an object", &Settings{})
	o.path = s.path + key + "."
	return o
}

// Objects returns the list of objects under key, nil if there is none.
func (s *Settings) Objects(key string) []*Settings {
	if _, ok := s.values[key].(empty); ok {
		s.ask(key)
		return nil
	}
	list := get(s, key, "a list of objects", []*Settings(nil))
	for i, o := range list {
		o.path = s.path + key + "[" + strconv.Itoa(i) + "]."
	}
	return list
}

// String returns the string under key, or def if there is none.
func (s *Settings) String(key, def string) string { return get(s, key, "a string", def) }

// Int returns the whole number under key, or def if there is none.
func (s *Settings) Int(key string, def int64) int64 { return get(s, key, "a whole number", def) }

// Bool returns the truth under key, or def if there is none.
func (s *Settings) Bool(key string, def bool) bool { return get(s, key, "true or false", def) }

// Strings returns the list of strings under key, or def if there is none. An
// empty list is a value.
func (s *Settings) Strings(key string, def ...string) []string {
	if _, ok := s.values[key].(empty); ok {
		s.ask(key)
		return []string{}
	}
	return get(s, key, "a list of strings", def)
}

func (s *Settings) ask(key string) {
	if s.asked == nil {
		s.asked = map[string]bool{}
	}
	s.asked[key] = true
}

func get[T any](s *Settings, key, what string, def T) T {
	s.ask(key)
	v, ok := s.values[key]
	if !ok {
		return def
	}
	t, ok := v.(T)
	if !ok {
		if s.err == nil {
			s.err = errors.New("setting " + strconv.Quote(s.path+key) + " is not " + what)
		}
		return def
	}
	return t
}

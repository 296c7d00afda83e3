// Package settings reads the settings of a policy from JSON without
// encoding/json, which would add more than a megabyte to a module.
//
// It reads one flat object: strings, whole numbers, truths, and lists of strings.
// A policy asks for each key with its default and asks at the end what was wrong:
//
//	s := settings.Parse(b)
//	extensions := s.Strings("deny_extensions", "exe", "scr")
//	limit := s.Int("limit", 10)
//	return s.Err()
package settings

import (
	"errors"
	"sort"
	"strconv"
	"strings"
)

// Settings are the values of one object. They remember the first fault: ask for
// it with Err after all keys.
type Settings struct {
	values map[string]any // string, int64, bool or []string
	asked  map[string]bool
	err    error
}

// Parse reads the settings. No bytes at all are an empty object.
func Parse(b []byte) *Settings {
	s := &Settings{values: map[string]any{}, asked: map[string]bool{}}
	if len(b) == 0 {
		return s
	}
	p := &parser{in: string(b)}
	p.object(s.values)
	s.err = p.err
	return s
}

// Err returns the first fault: text that is not a flat JSON object, a value of
// another type than was asked for, or a key that nobody asked for.
func (s *Settings) Err() error {
	if s.err != nil {
		return s.err
	}
	var unknown []string
	for k := range s.values {
		if !s.asked[k] {
			unknown = append(unknown, strconv.Quote(k))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	sort.Strings(unknown)
	return errors.New("unknown setting " + strings.Join(unknown, ", "))
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
	return get(s, key, "a list of strings", def)
}

func get[T any](s *Settings, key, what string, def T) T {
	s.asked[key] = true
	v, ok := s.values[key]
	if !ok {
		return def
	}
	t, ok := v.(T)
	if !ok {
		if s.err == nil {
			s.err = errors.New("setting " + strconv.Quote(key) + " is not " + what)
		}
		return def
	}
	return t
}

package config

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Source is what a Config was read from.
type Source struct {
	Path  string   // of the file, absolute
	Text  []byte   // as its author wrote it
	Files []string // that are named by ${file:PATH}, absolute, each once
}

// Read reads the text of a configuration file, of at most 1 MiB. The error is an [*Error].
func Read(path string) ([]byte, error) { return thisMachine().readConfig(path) }

// Parse is [Load] of a text that stands, or could stand, in the file at path. What the
// text names by ${file:} and ${cred:} is read, the file at path is not.
func Parse(path string, text []byte) (*Config, *Source, error) {
	machine := thisMachine()
	machine.bind = func(string) error { return nil }
	if len(text) > maxFile {
		return nil, nil, &Error{File: path, Problems: []Problem{{Text: fmt.Sprintf("the configuration is longer than %d KiB", maxFile>>10)}}}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	s := &Source{Path: abs, Text: bytes.Clone(text)}
	read := machine.read
	machine.read = func(path string, most int64) ([]byte, error) {
		if !slices.Contains(s.Files, path) {
			s.Files = append(s.Files, path)
		}
		return read(path, most)
	}
	conf, err := parseFile(path, text, machine)
	return conf, s, err
}

// Conceal is the text of a configuration file with stars in the place of the secrets that
// it holds itself, hashes of passwords among them. The error says that it is no YAML.
func Conceal(text []byte) (string, error) {
	doc, problems := parseYAML(text)
	if problems != nil {
		return "", fmt.Errorf("the configuration cannot be shown: %s", problems[0].Text)
	}
	doc.hideAll(func(path []string) bool {
		return doc.isSecret(path) || len(path) > 0 && path[len(path)-1] == "password_hash"
	})
	return strings.Join(doc.lines, "\n"), nil
}

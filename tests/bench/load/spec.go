//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeftp/edgeftp/tests/peers"
)

// spec is a file of -server: a server that a command starts. In all its texts
// ${ROOT} is the tree that it must serve, ${DIR} a directory of its own, ${ADDR} and
// ${PORT} are where it must listen (on 127.0.0.1), ${CERT} and ${KEY} are files with a
// certificate, ${USER} and ${PASSWORD} what the clients say, and ${RATE} is the limit
// of the throttled variant in bytes a second.
type spec struct {
	Name      string            // of its column
	Cmd       []string          // the program and its arguments
	Env       []string          // beside the environment, NAME=VALUE
	Files     map[string]string // that are written to ${DIR} before, by name
	User      string            // empty: as with the others
	Password  string
	TLS       bool     // it knows AUTH TLS
	Prefix    string   // virtual path of the tree, such as /tree; empty is /
	Most      int      // idle sessions that it is good for; 0 is any number
	Skip      []string // scenarios that it does not have, as -only takes them
	Throttled []string // the command of the throttled variant; empty: there is none
}

// readSpec reads such a file.
func readSpec(path string) (*spec, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := parseSpec(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(filepath.Base(path), ".json")
	}
	return s, nil
}

func parseSpec(text []byte) (*spec, error) {
	s := &spec{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, err
	}
	if len(s.Cmd) == 0 {
		return nil, fmt.Errorf("it has no Cmd\n   = help: see spec.go for what a file holds")
	}
	for name := range s.Files {
		if name != filepath.Base(name) || name == "." || name == ".." {
			return nil, fmt.Errorf("the file %q is not a plain name", name)
		}
	}
	return s, nil
}

// other is the server of a spec.
func (f *field) other(s *spec) *entrant {
	e := &entrant{name: s.Name, peer: true, tls: s.TLS, most: s.Most, skip: s.Skip, prefix: s.Prefix, ready: map[variant]*server{}}
	e.set = func(_ context.Context, v variant) (*peers.Server, error) {
		command := s.Cmd
		switch {
		case v == throttled && len(s.Throttled) > 0:
			command = s.Throttled
		case v != plain:
			return nil, nil
		}
		return f.command(s, command, v)
	}
	return e
}

func (f *field) command(s *spec, command []string, v variant) (*peers.Server, error) {
	addr, err := f.ground.Address()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(f.ground.Dir, fmt.Sprintf("%s-%d", s.Name, v))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	cert, key := f.ground.Certificate()
	_, port, _ := strings.Cut(addr, ":")
	user, password := peers.User, peers.Password
	if s.User != "" {
		user, password = s.User, s.Password
	}
	r := strings.NewReplacer("${ROOT}", f.root, "${DIR}", dir, "${ADDR}", addr, "${PORT}", port, "${CERT}", cert, "${KEY}", key,
		"${USER}", user, "${PASSWORD}", password, "${RATE}", fmt.Sprint(throttledTo))
	for name, text := range s.Files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(r.Replace(text)), 0o644); err != nil {
			return nil, err
		}
	}
	var words, env []string
	for _, w := range command {
		words = append(words, r.Replace(w))
	}
	for _, w := range s.Env {
		env = append(env, r.Replace(w))
	}
	made, err := f.ground.Command(s.Name, f.root, addr, env, words)
	if err != nil {
		return nil, err
	}
	made.User, made.Password = user, password
	return made, nil
}

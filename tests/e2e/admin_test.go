package e2e

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// status is the part of "edgeftp status -o json" that the tests look at.
type status struct {
	Sessions  int  `json:"sessions"`
	Transfers int  `json:"transfers"`
	Draining  bool `json:"draining"`
	Listeners []struct {
		Address string `json:"address"`
		TLS     string `json:"tls"`
	} `json:"listeners"`
	Policies       []policy `json:"policies"`
	OldGenerations int      `json:"old_generations"`
	OldInstances   int      `json:"old_instances"`
}

type policy struct {
	Name       string `json:"name"`
	Generation uint64 `json:"generation"`
	Kind       string `json:"kind"`
	Digest     string `json:"digest"`
	Calls      uint64 `json:"calls"`
	Denied     uint64 `json:"denied"`
	Failed     uint64 `json:"failed"`
	CanRoll    bool   `json:"can_roll_back"`
	Version    string `json:"version"`
	Signer     string `json:"signer"`
	Trial      *struct {
		Candidate policy `json:"candidate"`
		Percent   int    `json:"percent"`
	} `json:"trial"`
	Shadow *struct {
		Compared uint64 `json:"compared"`
		Differed uint64 `json:"differed"`
	} `json:"shadow"`
	Stages []struct {
		Stage  string `json:"stage"`
		Calls  uint64 `json:"calls"`
		Failed uint64 `json:"failed"`
	} `json:"stages"`
	Events struct {
		Delivered uint64 `json:"delivered"`
		Waiting   uint64 `json:"waiting"`
	} `json:"events"`
	Sandbox struct {
		Faults map[string]uint64 `json:"faults"`
	} `json:"sandbox"`
	Metrics map[string]float64 `json:"metrics"`
}

// admin runs a subcommand that talks to the server.
func (s *server) admin(t *testing.T, args ...string) result {
	t.Helper()
	return edgeftp(t, append(args, "--socket", filepath.Join(s.state, "admin.sock"))...)
}

// status asks for the server's.
func (s *server) status(t *testing.T) status {
	t.Helper()
	r := s.admin(t, "status", "-o", "json")
	var st status
	if err := json.Unmarshal([]byte(r.stdout), &st); err != nil || r.code != 0 {
		t.Fatalf("status: exit code %d, %v\n%s", r.code, err, r.both())
	}
	return st
}

// module returns what the server says of one policy.
func (s *server) module(t *testing.T, name string) policy {
	t.Helper()
	for _, p := range s.status(t).Policies {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no policy is called %s", name)
	return policy{}
}

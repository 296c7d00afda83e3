package conformance

import (
	"bytes"
	"context"
	"errors"
	"path"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// stages is what a dialogue's policy does beside logins and operations.
type stages struct {
	concealed []string          // patterns of names
	forbidden map[string]string // commands, and what their clients are told
	commands  []policy.SiteCommand
	filter    string // what becomes of bytes
	word      []byte // that is refused in them
}

// set reads a "server" line; ok says that it is about a later stage.
func (s *stages) set(key string, args []string) (ok bool) {
	switch {
	case key == "conceal":
		s.concealed = append(s.concealed, args[0])
	case key == "forbid" && len(args) == 2:
		s.forbidden[args[0]] = args[1]
	case key == "site" && len(args) == 3:
		s.commands = append(s.commands, policy.SiteCommand{Verb: args[0], Perm: policy.PermRead, Arg: args[1], Help: args[2]})
	case key == "filter":
		if s.filter = args[0]; len(args) > 1 {
			s.word = []byte(args[1])
		}
	default:
		return false
	}
	return true
}

// hooks adds the stages that the dialogue has use for.
func (s *stages) hooks(h *policy.Hooks) {
	if s.concealed != nil {
		h.Lister = s
	}
	if len(s.forbidden) > 0 {
		h.Commander = s
	}
	if s.commands != nil {
		h.Site = s
	}
	if s.filter != "" {
		h.Filter = s
	}
}

// List hides names, and fails for a directory that holds one called "fault".
func (s *stages) List(_ context.Context, q *policy.Listing) (v policy.View, err error) {
	for i, e := range q.Entries {
		if e.Name == "fault" {
			err = errors.New("the policy is broken")
		}
		for _, pattern := range s.concealed {
			if ok, _ := path.Match(pattern, e.Name); ok {
				v.Hidden.Set(i)
			}
		}
	}
	return v, err
}

// Command refuses what is forbidden.
func (s *stages) Command(_ context.Context, q *policy.Command) (policy.Answer, error) {
	if text, ok := s.forbidden[q.Verb]; ok {
		return policy.Answer{Verdict: policy.Deny, Text: text}, nil
	}
	return policy.Answer{}, nil
}

func (s *stages) SiteCommands() []policy.SiteCommand { return s.commands }

// CallSite says what it was asked; without an argument it refuses.
func (s *stages) CallSite(_ context.Context, q *policy.SiteCall) (policy.SiteReply, error) {
	switch q.Arg {
	case "":
		return policy.SiteReply{Verdict: policy.Deny, Code: 501, Lines: []string{"Say how many."}}, nil
	case "fault":
		return policy.SiteReply{}, errors.New("the policy is broken")
	case "unknown":
		return policy.SiteReply{}, nil
	}
	return policy.SiteReply{Verdict: policy.Allow, Code: 211, Lines: []string{"In " + q.Dir, q.Verb + " " + q.Arg, "End"}}, nil
}

// Filter turns letters by thirteen places (rot13), or refuses a word (refuse), which
// may lie in two chunks.
func (s *stages) Filter(_ context.Context, q *policy.Chunk) (policy.Piece, error) {
	if s.filter == "rot13" {
		return policy.Piece{Verdict: policy.Rewrite, Data: bytes.Map(turned, q.Data)}, nil
	}
	seen := append(bytes.Clone(q.Carry), q.Data...)
	if bytes.Contains(seen, s.word) {
		return policy.Piece{Verdict: policy.Deny, Code: 552, Text: "That word is not for here."}, nil
	}
	return policy.Piece{Carry: seen[max(0, len(seen)-len(s.word)):]}, nil
}

func turned(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return 'a' + (r-'a'+13)%26
	case 'A' <= r && r <= 'Z':
		return 'A' + (r-'A'+13)%26
	}
	return r
}

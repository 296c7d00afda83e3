package edge_test

import (
	"context"
	"errors"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// staff is an authorizer of one's own (the model's validate_authentication): some
// users are known by a stored hash, of all others somebody else is asked.
type staff struct {
	hashes map[string]string
	ask    func(ctx context.Context, user, password string) (ok bool, err error)
}

func (s *staff) Name() string        { return "staff" }
func (s *staff) Hooks() policy.Hooks { return policy.Hooks{Authenticator: s} }

// Authenticate is called by many sessions at once, and may take its time: each
// login waits for itself alone.
func (s *staff) Authenticate(ctx context.Context, login *policy.Login) (policy.Identity, error) {
	user := login.Session.User
	id := policy.Identity{Verdict: policy.Allow, Perms: new(policy.PermAll), MsgLogin: "Hello, " + user + "."}
	if hash, known := s.hashes[user]; known {
		id.PasswordHash = hash // the server compares it with the password
		return id, nil
	}
	if login.Early {
		return policy.Identity{}, nil // there is no password yet
	}
	switch ok, err := s.ask(ctx, user, login.Password); {
	case err != nil:
		return policy.Identity{}, err // refused; the log says why, the client is not told
	case !ok:
		return policy.Identity{}, nil // no opinion: the next policy is asked, and if nobody allows, it is 530
	case user == "carl":
		return policy.Identity{Verdict: policy.Deny, Text: "Your account is closed, Carl."}, nil
	}
	return id, nil
}

// Who may log in is decided by a policy with an Authenticator.
func Example_authenticator() {
	conf := basic()
	conf.Policies = []edge.Slot{{Name: "staff", Policy: &staff{
		hashes: map[string]string{"anna": must(edge.HashPassword("secret"))},
		ask: func(_ context.Context, user, password string) (bool, error) {
			if user == "dora" {
				return false, errors.New("the directory does not answer")
			}
			return password == user+"123", nil
		},
	}}}
	serve(must(edge.New(conf)), func(c *client) {
		c.hear(c.Reply())
		c.say("USER anna", "PASS wrong", "USER anna", "PASS secret")
		c.say("USER bert", "PASS bert123", "REIN")
		c.say("USER carl", "PASS carl123", "USER dora", "PASS dora123")
	})
	// Output:
	// < 220 edgeftp ready.
	// > USER anna
	// < 331 Send the password.
	// > PASS wrong
	// < 530 That name and password do not go together.
	// > USER anna
	// < 331 Send the password.
	// > PASS secret
	// < 230 Hello, anna.
	// > USER bert
	// < 331 You were logged out; send the password of the new user.
	// > PASS bert123
	// < 230 Hello, bert.
	// > REIN
	// < 220 Ready for a new user.
	// > USER carl
	// < 331 Send the password.
	// > PASS carl123
	// < 530 Your account is closed, Carl.
	// > USER dora
	// < 331 Send the password.
	// > PASS dora123
	// < 530 Logging in is not possible at the moment.
}

package users_test

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
	"github.com/edgeftp/edgeftp/policies/users"
)

// TestConformance asks before and after there is a password, of users with a
// password, a certificate, and both.
func TestConformance(t *testing.T) {
	mine, other := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	login := func(user, certificate string, early bool, at time.Time) *policy.Login {
		s := &policy.Session{ID: 1, User: user, Root: "/"}
		if certificate != "" {
			s.TLS = policy.TLS{Version: "1.3", ClientSubject: "CN=somebody", ClientSHA256: certificate}
		}
		return &policy.Login{Meta: policy.Meta{Session: s, Request: 1, Time: at}, Early: early}
	}
	policytest.TestPolicy(t, func(t *testing.T) policy.Policy {
		robot := users.User{Name: "robot", Certificates: []string{mine}, Perms: policy.PermAll}
		both := alice()
		both.Name, both.Certificates = "both", []string{mine}
		anna := alice()
		anna.Name = "anna" // whom the general questions are about
		p, err := users.New(users.Config{Users: []users.User{alice(), robot, both, anna}, Seen: func(string, time.Time) {}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	},
		policytest.Case{Name: "known", Login: login("alice", "", false, noon), Want: policy.Allow},
		policytest.Case{Name: "unknown", Login: login("mallory", "", false, noon), Want: policy.Pass},
		policytest.Case{Name: "nobody", Login: login("", "", false, noon), Want: policy.Pass},
		policytest.Case{Name: "expired", Login: login("alice", "", false, noon.Add(time.Hour)), Want: policy.Pass},
		policytest.Case{Name: "certificate", Login: login("robot", mine, true, noon), Want: policy.Allow},
		policytest.Case{Name: "certificate of another", Login: login("robot", other, true, noon), Want: policy.Pass},
		policytest.Case{Name: "no certificate", Login: login("robot", "", false, noon), Want: policy.Pass},
		policytest.Case{Name: "certificate or password", Login: login("both", other, true, noon), Want: policy.Allow},
		policytest.Case{Name: "certificate of somebody, early", Login: login("mallory", mine, true, noon), Want: policy.Pass},
	)
}

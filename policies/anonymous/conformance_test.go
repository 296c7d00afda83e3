package anonymous_test

import (
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
	"github.com/edgeftp/edgeftp/policies/anonymous"
)

func TestConformance(t *testing.T) {
	login := func(user, password string, early bool) *policy.Login {
		return &policy.Login{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: user, Root: "/"}}, Password: password, Early: early}
	}
	policytest.TestPolicy(t, func(t *testing.T) policy.Policy {
		p, err := anonymous.New(anonymous.Config{Perms: policy.PermAll, AllowWrite: true, Home: "/in", MsgLogin: "One.\nTwo."})
		if err != nil {
			t.Fatal(err)
		}
		return p
	},
		policytest.Case{Name: "anonymous", Login: login("anonymous", "me@example.org", false), Want: policy.Allow},
		policytest.Case{Name: "no password", Login: login("anonymous", "", false), Want: policy.Allow},
		policytest.Case{Name: "early", Login: login("anonymous", "", true), Want: policy.Allow},
		policytest.Case{Name: "somebody", Login: login("anna", "anonymous", false), Want: policy.Pass},
		policytest.Case{Name: "nobody", Login: &policy.Login{}, Want: policy.Pass},
	)
}

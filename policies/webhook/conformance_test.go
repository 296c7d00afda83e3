package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
	"github.com/edgeftp/edgeftp/policies/webhook"
)

// TestConformance holds a hook to the contract of policies.
func TestConformance(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	policytest.TestPolicy(t, func(t *testing.T) policy.Policy {
		h, err := webhook.New(webhook.Config{URL: receiver.URL, Private: true})
		if err != nil {
			t.Fatal(err)
		}
		return h
	})
}

package registry_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/registry"
	"github.com/edgeftp/edgeftp/tests/ports"
)

// locks makes the registry ask for a name and password.
func (s *shop) locks(name, password string) {
	s.bends(func(w http.ResponseWriter, r *http.Request) bool {
		if n, p, _ := r.BasicAuth(); n == name && p == password {
			return false
		}
		w.Header().Set("Www-Authenticate", `Basic realm="shop"`)
		http.Error(w, "<html>", http.StatusUnauthorized)
		return true
	})
}

func TestLogin(t *testing.T) {
	s := open(t)
	push(t, s)
	s.locks("alice", "secret")
	ref := s.ref(t, "edge/guard:1.4.0")
	says(t, s.pull(t, "edge/guard:1.4.0"), "does not let us at edge/guard", "docker login "+s.host())
	_, _, err := (&registry.Client{Username: "alice", Password: "wrong"}).Pull(t.Context(), ref)
	says(t, err, "does not let us at edge/guard", "check name and password")
	if _, _, err := (&registry.Client{Username: "alice", Password: "secret"}).Pull(t.Context(), ref); err != nil {
		t.Errorf("with a name: %v", err)
	}
	logins := map[string]any{"auths": map[string]any{s.host(): map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte("alice:secret"))}}}
	b, err := json.Marshal(logins)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.pull(t, "edge/guard:1.4.0"); err != nil {
		t.Errorf("with docker's login: %v", err)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(b) {
		t.Errorf("%v, docker's file was changed", err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, s.pull(t, "edge/guard:1.4.0"), "the logins that docker keeps cannot be read")
}

// A password leaves the machine with TLS, or not at all.
func TestPasswordWithoutTLS(t *testing.T) {
	s := open(t)
	push(t, s)
	s.locks("alice", "secret")
	plain := true
	ref := parse(t, "oci://registry.example.org/edge/guard:1.4.0")
	_, _, err := s.far(&registry.Client{Username: "alice", Password: "secret", PlainHTTP: &plain}).Pull(t.Context(), ref)
	says(t, err, "wants a password and is reached without TLS")
	for _, r := range s.seen {
		if r.Header.Get("Authorization") != "" {
			t.Error("the password was sent")
		}
	}
	if len(s.seen) == 0 {
		t.Error("the registry was not asked")
	}
	s.bends(nil)
	if _, _, err := s.far(&registry.Client{PlainHTTP: &plain}).Pull(t.Context(), ref); err != nil {
		t.Errorf("without a password: %v", err)
	}
	_, _, err = s.far(&registry.Client{}).Pull(t.Context(), ref)
	says(t, err, "does not answer with TLS")
}

// far makes every host the shop's, as if it were on another machine.
func (s *shop) far(c *registry.Client) *registry.Client {
	c.Dial(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.host())
	})
	return c
}

func TestPlainIsAskedFor(t *testing.T) {
	s := open(t)
	push(t, s)
	plain := false
	ref := s.ref(t, "edge/guard:1.4.0")
	_, _, err := (&registry.Client{PlainHTTP: &plain}).Pull(t.Context(), ref)
	says(t, err, "does not answer with TLS", "--plain-http")
}

func TestCertificate(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	plain := false
	_, _, err := (&registry.Client{PlainHTTP: &plain}).Pull(t.Context(), parse(t, "oci://"+s.Listener.Addr().String()+"/guard:1"))
	says(t, err, "the certificate of 127.0.0.1", "is not trusted", "SSL_CERT_FILE")
}

// Where blobs are kept and names are asked for may be another host. It is not
// one without TLS because a registry says so.
func TestSentElsewhere(t *testing.T) {
	s := open(t)
	push(t, s)
	s.bends(func(w http.ResponseWriter, r *http.Request) bool {
		if blobs(r) {
			http.Redirect(w, r, "http://blobs.example.org/x", http.StatusTemporaryRedirect)
		}
		return blobs(r)
	})
	says(t, s.pull(t, "edge/guard:1.4.0"), "leads to a connection without TLS", "http://blobs.example.org")
	s.bends(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Www-Authenticate", `Bearer realm="http://names.example.org/token",service="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	_, _, err := (&registry.Client{Username: "alice", Password: "secret"}).Pull(t.Context(), s.ref(t, "edge/guard:1.4.0"))
	says(t, err, "leads to a connection without TLS", "http://names.example.org")

	// On this machine another port is as good.
	elsewhere := open(t)
	push(t, elsewhere)
	s.bends(func(w http.ResponseWriter, r *http.Request) bool {
		if blobs(r) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}
		return blobs(r)
	})
	if err := s.pull(t, "edge/guard:1.4.0"); err != nil {
		t.Error(err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host := ports.Addr(t)
	_, _, err := new(registry.Client).Pull(t.Context(), parse(t, fmt.Sprintf("oci://%s/guard:1", host)))
	says(t, err, host+" cannot be reached", "check host and port")
	if n := strings.Count(err.Error(), "\n"); n > 3 {
		t.Errorf("%d lines:\n%v", n, err)
	}
}

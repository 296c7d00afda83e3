package main

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// soon is a server that is ready when it has been asked three times.
type soon struct {
	fakeServer
	asked atomic.Int32
}

// Readiness implements control.Readier.
func (s *soon) Readiness() control.Readiness {
	parts := []control.Component{{Name: "listeners", State: control.ComponentOK}, {Name: "certificates", State: control.ComponentFailed, Detail: "there is no\x1b certificate yet"}}
	if s.asked.Add(1) > 2 {
		parts[1] = control.Component{Name: "certificates", State: control.ComponentOK}
	}
	return control.ReadinessOf(parts)
}

// A server that is not ready is told with its parts; one that will be is waited for.
func TestStatusReady(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	server, err := control.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(new(soon), slog.New(slog.DiscardHandler)) }()
	defer func() {
		if err := errors.Join(server.Close(), <-done); err != nil {
			t.Error(err)
		}
	}()
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"--ready", exitChecks, "failed    certificates  there is no? certificate yet\n"},
		{"--ready --wait 1m", exitOK, "ok        certificates\n"},
		{"--ready --watch", exitUsage, "--ready stands alone"},
		{"--wait 1m", exitUsage, "--wait is for --ready"},
		{"--ready --wait x", exitUsage, "--wait: "},
		{"--ready --wait 300ms --socket " + socket + "x", exitUnreachable, "is the server running?"},
	} {
		var out bytes.Buffer
		args := append([]string{"status", "--socket", socket}, strings.Fields(tt.args)...)
		if code := run(t.Context(), args, &out, &out); code != tt.code || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: %d\n%s", tt.args, code, out.String())
		}
	}
}

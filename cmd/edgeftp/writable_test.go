package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// What cannot be written to is told at the start. The directories of the test are not
// there, because root may write to all others.
func TestWarnUnwritable(t *testing.T) {
	dir := t.TempDir()
	conf := &config.Config{Root: dir, Events: filepath.Join(dir, "events")}
	conf.Users = []config.User{{Name: "a", Perms: policy.PermAll}}
	told := func() string {
		var out bytes.Buffer
		in := &generation{instance: &instance{log: slog.New(slog.NewTextHandler(&out, nil))}, conf: conf}
		in.warnUnwritable()
		return out.String()
	}
	if got := told(); got != "" {
		t.Errorf("all of it can be written to: %s", got)
	}
	conf.Users = append(conf.Users, config.User{Name: "b", Perms: policy.PermAll, Root: filepath.Join(dir, "gone")})
	conf.AccessLog.File = filepath.Join(dir, "logs", "xferlog")
	got := told()
	if strings.Count(got, "level=WARN") != 2 || strings.Count(got, " help=") != 2 ||
		!strings.Contains(got, filepath.Join(dir, "gone")+",") || !strings.Contains(got, conf.AccessLog.File+" cannot be begun anew") {
		t.Error(got)
	}
}

func TestWrittenRoots(t *testing.T) {
	conf := &config.Config{Root: "/srv", Users: []config.User{{Perms: policy.PermReadOnly, Root: "/read"}, {Perms: policy.PermAll, Root: "/own"}, {Perms: policy.PermAll, Root: "/own"}, {Perms: policy.PermAll}}}
	conf.Anonymous.Perms, conf.Anonymous.Root = policy.PermAll, "/in"
	if got := writtenRoots(conf); !slices.Equal(got, []string{"/own", "/srv"}) {
		t.Error(got)
	}
	conf.Anonymous.Enabled, conf.Defaults.Root = true, "/home/${user}"
	if got := writtenRoots(conf); !slices.Equal(got, []string{"/own", "/in"}) {
		t.Error(got)
	}
}

// Whom the socket keeps out is not asked whether the server is running.
func TestToldToStrangers(t *testing.T) {
	for want, err := range map[string]error{
		"is the server running?": fmt.Errorf("%w: %w", control.ErrUnreachable, fs.ErrNotExist),
		"try sudo":               fmt.Errorf("%w: %w", control.ErrUnreachable, fs.ErrPermission),
	} {
		if got := told(err); !strings.Contains(got.Error(), "\n   = help: ") || !strings.Contains(got.Error(), want) {
			t.Errorf("%q is not in %v", want, got)
		}
	}
}

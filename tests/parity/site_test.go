package parity

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/eventlog"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// The user whom every site knows.
const (
	user     = "dev"
	password = "a long secret"
)

// site is a running server: in this process, or the program.
type site struct {
	*testing.T
	addrs  []string     // of the listeners
	root   string       // the directory of this machine that is served
	events string       // the event log
	logs   *notes       // the server's log
	srv    *edge.Server // nil for the program
	disk   *vfs.Disk    // of root; nil for the program
	pid    int          // of the program; 0 in this process
	client *tls.Config  // trusts the server's certificate; nil without one
	seen   int          // events that were returned
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// notes is a log that can be looked at while it is written.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// both proves an item twice: by a server of this process whose configuration change
// has altered, and by the program with a configuration file.
func both(t *testing.T, change func(*edge.Config), f file, prove func(*site)) {
	t.Run("code", func(t *testing.T) { prove(serve(t, change)) })
	t.Run("file", func(t *testing.T) { prove(program(t, f)) })
}

// hash is the stored form of the password.
func hash(t *testing.T) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// dev is the user, who may do everything.
func dev(t *testing.T) users.User {
	t.Helper()
	return users.User{Name: user, PasswordHash: hash(t), Perms: policy.PermAll}
}

// known is a slot with these users.
func known(t *testing.T, list ...users.User) edge.Slot {
	t.Helper()
	p, err := users.New(users.Config{Users: list})
	if err != nil {
		t.Fatal(err)
	}
	return edge.Slot{Name: "users", Policy: p}
}

// serve starts a server of this process that serves a directory, with a plain
// listener and one user; change, unless nil, alters its configuration. It ends with
// the test, and has to end well.
func serve(t *testing.T, change func(*edge.Config)) *site {
	t.Helper()
	s := &site{T: t, root: t.TempDir(), events: filepath.Join(t.TempDir(), "events.json"), logs: new(notes)}
	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: s.root, State: t.TempDir(), Durability: vfs.DurabilityNone})
	s.must(err)
	s.disk = disk
	t.Cleanup(func() { s.must(disk.Close()) })
	events, err := eventlog.Open(s.events)
	s.must(err)
	conf := edge.Config{
		FS: disk, Listeners: []edge.Listener{{Name: "main", Address: "127.0.0.1:0"}}, Perms: policy.PermAll,
		Policies: []edge.Slot{known(t, dev(t))}, Logins: edge.Logins{FailDelay: -1},
		Log: slog.New(slog.NewJSONHandler(s.logs, nil)),
	}
	if change != nil {
		change(&conf)
	}
	conf.Policies = append(conf.Policies, edge.Slot{Name: "eventlog", Policy: events})
	s.start(conf)
	return s
}

// start begins to serve.
func (s *site) start(conf edge.Config) {
	s.Helper()
	srv, err := edge.New(conf)
	s.must(err)
	s.srv = srv
	s.must(srv.Listen(s.Context()))
	for _, a := range srv.Addresses() {
		s.addrs = append(s.addrs, a.String())
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background()) }()
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), userpi.Timeout)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			s.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			s.Errorf("Serve: %v", err)
		}
	})
}

// path is a name on the host.
func (s *site) path(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

// write makes a file.
func (s *site) write(name, content string) {
	s.Helper()
	s.must(os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
	s.must(os.WriteFile(s.path(name), []byte(content), 0o644))
}

// mkdir makes a directory.
func (s *site) mkdir(name string) {
	s.Helper()
	s.must(os.MkdirAll(s.path(name), 0o755))
}

// holds fails unless a file has a content.
func (s *site) holds(name, content string) {
	s.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil || string(data) != content {
		s.Fatalf("%s holds %.80q, %v; want %.80q", name, data, err, content)
	}
}

// absent fails if there is something.
func (s *site) absent(name string) {
	s.Helper()
	if _, err := os.Lstat(s.path(name)); !os.IsNotExist(err) {
		s.Fatalf("%s is there: %v", name, err)
	}
}

// records returns the events so far.
func (s *site) records() (all []eventlog.Record) {
	s.Helper()
	text, err := os.ReadFile(s.events)
	s.must(err)
	for l := range bytes.Lines(text) {
		if !bytes.HasSuffix(l, []byte("\n")) {
			break
		}
		var r eventlog.Record
		s.must(json.Unmarshal(l, &r))
		all = append(all, r)
	}
	return all
}

// event waits for the next event of a kind, after those that were returned before.
func (s *site) event(kind string) (found eventlog.Record) {
	s.Helper()
	until(s.T, "there is an event "+kind, func() bool {
		all := s.records()
		for i := s.seen; i < len(all); i++ {
			if all[i].Event == kind {
				found, s.seen = all[i], i+1
				return true
			}
		}
		return false
	})
	return found
}

// kinds returns what a session has told, without the commands.
func (s *site) kinds(session uint64) (names []string) {
	for _, r := range s.records() {
		if r.Session == session && r.Event != "command_done" {
			names = append(names, r.Event)
		}
	}
	return names
}

// told fails unless the last session has told exactly this, when it has ended.
func (s *site) told(session uint64, names ...string) {
	s.Helper()
	until(s.T, "the session has ended", func() bool { return slices.Contains(s.kinds(session), "disconnect") })
	if got := s.kinds(session); !slices.Equal(got, names) {
		s.Fatalf("the events are %q, want %q", got, names)
	}
}

// never fails if there was an event of a kind. It is asked when what comes after
// has been seen.
func (s *site) never(kind string) {
	s.Helper()
	for _, r := range s.records() {
		if r.Event == kind {
			s.Fatalf("there was an event %s: %+v", kind, r)
		}
	}
}

// noted waits for a line of the log that holds all of these.
func (s *site) noted(words ...string) string {
	s.Helper()
	var found string
	until(s.T, "the log says "+strings.Join(words, " "), func() bool {
		for l := range strings.Lines(s.logs.String()) {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(l, w) }) {
				found = l
				return true
			}
		}
		return false
	})
	return found
}

// touch sets a file's time.
func (s *site) touch(name string, at time.Time) {
	s.Helper()
	s.must(os.Chtimes(s.path(name), at, at))
}

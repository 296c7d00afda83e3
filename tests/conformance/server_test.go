package conformance

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// The user whom every server knows, and what the password's hashes are.
const (
	user     = "dev"
	password = "secret"
)

// server is the server of one dialogue.
type server struct {
	*edge.Server
	rules  *rules
	served chan error
}

// serve starts a server.
func serve(ctx context.Context, conf edge.Config, fs vfs.FS, r *rules) (*server, error) {
	conf.FS = fs
	conf.Policies = []edge.Slot{{Name: "test", Policy: r}}
	conf.Log = slog.New(slog.DiscardHandler)
	srv, err := edge.New(conf)
	if err != nil {
		return nil, err
	}
	if err := srv.Listen(ctx); err != nil {
		return nil, err
	}
	s := &server{Server: srv, rules: r, served: make(chan error, 1)}
	go func() { s.served <- srv.Serve(ctx) }()
	return s, nil
}

// stop ends it; sessions that are left are aborted.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), userpi.Timeout)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return fmt.Errorf("shutting down: %w", err)
	}
	return <-s.served
}

// options collects the "server" lines of a dialogue.
type options struct {
	conf    edge.Config
	rules   *rules
	folders []vfs.Folder // of what is served
	locked  bool         // what is served is read-only
}

func newOptions(s *suite) *options {
	return &options{
		conf: edge.Config{
			Listeners: []edge.Listener{{Name: "main", Address: "127.0.0.1:0", TLS: s.serverTLS}},
			Logins:    edge.Logins{FailDelay: -1},
			Timeouts:  edge.Timeouts{Awake: s.awake},
		},
		rules: newRules(),
	}
}

// set reads one "server" line.
func (o *options) set(args []string) error {
	l := &o.conf.Listeners[0]
	key, args := args[0], args[1:]
	if err, ok := o.rules.set(key, args); ok {
		return err
	}
	var err error
	switch {
	case key == "implicit":
		l.Implicit = true
	case key == "ipv6":
		l.Address = "[::1]:0"
	case len(args) == 0:
		return fmt.Errorf("server %s needs a value", key)
	case key == "tls":
		err = o.setTLS(args[0])
	case key == "ready":
		l.Ready = func() bool { return args[0] != "off" }
	case key == "binding":
		kinds := []dtp.Binding{dtp.BindAuto, dtp.BindRequire, dtp.BindPrefer, dtp.BindOff}
		i := slices.IndexFunc(kinds, func(b dtp.Binding) bool { return b.String() == args[0] })
		if i < 0 {
			return fmt.Errorf("%s is not a binding", args[0])
		}
		l.Binding = kinds[i]
	case key == "active":
		l.Active.Off, l.Active.Foreign, l.Active.Privileged = args[0] == "off", args[0] == "foreign", args[0] == "privileged"
		l.Active.Unmask = args[0] == "unmask"
	case key == "type":
		o.conf.Transfer.Binary = args[0] == "binary"
	case key == "advertise":
		l.Advertise.Address = args[0]
	case key == "command":
		o.conf.Commands = pi.Standard()
		for _, row := range pi.Optional() {
			if row.Verb == strings.Join(args, " ") {
				o.conf.Commands = o.conf.Commands.With(row)
			}
		}
	case key == "dot-files":
		o.conf.Listing.HideDotFiles = args[0] == "hidden"
	case key == "hosts":
		l.Hosts = args
	case key == "vhost": // a virtual host with its names, which serves a file of its own name
		fs := vfs.NewMem()
		err = fs.WriteFile(vfs.Path("/"+args[0]), nil)
		o.conf.Hosts = append(o.conf.Hosts, edge.Host{Name: args[0], Names: args[1:], FS: fs, Banner: "This is " + args[0] + "."})
	case key == "needs-tls": // names that may log in over TLS alone
		o.conf.NeedsTLS = func(user string) bool { return slices.Contains(args, user) }
	case key == "folder":
		err = o.folder(args)
	case key == "read-only":
		o.locked = args[0] == "on"
	case key == "own": // the listener's own virtual host
		l.Host = args[0]
	case key == "unknown-hosts":
		l.StrictHosts = args[0] == "refuse"
	case key == "banner":
		l.Banner = args[0]
	case key == "attempts":
		o.conf.Logins.Attempts, err = strconv.Atoi(args[0])
	case key == "sessions":
		o.conf.Limits.Sessions, err = strconv.Atoi(args[0])
	case key == "per-ip":
		o.conf.Limits.SessionsPerIP, err = strconv.Atoi(args[0])
	default:
		return o.setTime(key, args[0])
	}
	return err
}

// folder adds a folder, with the file f and the directory d in it. It may be read-only, or
// gone.
func (o *options) folder(args []string) error {
	at, how := vfs.Path(args[0]), strings.Join(args[1:], " ")
	fs := vfs.NewMem()
	if err := fs.WriteFile("/f", []byte("in "+args[0])); err != nil {
		return err
	}
	if err := fs.Mkdir("/d"); err != nil {
		return err
	}
	made := vfs.Folder{Path: at, FS: fs}
	switch how {
	case "":
	case "read-only":
		made.FS = vfs.NewReadOnly(fs)
	case "gone":
		made.FS = nil
	default:
		return fmt.Errorf("%s is no kind of folder", how)
	}
	o.folders = append(o.folders, made)
	return nil
}

// over is what is served of a filesystem.
func (o *options) over(fs vfs.FS) (vfs.FS, error) {
	if o.locked {
		fs = vfs.NewReadOnly(fs)
	}
	if len(o.folders) == 0 {
		return fs, nil
	}
	return vfs.NewForest(fs, o.folders)
}

func (o *options) setTLS(word string) error {
	l := &o.conf.Listeners[0]
	switch word {
	case "off":
		l.TLS = nil
	case "optional":
	case "control":
		l.Require = edge.TLSControl
	case "required":
		l.Require = edge.TLSRequired
	default:
		return fmt.Errorf("%s is not a requirement", word)
	}
	return nil
}

func (o *options) setTime(key, word string) error {
	l := &o.conf.Listeners[0]
	to := map[string]*time.Duration{"idle": &o.conf.Timeouts.Idle, "login": &o.conf.Timeouts.Login,
		"stall": &o.conf.Timeouts.Stall, "wait": &l.Passive.Wait}[key]
	if to == nil {
		return fmt.Errorf("%s is not an option of a server", key)
	}
	d, err := time.ParseDuration(word)
	*to, l.Active.Wait = d, l.Passive.Wait
	return err
}

// journal keeps the events of one dialogue.
type journal struct {
	mu     sync.Mutex
	events []policy.Event
	more   chan struct{} // closed when events grows
}

func (j *journal) add(e policy.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	close(j.more)
	j.more = make(chan struct{})
}

// wait returns the next event from position *at on that is of a kind, and moves
// *at behind it.
func (j *journal) wait(ctx context.Context, at *int, kind string) (policy.Event, error) {
	for {
		j.mu.Lock()
		events, more := j.events, j.more
		j.mu.Unlock()
		for ; *at < len(events); *at++ {
			if e := events[*at]; e.Kind.String() == kind {
				*at++
				return e, nil
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return policy.Event{}, fmt.Errorf("no event %s: %w", kind, ctx.Err())
		}
	}
}

//go:build linux

package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/account"
	"github.com/edgeftp/edgeftp/tests/bench/load/client"
)

// figures are what one measurement found, by names that end in their unit.
type figures map[string]float64

// higher reports whether more of a figure is better.
func higher(figure string) bool {
	switch figure {
	case "MB/s", "ops/s", "entries/s", "opened/s", "ok", "slowest/mean", "slowest/fastest", "min_100ms/limit", "rate/limit":
		return true
	}
	return false
}

// A scenario measures one thing on one server.
type scenario struct {
	name string
	main string // the figure that is looked at first
	does string // for people
	tls  bool   // it needs TLS
	// fresh starts the server anew: figures of memory must not lean on a heap that
	// earlier work has left.
	fresh   bool
	variant variant  // of the servers
	bare    []string // the paths without FTP that are measured beside it
	disk    bool     // it needs a directory on a disk
	run     func(*turn) (figures, error)
}

// variant is a way in which a server is set up.
type variant int

const (
	plain     variant = iota
	throttled         // to throttledTo
	durable           // syncs what it has stored
	hashing           // passwords cost what they should, and there are 500 users
	modules           // has ten small policy modules
)

// throttledTo is the limit of the throttled variant, in bytes a second.
const throttledTo = 10 << 20

// turn is one measurement of one server.
type turn struct {
	*field
	s      *server
	length time.Duration // of a stretch
}

// path is the virtual path of something in the tree.
func (t *turn) path(p string) string { return t.s.prefix + "/" + p }

// meter brackets a measured stretch.
type meter struct {
	t                       *turn
	server, client, machine time.Duration
	start                   time.Time
	wall                    time.Duration
}

// meter begins a stretch.
func (t *turn) meter() *meter {
	return &meter{t: t, server: t.s.tree.CPU(), client: account.Self(), machine: account.Machine(), start: time.Now()}
}

// goesOn reports whether the stretch is not over.
func (m *meter) goesOn() bool { return time.Since(m.start) < m.t.length }

// stop ends the stretch.
func (m *meter) stop() {
	m.wall = time.Since(m.start)
	m.client = account.Self() - m.client
	m.machine = account.Machine() - m.machine
	m.server = m.t.s.tree.CPU() - m.server
}

// perGB are the figures of bytes that were moved; GB and MB are powers of ten.
func (m *meter) perGB(bytes int64) figures {
	gb := float64(bytes) / 1e9
	return figures{"MB/s": gb * 1e3 / m.wall.Seconds(), "srv_cpu_s/GB": m.server.Seconds() / gb, "cli_cpu_s/GB": m.client.Seconds() / gb,
		"machine_cpu_s/GB": m.machine.Seconds() / gb, "GB": gb}
}

// perOp are the figures of operations.
func (m *meter) perOp(n int64) figures {
	f := float64(n)
	return figures{"ops/s": f / m.wall.Seconds(), "srv_cpu_us/op": micro(m.server) / f, "cli_cpu_us/op": micro(m.client) / f,
		"machine_cpu_us/op": micro(m.machine) / f, "ops": f}
}

func micro(d time.Duration) float64 { return float64(d) / 1e3 }
func milli(d time.Duration) float64 { return float64(d) / 1e6 }

// quantiles adds the median, the 99th of 100 and the longest.
func (f figures) quantiles(took []time.Duration, unit time.Duration, suffix string) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))]) / float64(unit) }
	f["p50"+suffix], f["p99"+suffix], f["max"+suffix] = at(.5), at(.99), at(1)
}

// cache remembers the TLS sessions of one client.
func cache() tls.ClientSessionCache { return tls.NewLRUClientSessionCache(4) }

// sessions opens n sessions, so many at a time.
func (t *turn) sessions(n, atOnce int, secure bool, buffer int) ([]*client.Conn, error) {
	all := make([]*client.Conn, n)
	errs := make([]error, min(atOnce, n))
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[w] == nil; i = int(next.Add(1)) - 1 {
				var conf *tls.Config
				if secure {
					conf = client.TLS(cache())
				}
				if all[i], errs[w] = t.kit.Login(t.s.account, conf, buffer); errs[w] != nil {
					next.Store(int64(n))
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			client.Leave(all)
			return nil, err
		}
	}
	return all, nil
}

// ready opens sessions and sets their type.
func (t *turn) ready(n int, secure bool, buffer int) ([]*client.Conn, error) {
	all, err := t.sessions(n, 8, secure, buffer)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if err := c.Want("TYPE I", 200); err != nil {
			client.Leave(all)
			return nil, err
		}
	}
	return all, nil
}

// each does something on every connection at the same time; the first error counts.
func each(all []*client.Conn, do func(i int, c *client.Conn) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(all))
	for i, c := range all {
		wg.Go(func() { errs[i] = do(i, c) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// scenarios lists all, in the order in which they are measured.
func scenarios() []scenario {
	return slices.Concat([]scenario{{name: "verify", main: "ok", does: "contents up and down, in the clear and over TLS, by SHA-256", run: verify}},
		bulkScenarios(), smallScenarios(), loginScenarios(), listingScenarios(), idleScenarios(), crowdScenarios(), throttleScenarios(),
		commandScenarios(), stormScenarios(), startScenarios(), bareScenarios())
}

// chosen reports whether a name is one of those with commas between them: of all when
// there are none, and a trailing $ asks for the very name and not for those that begin
// so.
func chosen(name, only string) bool {
	return only == "" || slices.ContainsFunc(strings.Split(only, ","), func(p string) bool {
		exact, ok := strings.CutSuffix(p, "$")
		return p != "" && (name == exact || !ok && strings.HasPrefix(name, p))
	})
}

// list prints the scenarios with their goals.
func list(w io.Writer) {
	fmt.Fprintln(w, "| scenario | what it does | figure | goals |\n|---|---|---|---|")
	for _, sc := range scenarios() {
		var wanted []string
		for _, g := range goals() {
			if g.scenario == sc.name {
				wanted = append(wanted, g.figure+" "+g.String())
			}
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", sc.name, sc.does, sc.main, strings.Join(wanted, "; "))
	}
}

// clean empties the directories of uploads: servers run as different users, and may
// not replace each other's files.
func (f *field) clean() {
	for _, dir := range []string{"up", "disk"} {
		entries, _ := os.ReadDir(f.in(dir))
		for _, e := range entries {
			_ = os.Remove(f.in(dir, e.Name()))
		}
	}
}

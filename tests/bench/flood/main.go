// Command flood measures what an honest user notices of a server that is flooded.
//
// It starts the edgeftp program of this tree with its defaults and TLS as clients
// like, and then twelve floods after each other, each from its own addresses by a
// process of its own. Meanwhile somebody at another address logs in and fetches 1 MiB
// again and again. The table says how long that took, and what the server held
// before, during and after the flood.
//
// As attackers, user and server share the processors of one machine, the attackers'
// process is niced.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
)

// plan is what the flags say.
type plan struct {
	time  time.Duration // of each flood
	rest  time.Duration // after each, before memory is looked at again
	only  string        // names of floods
	tls   bool
	nice  int
	tree  string // of the sources
	child string // this process is the attackers of that flood
	addr  string // of the server
}

func main() {
	var p plan
	flag.DurationVar(&p.time, "time", 10*time.Second, "how long each flood lasts")
	flag.DurationVar(&p.rest, "rest", 5*time.Second, "how long the server has after each")
	flag.StringVar(&p.only, "only", "", "names of floods, with commas between them; all if empty")
	flag.BoolVar(&p.tls, "tls", false, "the honest user comes over TLS")
	flag.IntVar(&p.nice, "nice", 10, "of the attackers, who share the processors with the server")
	flag.StringVar(&p.tree, "tree", ".", "the root of edgeftp's sources")
	flag.StringVar(&p.child, "attack", "", "be the attackers of this flood (for the command itself)")
	flag.StringVar(&p.addr, "addr", "", "the server that -attack floods")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if p.child != "" {
		err = p.attack(ctx)
	} else {
		err = p.measure(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "flood:", err)
		os.Exit(1)
	}
}

// attack runs one flood until the time is over.
func (p *plan) attack(ctx context.Context) error {
	for _, f := range floods() {
		if f.name == p.child {
			ctx, cancel := context.WithTimeout(ctx, p.time)
			defer cancel()
			newCrowd(ctx, p.addr).run(f)
			return nil
		}
	}
	return fmt.Errorf("there is no flood %q", p.child)
}

// measure prints the table.
func (p *plan) measure(ctx context.Context, w *os.File) error {
	g, err := peers.NewGround("")
	if err != nil {
		return err
	}
	defer g.Close()
	if err := g.Build(ctx, p.tree); err != nil {
		return err
	}
	s, figures, err := begin(ctx, g)
	if err != nil {
		return err
	}
	defer s.Stop()
	fmt.Fprintf(w, "load average %s; each flood lasts %v, the honest user comes %s\n\n", load(), p.time, map[bool]string{false: "in the clear", true: "over TLS"}[p.tls])
	fmt.Fprintln(w, "| flood | fetches | failed | p50 ms | p99 ms | max ms | RSS before / most / after, MiB | descriptors | goroutines | load |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	for _, f := range append([]flood{{name: "none"}}, floods()...) {
		if p.only != "" && !strings.Contains(","+p.only+",", ","+f.name+",") {
			continue
		}
		line, err := p.one(ctx, s, figures, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		fmt.Fprintln(w, line)
	}
	return nil
}

// begin starts the server, with what the floods and the user fetch.
func begin(ctx context.Context, g *peers.Ground) (*peers.Server, string, error) {
	figures, err := g.Address()
	if err != nil {
		return nil, "", err
	}
	s, err := g.EdgeFTP(peers.Site{Name: "flooded", PerAddress: 20, Guarded: true, Metrics: figures})
	if err != nil {
		return nil, "", err
	}
	if err := os.WriteFile(filepath.Join(s.Root, fetched), make([]byte, fetchedSize), 0o644); err != nil {
		return nil, "", err
	}
	huge := filepath.Join(s.Root, hugeDir)
	if err := os.Mkdir(huge, 0o755); err != nil {
		return nil, "", err
	}
	for i := range hugeNames {
		if err := os.WriteFile(filepath.Join(huge, "a-name-of-some-length-"+strconv.Itoa(i)), nil, 0o644); err != nil {
			return nil, "", err
		}
	}
	slow := filepath.Join(s.Root, slowDir)
	if err := os.Mkdir(slow, 0o777); err != nil {
		return nil, "", err
	}
	if err := os.Chmod(slow, 0o777); err != nil { // the server is another user
		return nil, "", err
	}
	return s, "http://" + figures + "/metrics", s.Start(ctx)
}

// one measures one flood and returns its line of the table.
func (p *plan) one(ctx context.Context, s *peers.Server, figures string, f flood) (string, error) {
	before, err := look(ctx, s, figures)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*p.time+p.rest+time.Minute)
	defer cancel()
	flooding, end := context.WithTimeout(ctx, p.time)
	defer end()
	ended := make(chan error, 1)
	if f.run == nil {
		close(ended)
	} else {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		cmd := exec.CommandContext(ctx, "nice", "-n", strconv.Itoa(p.nice), self, "-attack", f.name, "-addr", s.Addr, "-time", p.time.String())
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return "", err
		}
		go func() { ended <- cmd.Wait() }()
	}
	watched := make(chan int64, 1)
	go func() { watched <- most(flooding, s.PID()) }()
	h := honest{addr: s.Addr, tls: p.tls}
	h.work(flooding)
	during := <-watched
	at := load()
	if err := <-ended; err != nil {
		return "", fmt.Errorf("the attackers: %w", err)
	}
	if err := settle(ctx, p.rest); err != nil {
		return "", err
	}
	after, err := look(ctx, s, figures)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("| %s | %d | %d | %.0f | %.0f | %.0f | %d / %d / %d | %d, %d | %d, %d | %s |", f.name, len(h.took), h.failed,
		h.quantile(0.5), h.quantile(0.99), h.quantile(1), before.rss>>20, during>>20, after.rss>>20,
		before.files, after.files, before.goroutines, after.goroutines, at), h.first
}

// settle lets the server come to rest.
func settle(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// load is the load average of the last minute.
func load() string {
	f, err := os.Open("/proc/loadavg")
	if errors.Is(err, os.ErrNotExist) {
		return "unknown"
	}
	defer f.Close()
	words := bufio.NewScanner(f)
	words.Split(bufio.ScanWords)
	words.Scan()
	return words.Text()
}

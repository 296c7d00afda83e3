// Command throttle measures how well a server of this process keeps a user's limit:
// over the whole time, in the first second and in every tenth of a second, in the
// clear and over TLS, with one transfer and with several that share the limit. Each
// figure is taken at the client and where the server tells its limiter of the bytes: what
// a client writes has at first gone no further than the kernel's buffers.
package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// plan is what the command line asks for.
type plan struct {
	runs      int
	time      time.Duration
	rates     []int // MB/s
	transfers []int
	only      string
}

// shape is one line of the table.
type shape struct {
	rate, transfers int
	tls, down       bool
}

func (s shape) String() string {
	data, way := "plain", "up"
	if s.tls {
		data = "TLS"
	}
	if s.down {
		way = "down"
	}
	return fmt.Sprintf("%4d  %-5s %-4s  %d", s.rate, data, way, s.transfers)
}

func main() {
	var p plan
	flag.IntVar(&p.runs, "runs", 3, "how often each line is measured; the table has the medians")
	flag.DurationVar(&p.time, "time", 10*time.Second, "how long one measurement takes")
	rates := flag.String("rates", "1,10,100", "limits in MB/s")
	transfers := flag.String("transfers", "1,4", "transfers at the same time")
	flag.StringVar(&p.only, "only", "", "measure only lines with these words (plain, TLS, up, down)")
	flag.Parse()
	var err error
	if p.rates, err = numbers(*rates); err == nil {
		p.transfers, err = numbers(*transfers)
	}
	if p.runs < 1 || p.time < time.Second {
		err = errors.New("-runs must be at least 1, and -time at least 1s")
	}
	if err == nil {
		err = p.measure()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "throttle:", err)
		os.Exit(1)
	}
}

func numbers(list string) (all []int, err error) {
	for _, word := range strings.Split(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a list of numbers above zero", list)
		}
		all = append(all, n)
	}
	return all, nil
}

// shapes returns the lines that are asked for.
func (p *plan) shapes() (all []shape) {
	for _, rate := range p.rates {
		for _, n := range p.transfers {
			for i := range 4 {
				s := shape{rate: rate, transfers: n, tls: i&2 != 0, down: i&1 == 0}
				if p.wanted(s) {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

func (p *plan) wanted(s shape) bool {
	for _, word := range strings.Fields(p.only) {
		if !strings.Contains(s.String(), " "+word) {
			return false
		}
	}
	return true
}

// measure prints the table.
func (p *plan) measure() error {
	server, client, err := userpi.ThrowAway()
	if err != nil {
		return err
	}
	fmt.Printf("medians of %d runs of %v, and the worst of them; deviations in %% of the limit, windows as parts of their share\n\n", p.runs, p.time)
	fmt.Println("MB/s  data  way   n  seen at   all the time    first second    fullest 100 ms  unfair")
	for _, s := range p.shapes() {
		var at [2][]figures
		for range p.runs {
			f, err := s.run(p.time, server, client)
			if err != nil {
				return fmt.Errorf("%v: %w", s, err)
			}
			for i := range f {
				at[i] = append(at[i], f[i])
			}
		}
		for i, place := range []string{"client", "server"} {
			m, w := middle(at[i])
			fmt.Printf("%v  %-7s %+6.2f (%+6.2f)  %+6.2f (%+6.2f)  %6.3f (%6.3f)  %5.2f\n", s, place,
				100*m.total, 100*w.total, 100*m.first, 100*w.first, m.fullest, w.fullest, 100*m.unfair)
		}
	}
	return nil
}

// run measures once, at the client and at the server.
func (s shape) run(d time.Duration, serverTLS, clientTLS *tls.Config) ([]figures, error) {
	root, err := os.MkdirTemp("", "throttle")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	rate := int64(s.rate) * 1_000_000
	limits := policy.Limits{RateDown: rate, RateUp: rate}
	srv, err := serve(root, rate*int64(d/time.Second+5), limits, serverTLS)
	if err != nil {
		return nil, err
	}
	defer srv.stop()
	if !s.tls {
		clientTLS = nil
	}
	clients := make([]*client, s.transfers)
	defer func() {
		for _, c := range clients {
			if c != nil {
				c.Close()
			}
		}
	}()
	for i := range clients {
		if clients[i], err = connect(srv.Addresses()[0].String(), clientTLS); err != nil {
			return nil, err
		}
	}
	beyond := min(d, time.Second) // so that every transfer runs to the end of the time
	err = together(clients, func(i int, c *client) error {
		name := fileName
		if !s.down {
			name = fmt.Sprint("upload", i)
		}
		return c.move(s.down, name, d+beyond)
	})
	if err != nil {
		return nil, err
	}
	return s.figures(clients, srv, d), nil
}

// figures reckons what the records say.
func (s shape) figures(clients []*client, srv *server, d time.Duration) []figures {
	var seen [][]piece
	for _, c := range clients {
		seen = append(seen, c.record.take())
	}
	rate := float64(s.rate) * 1e6
	atClient := measure(seen, rate, d)
	seen = nil
	for range clients {
		seen = append(seen, (<-srv.records).take())
	}
	return []figures{atClient, measure(seen, rate, d)}
}

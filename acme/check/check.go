// Package check tries everything that an order for a certificate needs, and orders
// nothing (RFC 8555): the names and their records, the ports that an authority comes
// to, the authority itself, the storage. What it finds it says with what to do about it.
package check

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/acme"
)

// Level is how bad a finding is.
type Level uint8

// The levels.
const (
	OK   Level = iota // as it should be
	Note              // worth knowing
	Warn              // may fail, or will later
	Fail              // a certificate cannot be had, or not kept, like this
)

// String returns ok, note, warn or fail.
func (l Level) String() string {
	switch l {
	case OK:
		return "ok"
	case Note:
		return "note"
	case Warn:
		return "warn"
	}
	return "fail"
}

// MarshalText implements encoding.TextMarshaler with [Level.String].
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Finding is one thing that was looked at. Text and Help hold what strangers have
// answered in quotes only, without control characters.
type Finding struct {
	Area    string `json:"area"`    // names, dns, ports, authority, challenge, storage or clock
	Subject string `json:"subject"` // the name, address, directory or file
	Level   Level  `json:"level"`
	Text    string `json:"text"`
	Help    string `json:"help,omitempty"` // what to do next; empty with OK
}

// Ports are where authorities come to.
type Ports struct {
	HTTP int // for HTTP-01; 0 is 80 (RFC 8555 §8.3)
	TLS  int // for TLS-ALPN-01; 0 is 443 (RFC 8737 §3)
	DNS  int // of the name servers that hold a zone; 0 is 53
}

// Options say what is looked at, and how. The zero value looks at everything.
type Options struct {
	// Names are the only ones to look at. None: those of the configuration.
	Names []string
	// Running reports whether the listener of an address, as the configuration has it,
	// is held by the running server itself. Nil: none is.
	Running func(address string) bool
	// Local returns the addresses of this machine. Nil: those of its interfaces.
	Local func() ([]netip.Addr, error)
	// Ports are where authorities come to.
	Ports Ports
	// Resolver is the DNS server that is asked, HOST:PORT. Empty: that of the
	// configuration, else of the operating system.
	Resolver string
	// Wait is how long name servers are asked for a record that was added, at most what
	// an order waits. Zero: a minute.
	Wait time.Duration
	// Persist returns the records of dns-persist-01 that the configuration asks for.
	// Nil: [acme.PersistRecords], which makes an account if there is none.
	Persist func(context.Context, acme.Config) ([]acme.Record, error)
	// Progress is called with each finding as it is made, one at a time. Nil: nobody is
	// told before the end.
	Progress func(Finding)
}

const (
	// probeTime bounds each single thing that is tried.
	probeTime = 10 * time.Second
	// abreast is how many probes run at once.
	abreast = 8
)

// The areas, in the order of the answer.
const (
	areaStorage   = "storage"
	areaAuthority = "authority"
	areaClock     = "clock"
	areaNames     = "names"
	areaDNS       = "dns"
	areaPorts     = "ports"
	areaChallenge = "challenge"
)

// run is one check.
type run struct {
	conf  acme.Config
	opt   Options
	dns   *resolver
	local []netip.Addr // nil: not known
	ends  []*endpoint  // the authorities' directories
	names []*subject
	leafs [][]byte // certificates in the storage
	http  *doors
	tls   *doors
	space func(dir string) (room, error)
	over  func() bool // the check is to end: what fails now says nothing

	mu    sync.Mutex
	found []Finding
}

// Run looks at everything that conf needs to obtain certificates. It adds a record by
// conf's DNS provider, and writes to conf's storage; both are removed again. Each thing
// that is tried takes 10 seconds at most, but for the wait for name servers. The
// findings come in the order of areas: storage, authority, clock, names, dns, ports,
// challenge. After the end of ctx what was not looked at is missing, and a finding says
// so.
func Run(ctx context.Context, conf acme.Config, opt Options) []Finding {
	r := &run{conf: conf, opt: opt, space: spaceOf}
	return r.all(ctx)
}

func (r *run) all(ctx context.Context) []Finding {
	r.over = func() bool { return ctx.Err() != nil }
	r.setUp()
	var jobs sync.WaitGroup
	jobs.Go(func() { r.checkStorage(ctx) })
	if r.conf.Local == nil {
		r.together(ctx, len(r.ends)+len(r.names), func(i int) {
			if i < len(r.ends) {
				r.ends[i].look(ctx, r.conf.Resolver)
			} else {
				r.names[i-len(r.ends)].lookUp(ctx, r.dns)
			}
		})
		r.checkAuthorities()
		r.checkNames()
		r.together(ctx, len(r.names), func(i int) {
			r.checkAddresses(r.names[i])
			r.checkCAA(ctx, r.names[i])
		})
		jobs.Wait() // what is in the storage is recognized
		r.checkChallenges(ctx)
	} else {
		r.checkNames()
	}
	jobs.Wait()
	r.sort()
	if r.conf.Local == nil && ctx.Err() == nil {
		r.decide(ctx)
	}
	if err := context.Cause(ctx); err != nil {
		r.over = func() bool { return false }
		r.add(areaChallenge, "check", Warn, "the check was ended before everything was looked at: "+err.Error(), "run it again with more time")
	}
	return r.found
}

func (r *run) setUp() {
	r.opt.Ports.HTTP = cmp.Or(r.opt.Ports.HTTP, 80)
	r.opt.Ports.TLS = cmp.Or(r.opt.Ports.TLS, 443)
	r.opt.Ports.DNS = cmp.Or(r.opt.Ports.DNS, 53)
	if r.opt.Local == nil {
		r.opt.Local = interfaces
	}
	r.local, _ = r.opt.Local() // not known: nothing is said of it
	r.dns = newResolver(cmp.Or(r.opt.Resolver, r.conf.Resolver))
	r.ends = endpoints(r.conf.Authorities)
	r.names = r.subjects()
	if r.opt.Persist == nil {
		r.opt.Persist = acme.PersistRecords
	}
}

// together calls what for 0 to n-1, some at once, until ctx ends.
func (r *run) together(ctx context.Context, n int, what func(i int)) {
	var jobs sync.WaitGroup
	places := make(chan struct{}, abreast)
	for i := range n {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		jobs.Go(func() {
			defer func() { <-places }()
			what(i)
		})
	}
	jobs.Wait()
}

func (r *run) add(area, subject string, level Level, text, help string) {
	f := Finding{Area: area, Subject: subject, Level: level, Text: text, Help: help}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.found, f) || level >= Warn && r.over() { // of two directories, say; or of what was broken off
		return
	}
	r.found = append(r.found, f)
	if r.opt.Progress != nil {
		r.opt.Progress(f)
	}
}

// sort puts the findings in an order that does not depend on who was faster: what is
// not about a name was found one after the other.
func (r *run) sort() {
	areas := []string{areaStorage, areaAuthority, areaClock, areaNames, areaDNS, areaPorts, areaChallenge}
	slices.SortStableFunc(r.found, func(a, b Finding) int {
		by := cmp.Or(cmp.Compare(slices.Index(areas, a.Area), slices.Index(areas, b.Area)), cmp.Compare(r.rank(a.Subject), r.rank(b.Subject)))
		if by == 0 && r.rank(a.Subject) >= 0 {
			by = cmp.Compare(a.Text, b.Text)
		}
		return by
	})
}

// rank is the place of a name in the configuration; what is none comes first.
func (r *run) rank(name string) int {
	return slices.IndexFunc(r.names, func(s *subject) bool { return s.name == name })
}

// interfaces are the addresses of this machine.
func interfaces() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	var addrs []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, p.Addr().Unmap())
		}
	}
	return addrs, err
}

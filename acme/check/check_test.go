package check

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libdns/libdns"
	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/tests/authority"
)

func TestMain(m *testing.M) {
	if err := authority.Prepare(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(authority.Residue))
}

// world is a healthy set-up, which tests then spoil.
type world struct {
	t        *testing.T
	ca       *authority.Authority
	provider *provider
	dir      string
	conf     acme.Config
	opt      Options
	space    func(string) (room, error)
}

// The names of the healthy set-up: each kind there is.
const (
	hostName = "ftp.example.org"
	wildName = "*.files.example.org"
	addrName = "127.0.0.1"
)

func newWorld(t *testing.T, o authority.Options) *world {
	ca := authority.Start(t, o)
	w := &world{t: t, ca: ca, provider: &provider{at: ca.DNS}, dir: filepath.Join(t.TempDir(), "certificates"), space: plenty}
	storage, err := acme.OpenStorage(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(ca.DNS.Addr)
	if err != nil {
		t.Fatal(err)
	}
	dnsPort, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	w.conf = acme.Config{
		Names:       []string{hostName, wildName, addrName},
		Authorities: []acme.Authority{{Directory: ca.Directory, Roots: ca.Roots, Email: "ops@example.org"}},
		Challenges: acme.Challenges{
			HTTP: []string{ca.HTTPAddr()}, TLSALPN: []string{ca.TLSAddr()},
			DNS: &acme.DNS{Provider: w.provider, Wait: time.Second}, Persist: &acme.Persist{},
		},
		Storage: storage,
	}
	w.opt = Options{
		Local:    here,
		Ports:    Ports{HTTP: ca.HTTPPort, TLS: ca.TLSPort, DNS: dnsPort},
		Resolver: ca.DNS.Addr,
		Persist: func(_ context.Context, conf acme.Config) ([]acme.Record, error) {
			return []acme.Record{
				{Name: "_validation-persist.ftp.example.org", Value: "authority.test; accounturi=https://ca/1", CA: conf.Authorities[0].Directory},
				{Name: "_validation-persist.files.example.org", Value: "authority.test; accounturi=https://ca/1; policy=wildcard", CA: conf.Authorities[0].Directory},
			}, nil
		},
	}
	ca.DNS.Add(`_validation-persist.ftp.example.org. TXT "authority.test; accounturi=https://ca/1"`,
		`_validation-persist.files.example.org. TXT "authority.test; accounturi=https://ca/1; policy=wildcard"`)
	for _, name := range w.conf.Names {
		w.store(name, time.Now().Add(-24*time.Hour), time.Now().Add(80*24*time.Hour))
	}
	return w
}

func here() ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}, nil
}

func plenty(string) (room, error) { return room{bytes: 1 << 40, files: 1 << 20}, nil }

// run checks, and fails if that takes longer than anything may.
func (w *world) run() []Finding {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 40*time.Second)
	defer cancel()
	r := &run{conf: w.conf, opt: w.opt, space: w.space}
	found := r.all(ctx)
	if ctx.Err() != nil {
		w.t.Error("the check does not end")
	}
	return found
}

// store puts a certificate in the storage as certmagic would.
func (w *world) store(name string, from, to time.Time) string {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: from, NotAfter: to}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		w.t.Fatal(err)
	}
	safe := strings.ReplaceAll(name, "*", "wildcard_")
	base := "certificates/authority/" + safe + "/" + safe
	for end, data := range map[string][]byte{
		".crt":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		".key":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
		".json": []byte(`{"sans":["` + name + `"]}`),
	} {
		w.put(base+end, data)
	}
	return base
}

func (w *world) put(key string, data []byte) {
	w.t.Helper()
	if err := w.conf.Storage.Store(w.t.Context(), key, data); err != nil {
		w.t.Fatal(err)
	}
}

// listen opens an address that others are to find taken, for the time of the test.
func (w *world) listen(address string) net.Listener {
	w.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = l.Close() })
	return l
}

// web serves an address.
func (w *world) web(address string, secure bool, handler http.HandlerFunc) {
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	_ = s.Listener.Close()
	s.Listener = w.listen(address)
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	w.t.Cleanup(s.Close)
}

// provider changes the name server's records, or does not.
type provider struct {
	at *authority.NameServer

	mu       sync.Mutex
	only     string // the one name that may be changed
	noAdd    error
	noRemove error
	added    []string
}

func (p *provider) AppendRecords(_ context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range records {
		name := libdns.AbsoluteName(r.RR().Name, zone)
		if p.noAdd != nil || p.only != "" && p.only != name {
			return nil, errors.Join(p.noAdd, errors.New("not allowed"))
		}
		p.added = append(p.added, name)
		p.at.Add(fmt.Sprintf("%s 1 IN TXT %q", name, r.RR().Data))
	}
	return records, nil
}

func (p *provider) DeleteRecords(_ context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.noRemove != nil {
		return nil, p.noRemove
	}
	for _, r := range records {
		p.at.Remove(libdns.AbsoluteName(r.RR().Name, zone), "TXT")
	}
	return records, nil
}

// brief is a finding without its words.
func (f Finding) brief() string { return fmt.Sprintf("%s %s %s", f.Level, f.Area, f.Subject) }

// above are the findings from a level on.
func above(level Level, found []Finding) (all []string) {
	for _, f := range found {
		if f.Level >= level {
			all = append(all, f.brief())
		}
	}
	return all
}

// text is what an operator reads, without what differs from run to run.
func (w *world) text(level Level, found []Finding) string {
	var b strings.Builder
	for _, f := range found {
		if f.Level < level {
			continue
		}
		fmt.Fprintf(&b, "%s %s %s: %s\n", f.Level, f.Area, f.Subject, f.Text)
		if f.Help != "" {
			fmt.Fprintf(&b, "    = help: %s\n", f.Help)
		}
	}
	text := b.String()
	for _, r := range [][2]string{
		{regexp.QuoteMeta(w.ca.Directory), "https://ca/dir"},
		{regexp.QuoteMeta(w.dir), "DIR"},
		{`:` + strconv.Itoa(w.ca.HTTPPort) + `\b`, ":80"},
		{`:` + strconv.Itoa(w.ca.TLSPort) + `\b`, ":443"},
		{`port ` + strconv.Itoa(w.ca.HTTPPort) + `\b`, "port 80"},
		{`port ` + strconv.Itoa(w.ca.TLSPort) + `\b`, "port 443"},
		{`127\.0\.0\.(\d):\d{4,}`, "127.0.0.$1:PORT"},
		{`-check-[A-Z2-7]{20,}`, "-check-RANDOM"},
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "TIME"},
		{`are \d{1,2}s apart`, "are 0s apart"},
	} {
		text = regexp.MustCompile(r[0]).ReplaceAllString(text, r[1])
	}
	return text
}

// golden compares with a file; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))) {
		t.Errorf("%s is not what is found (UPDATE_GOLDEN=1 writes it); now:\n%s", file, got)
	}
}

// A healthy set-up of every challenge and every kind of name has nothing to complain
// about, no order is made, and nothing is left behind.
func TestHealthy(t *testing.T) {
	w := newWorld(t, authority.Options{})
	var told []Finding
	w.opt.Progress = func(f Finding) { told = append(told, f) }
	found := w.run()
	if bad := above(Note, found); len(bad) > 0 {
		t.Errorf("false alarms: %q", bad)
	}
	golden(t, "healthy", w.text(OK, found))
	if w.ca.Tried() != 0 || w.ca.Count(authority.NewAccount) != 0 {
		t.Error("the check orders, or makes an account")
	}
	if len(w.provider.added) != 2 {
		t.Errorf("records were added at %q", w.provider.added)
	}
	for _, name := range w.provider.added {
		if !strings.HasPrefix(name, "_acme-challenge-check.") {
			t.Errorf("a record was added at %s, where one of an order may be", name)
		}
		if left := w.ca.DNS.Records(name); len(left) > 0 {
			t.Errorf("%q stay behind", left)
		}
	}
	if left, _ := w.conf.Storage.List(t.Context(), "", false); !slices.Equal(left, []string{"certificates", "locks"}) {
		t.Errorf("the storage holds %q", left)
	}
	key := func(f Finding) string { return f.brief() + f.Text }
	slices.SortFunc(told, func(a, b Finding) int { return strings.Compare(key(a), key(b)) })
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(key(a), key(b)) })
	if !slices.Equal(told, found) {
		t.Error("Progress is told of other findings than Run returns")
	}
}

// A provider whose key is for the challenge's own name alone is no fault.
func TestNarrowKey(t *testing.T) {
	w := newWorld(t, authority.Options{})
	w.conf.Names = []string{hostName}
	w.provider.only = "_acme-challenge." + hostName + "."
	if bad := above(Note, w.run()); len(bad) > 0 {
		t.Errorf("false alarms: %q", bad)
	}
}

// What the running server holds is compared with what answers under the name.
func TestHeldByTheServer(t *testing.T) {
	w := newWorld(t, authority.Options{})
	w.conf.Names = []string{hostName}
	w.conf.Challenges.DNS, w.conf.Challenges.Persist = nil, nil
	w.web(w.ca.HTTPAddr(), false, http.NotFound)
	w.web(w.ca.TLSAddr(), true, http.NotFound)
	w.opt.Running = func(address string) bool { return address == w.ca.HTTPAddr() || address == w.ca.TLSAddr() }
	found := w.run()
	if bad := above(Note, found); len(bad) > 0 {
		t.Errorf("false alarms: %q", bad)
	}
	golden(t, "held", w.text(OK, slices.DeleteFunc(found, func(f Finding) bool { return f.Area != areaPorts && f.Area != areaChallenge })))
}

// An end of the context ends the check, and it says so.
func TestEnded(t *testing.T) {
	w := newWorld(t, authority.Options{})
	w.ca.Slow(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	found := Run(ctx, w.conf, w.opt)
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it ended after %s", d)
	}
	last := found[len(found)-1]
	if len(above(Warn, found)) != 1 || !strings.Contains(last.Text, "ended before everything") {
		t.Errorf("found %+v", found)
	}
}

func TestFindingInJSON(t *testing.T) {
	got, err := json.Marshal([]Finding{{"dns", "a.example", Warn, "words", ""}, {Level: Fail}, {Level: Note}, {}})
	want := `[{"area":"dns","subject":"a.example","level":"warn","text":"words"},` +
		`{"area":"","subject":"","level":"fail","text":""},{"area":"","subject":"","level":"note","text":""},{"area":"","subject":"","level":"ok","text":""}]`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/namespaces"
)

// onTinyDisk runs a server whose storage is a file system of that size, which nobody
// else sees.
func onTinyDisk(size string) func(*sufferer) []string {
	return func(s *sufferer) []string {
		_ = os.MkdirAll(s.certificates(), 0o700) // else the mount says so
		return []string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs -o mode=0700,size=` + size + ` tmpfs "$0" && exec "$@"`, s.certificates(), os.Getenv(binaryVar)}
	}
}

// fillDisk lets nothing more be stored where the server sees it, and makes room again.
func fillDisk(t *testing.T, s *sufferer) {
	t.Helper()
	s.had = s.verified(t, s.ca, certName)
	rest := fmt.Sprintf("/proc/%d/root%s/rest", s.cmd.Process.Pid, s.certificates())
	f := must(os.Create(rest))(t)
	for _, size := range []int{4096, 1} {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
	ok(t, f.Close())
	orders := s.ca.Orders()
	s.forced(t)
	if n := s.ca.Orders(); n != orders {
		t.Errorf("%d orders whose certificates cannot be stored", n-orders)
	}
	s.sees("on the full disk")
	ok(t, os.Remove(rest))
	s.forced(t)
}

// plainLog is what operators are told in the log of certificates, without what differs
// from run to run.
func (s *sufferer) plainLog() string {
	var told []string
	lines, _ := s.log.read()
	for _, line := range lines {
		if strings.Contains(line, `"level":"INFO"`) && !strings.Contains(line, `"msg":"a certificate was`) {
			continue
		}
		told = append(told, line)
	}
	slices.SortStableFunc(told, func(a, b string) int { return strings.Compare(message(a), message(b)) }) // those of two watchers come as they like
	return strings.Join(told, "\n")
}

// same takes out what differs from run to run.
func (s *sufferer) same(text string) string {
	for _, r := range []struct{ from, to string }{
		{regexp.QuoteMeta(filepath.Dir(s.root)), "DIR"},
		{`"time":"[^"]*",`, ""},
		{`"(next_attempt|valid_until|serial|sha256)":"[^"]*"`, `"$1":"..."`},
		{`127\.0\.0\.1-\d+-dir-[0-9a-f]{8}`, "AUTHORITY"},
		{`127\.0\.0\.1:\d+(->127\.0\.0\.1:\d+)?`, "127.0.0.1:PORT"},
		{`\?started=[0-9a-z]+`, ""},
		{`ftp\.example\.org:\d+`, "ftp.example.org:PORT"},
		{`valid until \S+ \S+ UTC`, "valid until TIME"},
		{`"last_failure":"[^"]*"`, `"last_failure":"..."`},
		{`certificates/\d+:`, "certificates/TEMPORARY:"},
		{`sport = :\d+`, "sport = :PORT"},
		{`\d{8}-\d{6}\.\d+`, "TIME"},
		{`Pebble Intermediate CA [0-9a-f]+`, "Pebble Intermediate CA"},
		{`(acme-challenge|my-account|my-order)/[\w-]+`, "$1/TOKEN"},
		{`EOF|read tcp 127.0.0.1:PORT: read: connection reset by peer`, "CUT OFF"},
		{`check_[A-Z2-7]+`, "check_NAME"},
		{`\.\d{6,}`, ".NUMBER"},
	} {
		text = regexp.MustCompile(r.from).ReplaceAllString(text, r.to)
	}
	return text
}

// meet runs a server into the fault, and returns what everybody was told.
func (f *certFault) meet(t *testing.T) string {
	t.Helper()
	ca, p := authorities.Start(t, f.options), newPlace(t)
	lines := f.lines
	if lines == nil {
		lines = httpWith()
	}
	conf := p.certified(t, ca, certListeners, append(lines(ca), "domains: ["+certName+"]")...)
	s := &sufferer{place: p, ca: ca}
	if f.had {
		first := p.serve(t, conf)
		first.obtained(t)
		first.stop(t)
		s.had = p.kept(t) // a brief one has a successor soon
	}
	if f.before != nil {
		f.before(t, s)
	}
	args := []string{os.Getenv(binaryVar)}
	if f.wrap != nil {
		args = f.wrap(s)
	}
	// So few sessions that no machine's limit of descriptors is told to be too low for them.
	s.server = launchBy(t, p, args, "--config", p.file(t, conf+"limits: { sessions: { total: 20 } }\n"))
	if f.exit != 0 {
		if code := s.wait(t, stopWithin); code != f.exit {
			t.Errorf("exit code %d, want %d", code, f.exit)
		}
		return s.same(fmt.Sprintf("exit code %d\n%s", f.exit, s.log))
	}
	s.addr = s.at(t, 0).addr
	if f.says != "" {
		s.expect(t, f.says)
		until(t, "the server has made up its mind", func() bool { return f.says != isObtained || s.certain() })
	}
	if f.during != nil {
		f.during(t, s)
	}
	s.sees("in the end")
	s.stop(t)
	return s.same(s.told.String() + s.plainLog())
}

// certain reports whether clients have a certificate.
func (s *sufferer) certain() bool {
	_, err := shake(s.addr, trusting(s.ca, certName))
	return err == nil
}

// What clients see and operators read when something is wrong: one section for each
// fault, with its advice.
func TestCertificateFaults(t *testing.T) {
	t.Parallel()
	namespaces.Need(t)
	faults := append(storageFaults(), orderFaults()...)
	told := make([]string, len(faults))
	t.Run("all", func(t *testing.T) {
		for i, f := range faults {
			t.Run(f.what, func(t *testing.T) {
				t.Parallel()
				told[i] = f.meet(t)
			})
		}
	})
	var all strings.Builder
	for i, f := range faults {
		fmt.Fprintf(&all, "# %s\n%s\n\n", f.what, strings.TrimSpace(told[i]))
	}
	golden(t, "certificates.txt", all.String())
}

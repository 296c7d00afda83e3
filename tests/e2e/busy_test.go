package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// busyConfig is a server whose users are throttled, each in another way.
const busyConfig = `listeners:
  - { name: main, address: 127.0.0.1:0, tls: { control: optional, data: optional } }
bandwidth: { global: { down: 8MB } }
limits: { logins: { delay_after_failure: 0 } }
users:
  list:
    - { name: anna, password_hash: @HASH@, perm: elradfmwMT, bandwidth: { down: 3MB } }
    - { name: ben, password_hash: @HASH@, perm: elradfmwMT, bandwidth: { up: 1MB } }
    - { name: cy, password_hash: @HASH@, perm: elr, bandwidth: { down: 500kB } }
telemetry: { metrics: { listen: "127.0.0.1:0" } }
`

// endless starts a curl that goes on until the test ends.
func (s *server) endless(t *testing.T, ctx context.Context, user string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, need(t, "curl"), append([]string{"-q", "-sS", "-o", os.DevNull, "-u", user + ":" + secret}, args...)...)
	ok(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() }) // it was ended, or the server was
}

// edgeftp top of a server where much is going on, and a scrape of that server at the same
// time: both say of each other's figures the same, and the scrape is as Prometheus's linter
// wants it. docs/top.txt is such a picture; EDGEFTP_UPDATE_DOCS=1 takes it anew.
func TestBusyServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, name := range []string{"image.iso", "dump.sql.gz", "video.mkv"} {
		ok(t, os.WriteFile(p.in(name), make([]byte, 64<<20), 0o644))
	}
	s := p.serve(t, busyConfig)
	defer s.stop(t)
	fetch := s.figuresOf(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sealed := []string{"--ssl-reqd", "--cacert", s.ca}
	s.endless(t, ctx, "anna", append(sealed, s.url("/image.iso"))...)
	s.endless(t, ctx, "anna", append(sealed, s.url("/video.mkv"))...)
	s.endless(t, ctx, "cy", s.url("/dump.sql.gz"))
	s.endless(t, ctx, "ben", append(sealed, "-T", p.in("video.mkv"), s.url("/backup/ben.tar"), "--ftp-create-dirs")...)
	for range 2 {
		s.loginAs(t, "cy", secret)
	}
	for _, path := range []string{"/image.iso", "/video.mkv", "/dump.sql.gz", "/backup/ben.tar"} {
		s.transfer(t, path)
	}
	stranger := s.dial(t)
	stranger.want(t, "USER dora", 331)
	stranger.want(t, "PASS guess", 530)
	picture := ""
	until(t, "the table shows rates of all four", func() bool {
		picture = s.admin(t, "top", "--count", "3", "--interval", "500ms").stdout
		picture = picture[strings.LastIndex(picture, "edgeftp  "):] // the last frame
		return len(regexp.MustCompile(`(RETR|STOR) .*[1-9][0-9.]* [kM]B/s`).FindAllString(picture, -1)) == 4
	})
	t.Logf("the last picture:\n%s", picture)
	code, text := fetch("/metrics")
	for _, want := range []string{`edgeftp_transfers{direction="download",listener="main"} 3`, `edgeftp_transfers{direction="upload",listener="main"} 1`} {
		if code != 200 || !strings.Contains(text, want+"\n") {
			t.Errorf("%d, no %s", code, want)
		}
	}
	for _, problem := range must(promlint.New(strings.NewReader(text)).Lint())(t) {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	t.Logf("a scrape of %d series", len(regexp.MustCompile(`(?m)^edgeftp_[^ ]+`).FindAllString(text, -1)))
	if t.Failed() {
		t.Log(text)
	}
	pictured(t, fmt.Sprintf("$ edgeftp top --count 3\n%s", picture))
}

// pictured holds a picture of top against docs/top.txt: the same columns, users and
// paths; figures, ports and the order of rows are those of one moment.
func pictured(t *testing.T, picture string) {
	t.Helper()
	const doc = "../../docs/top.txt"
	if os.Getenv(updateVar) != "" {
		ok(t, os.WriteFile(filepath.FromSlash(doc), []byte(picture), 0o644))
	}
	shape := func(text string) string {
		var rows []string
		text = regexp.MustCompile(`\+[0-9a-f]{12}\S*`).ReplaceAllString(text, "") // of the version: letters of a commit's number are no words
		text = regexp.MustCompile(`[0-9]+([.,:][0-9]+)*`).ReplaceAllString(text, "0")
		text = regexp.MustCompile(`\b[kKMG]i?B\b`).ReplaceAllString(text, "B") // 996 kB/s are 1.0 MB/s a moment later
		for line := range strings.Lines(text) {
			rows = append(rows, strings.Join(regexp.MustCompile(`0|B/s|B|[a-zA-Z/.]{2,}`).FindAllString(line, -1), " "))
		}
		slices.Sort(rows)
		return strings.Join(rows, "\n")
	}
	words := regexp.MustCompile(`[a-z]+|/[a-z./]+`)
	want := words.FindAllString(shape(string(must(os.ReadFile(doc))(t))), -1)
	got := words.FindAllString(shape(picture), -1)
	slices.Sort(want)
	slices.Sort(got)
	if want, got := slices.Compact(want), slices.Compact(got); !slices.Equal(want, got) {
		t.Errorf("docs/top.txt shows another table; %s=1 takes it anew\n%q\n%q", updateVar, want, got)
	}
}

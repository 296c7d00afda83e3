package e2e

import (
	"context"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// installed goes the way of docs/systemd.md. The server has no right at all, what systemd
// gives it, and its own sandbox within that of the unit.
func (c console) installed() {
	c.configured(filepath.Join(c.dir, "edgeftp.yaml"), "one", "")
	c.follow("systemd.md", "useradd")
	c.serves()
	c.run(0, "systemctl status --no-pager -n 0 edgeftp", "active (running)", `Status: "serving; `)
	rights := string(must(os.ReadFile("/proc/" + c.shows("edgeftp", "MainPID") + "/status"))(c.T))
	for _, line := range []string{"CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
		if !strings.Contains(rights, line) {
			c.Errorf("no %q in\n%s", line, rights)
		}
	}
	journal := c.run(0, "journalctl --no-pager -o cat -u edgeftp", `"sandbox":"on"`, `"root":"/srv/ftp"`, `"msg":"socket inherited"`)
	if strings.Contains(journal, `"level":"ERROR"`) {
		c.Errorf("the journal:\n%s", journal)
	}
}

// activated has the first client start the server, and no client turned away while it is
// restarted; one that is killed comes back.
func (c console) activated() {
	c.run(0, "systemctl stop edgeftp")
	if state := c.shows("edgeftp", "ActiveState") + ", " + c.shows("edgeftp", "Result"); state != "inactive, success" {
		c.Errorf("stopped, it is %s", state)
	}
	c.greets("one")
	c.becomes("edgeftp", "active")
	stop := make(chan struct{})
	visits, failed, over := c.visits(stop)
	c.run(0, "systemctl restart edgeftp")
	c.greets("one")
	close(stop)
	<-over
	if failed.Load() > 0 {
		c.Errorf("%d of %d visitors were turned away by a restart", failed.Load(), visits.Load())
	}
	before := c.shows("edgeftp", "MainPID")
	c.run(0, "systemctl kill -s KILL edgeftp")
	c.comesBack("edgeftp", before)
	c.serves()
}

// reloaded changes the configuration by systemctl and by a signal. What is wrong fails with
// its reasons, and what was goes on.
func (c console) reloaded() {
	c.configured(configuration, "two", "")
	c.run(0, "systemctl reload edgeftp")
	c.greets("two")
	pid := c.shows("edgeftp", "MainPID")
	c.configured(configuration, "wrong", "nonsense: 1\n")
	c.run(1, "systemctl reload edgeftp", "failed")
	c.run(0, "systemctl status --no-pager edgeftp", "active (running)", `unknown key "nonsense"`, "edgeftp.yaml:8:1")
	c.inForce(2)
	c.greets("two")
	c.configured(configuration, "three", "")
	c.run(0, "systemctl kill -s HUP edgeftp")
	c.inForce(3)
	c.greets("three")
	if now := c.shows("edgeftp", "MainPID"); now != pid {
		c.Errorf("process %s has become %s", pid, now)
	}
}

// broken starts a server that cannot serve: it fails at once, once, and says why.
func (c console) broken() {
	c.run(0, "systemctl stop edgeftp.socket edgeftp.service")
	c.configured(configuration, "wrong", "nonsense: 1\n")
	c.run(1, "systemctl start edgeftp", "failed")
	c.run(3, "systemctl status --no-pager edgeftp", "failed (Result: exit-code)", "status=3", `unknown key "nonsense"`, "edgeftp.yaml:8:1")
	if n := c.shows("edgeftp", "NRestarts"); n != "0" {
		c.Errorf("it was started %s times again, and is as wrong as before", n)
	}
	c.configured(configuration, "mended", "")
	c.run(0, "systemctl reset-failed && systemctl start edgeftp.socket edgeftp.service")
	c.greets("mended")
}

// hung stops a process in the midst of what it does. The watchdog ends it, with the stacks of
// its goroutines in the journal, and starts another.
func (c console) hung() {
	c.drop("edgeftp", "watchdog", "WatchdogSec=8s\n")
	c.run(0, "systemctl daemon-reload && systemctl restart edgeftp")
	before := c.shows("edgeftp", "MainPID")
	c.run(0, "kill -STOP "+before)
	until(c.T, "the watchdog ends it", func() bool { return c.shows("edgeftp", "MainPID") != before })
	c.comesBack("edgeftp", before)
	c.run(0, "journalctl --no-pager -o cat -u edgeftp", "Watchdog timeout", "SIGABRT", "goroutine ")
	c.serves()
	c.run(0, "rm /etc/systemd/system/edgeftp.service.d/watchdog.conf && systemctl daemon-reload && systemctl restart edgeftp")
}

// slowDownload is one that goes on while things happen; the client reads slowly.
type slowDownload struct {
	console
	*session
	data net.Conn
	size int64
	want digest
	got  digester
}

// digester is what hash.Hash is here.
type digester interface {
	io.Writer
	Sum(b []byte) []byte
}

// slowly begins a download of more than buffers hold.
func (c console) slowly() *slowDownload {
	c.Helper()
	d := &slowDownload{console: c, size: 24 * mib, want: noiseFile(c.T, "/srv/ftp/big", 24*mib), got: sha256.New(), session: c.login(c.T)}
	d.data = d.begin(c.T, "RETR big")
	d.read(d.size / 8)
	return d
}

func (d *slowDownload) read(n int64) {
	d.Helper()
	must(io.CopyN(d.got, d.data, n))(d.T)
}

// ends reads the rest, of which no byte is missing.
func (d *slowDownload) ends() {
	d.Helper()
	must(io.Copy(d.got, d.data))(d.T)
	ok(d.T, userpi.End(d.data))
	if _, err := d.Expect("RETR", 226); err != nil || digest(d.got.Sum(nil)) != d.want {
		d.Errorf("the download is not what the file is: %v", err)
	}
}

// drained stops the server while a download runs: systemctl waits for its end.
func (c console) drained() {
	d := c.slowly()
	ctx, cancel := context.WithTimeout(c.Context(), commandWithin)
	defer cancel()
	stopping := exec.CommandContext(ctx, "systemctl", "stop", "edgeftp.socket", "edgeftp.service")
	ok(c.T, stopping.Start())
	c.becomes("edgeftp", "deactivating")
	until(c.T, "it says that it drains", func() bool { return strings.HasPrefix(c.shows("edgeftp", "StatusText"), "draining") })
	d.read(d.size / 8)
	d.ends()
	if _, err := d.Expect("the server's end", 421); err != nil {
		c.Error(err)
	}
	ok(c.T, stopping.Wait())
	if state := c.shows("edgeftp", "ActiveState") + ", " + c.shows("edgeftp", "Result"); state != "inactive, success" {
		c.Errorf("stopped, it is %s", state)
	}
	c.run(0, "systemctl start edgeftp.socket edgeftp.service")
}

// everywhere are listeners of HTTP in all its versions and of FTP over QUIC.
const everywhere = `- { name: web, protocol: http, address: ":443", http3: true, tls: { certificate: files }, delivery: { anonymous: dev } }
- { name: quic, protocol: ftp+quic, address: ":443", tls: { certificate: files } }
`

// upgraded goes the way of docs/upgrade.md, twice while one download runs and others come
// without end, and with every listener that there is. Nobody is turned away, who was replaced
// ends by itself, and who has replaced it comes back by itself when it is killed.
func (c console) upgraded() {
	c.follow("upgrade.md", "install -m 0644 edgeftp.service")
	stop := make(chan struct{})
	visits, failed, over := c.visits(stop)
	d := c.slowly()
	units := []string{"edgeftp.service", "edgeftp@2.service", "edgeftp@3.service"}
	idle := map[string]*session{}
	for _, unit := range units[1:] {
		ok(c.T, os.Rename(filepath.Join(c.dir, "edgeftp"), filepath.Join(c.dir, "edgeftp-NEW")))
		c.configured(configuration, unit, everywhere)
		c.follow("upgrade.md", "install -m 0755 edgeftp-NEW", "edgeftp@2", unit)
		ok(c.T, os.Rename(filepath.Join(c.dir, "edgeftp-NEW"), filepath.Join(c.dir, "edgeftp")))
		c.greets(unit)
		c.serves()
		c.webServes()
		d.read(d.size / 8)
		idle[unit] = c.login(c.T)
	}
	c.run(0, "edgeftp status --state-dir /var/lib/edgeftp", "pid "+c.shows(units[2], "MainPID"), "before")
	for _, unit := range units[:2] {
		c.run(3, "systemctl status --no-pager -n 0 "+unit, "deactivating", "replaced; its sessions go on")
	}
	c.configured(configuration, "wrong", "nonsense: 1\n")
	c.run(1, "systemctl start edgeftp@4", "failed")
	c.greets(units[2])
	close(stop)
	<-over
	if failed.Load() > 0 || visits.Load() < 10 {
		c.Errorf("%d of %d visitors were not greeted", failed.Load(), visits.Load())
	}
	c.Logf("%d visitors, all greeted", visits.Load())
	c.configured(configuration, "back", everywhere)
	before := c.shows(units[2], "MainPID")
	c.run(0, "systemctl kill -s KILL "+units[2])
	c.comesBack(units[2], before)
	c.greets("back")
	c.webServes()
	d.ends()
	d.session.want(c.T, "QUIT", 221)
	idle[units[1]].want(c.T, "QUIT", 221)
	for _, unit := range units[:2] {
		c.becomes(unit, "inactive")
		if result := c.shows(unit, "Result"); result != "success" {
			c.Errorf("%s: %s", unit, result)
		}
	}
}

// webServes fetches a file over HTTP in all its versions and over QUIC, all at one port. That
// of UDP is the new server's a while after that of TCP, and clients come again until then.
func (c console) webServes() {
	c.Helper()
	textFile(c.T, "/srv/ftp/page", "a page")
	for protocol, client := range c.browsers(c.T) {
		until(c.T, "a page comes over "+protocol, func() bool { return c.fetches(client) })
	}
	at := *c.server
	at.addr = "127.0.0.1:443"
	q := at.quic(c.T)
	q.login(c.T)
	q.want(c.T, "SIZE page", "213")
	q.want(c.T, "QUIT", "221")
}

func (c console) fetches(client *http.Client) bool {
	r := must(http.NewRequestWithContext(c.Context(), http.MethodGet, "https://127.0.0.1:443/page", nil))(c.T)
	r.SetBasicAuth(c.user, c.password)
	res, err := client.Do(r)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return err == nil && string(body) == "a page"
}

// booted starts all that is enabled, after nothing has run.
func (c console) booted() {
	c.configured(configuration, "morning", everywhere)
	c.run(0, "systemctl stop edgeftp.socket 'edgeftp@*' edgeftp")
	c.run(0, "systemctl start sockets.target multi-user.target")
	c.becomes("edgeftp", "active")
	c.greets("morning")
	c.webServes()
	if got := c.run(0, "systemctl list-units --no-legend --state=failed"); got != "" {
		c.Errorf("failed: %s", got)
	}
}

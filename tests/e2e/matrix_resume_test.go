package e2e

import (
	"encoding/json"
	"os"
	"runtime"
)

// resumeUp lets the network break in the middle of an upload and has the client
// go on. Nothing that the server kept may be sent again.
func (m *matrix) resumeUp(c *cell) {
	c.prepare()
	j := c.job(put, "file")
	j.Local = m.middle.path
	c.cut(j, m.middle.size/2)
	c.logged("incomplete_file_received", j.path())
	c.holdsNot("file")
	owner := c.house.login(c.t)
	kept := number(c.t, owner.want(c.t, "SIZE "+j.path(), 213).Text())
	if kept <= 0 || kept >= m.middle.size {
		c.t.Fatalf("the server has kept %d of %d bytes", kept, m.middle.size)
	}
	j.Task = putOn
	c.must(j)
	c.holds("file")
	sameSum(c.t, "resumed upload", c.in("file"), m.middle.digest)
	if sent := c.logged("file_received", j.path()); sent != m.middle.size-kept {
		c.t.Errorf("%d bytes were sent when %d were missing", sent, m.middle.size-kept)
	}
	ok(c.t, os.Remove(c.in("file")))
}

// resumeDown is the same for a download.
func (m *matrix) resumeDown(c *cell) {
	c.prepare()
	m.middle.link(c, "file")
	j := c.job(get, "file")
	j.Local = c.here("down")
	c.cut(j, m.middle.size/2)
	c.logged("incomplete_file_sent", j.path())
	part := must(os.Stat(j.Local))(c.t).Size()
	if part <= 0 || part >= m.middle.size {
		c.t.Fatalf("the client has kept %d of %d bytes", part, m.middle.size)
	}
	j.Task = getOn
	c.must(j)
	sameSum(c.t, "resumed download", j.Local, m.middle.digest)
	if sent := c.logged("file_sent", j.path()); sent != m.middle.size-part {
		c.t.Errorf("%d bytes were sent when %d were missing", sent, m.middle.size-part)
	}
	ok(c.t, os.Remove(j.Local))
}

// cut makes the client do a transfer over a network that breaks after so many
// bytes.
func (c *cell) cut(j job, after int64) {
	c.t.Helper()
	if runtime.GOOS != "linux" {
		cannot(c.t, "only Linux has loopback addresses to spare")
	}
	d := c.door
	d.relayed = true
	r := newRelay(c.t, relayIP(c.house.number, c.form), c.house.doors[d], c.house.passive, after)
	err := c.client.do(c.at(r.addr), j)
	select {
	case <-r.broken:
	default:
		c.t.Fatalf("the transfer was not cut: %v", err)
	}
	if err == nil {
		c.t.Error("the client says that a transfer which was cut has succeeded")
	}
}

// holdsNot asks that a name is not in view.
func (c *cell) holdsNot(name string) {
	c.t.Helper()
	if _, err := os.Lstat(c.in(name)); err == nil {
		c.t.Errorf("%s is in view", name)
	}
}

// logged waits for the end of a transfer of the path and returns how many bytes
// it moved, as the server's log has it.
func (c *cell) logged(event, path string) int64 {
	c.t.Helper()
	quoted := must(json.Marshal(path))(c.t)
	var end struct{ Bytes int64 }
	ok(c.t, json.Unmarshal([]byte(c.house.expect(c.t, `"`+event+`"`, string(quoted))), &end))
	return end.Bytes
}

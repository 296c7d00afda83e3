package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// client is one program or library of the matrix.
type client interface {
	// facts tells what it is and what it cannot do.
	facts() facts
	// version returns that of what is installed. Where nothing is, the test is
	// skipped, or fails with CI=true.
	version(t *testing.T) string
	// do carries out jobs one after the other, in one session where the client
	// has such a thing, and stops at the first that fails. The error holds the
	// client's own words.
	do(c *cell, jobs ...job) error
}

// facts is what holds for a client whatever the server.
type facts struct {
	name  string
	lacks map[task]string           // what it has no function for, and why
	speak func(f form) (why string) // which forms of TLS it does not speak, and why; nil is all
	// fresh says why its data connections do not resume the TLS session of the
	// control connection; empty if they do.
	fresh string
	weak  func(f form) (why string) // over which forms it takes no tickets at all, and why; nil is none
	// faults are the client's own, by the name of the row that they strike now
	// and then over TLS.
	faults  map[string]fault
	remarks map[string]string // what has to be said of a row over TLS
	notes   []string          // how it is used
}

// noTrees is facts.lacks of clients that move no trees.
func noTrees(why string) map[task]string { return map[task]string{putTree: why, getTree: why} }

// fault is what a client does wrong.
type fault struct {
	replies []string // what the server answers to it
	why     string
}

// explains reports whether a fault is behind what a client says.
func (f fault) explains(err error) bool {
	return err != nil && slices.ContainsFunc(f.replies, func(r string) bool { return strings.Contains(err.Error(), r) })
}

// takesNone returns why the client takes no session tickets, or nothing. Such a
// client cannot be asked for resumption, and auto does not.
func (f facts) takesNone(form form) string {
	if f.weak == nil || form.version == "" {
		return ""
	}
	return f.weak(form)
}

// lacksForm returns why the client does not speak a form, or nothing.
func (f facts) lacksForm(form form) string {
	if f.speak == nil {
		return ""
	}
	return f.speak(form)
}

// task is one thing that a client is asked to do.
type task string

const (
	list   task = "list"   // of job.folder, into the file job.local
	put    task = "put"    // the file job.local, as job.name
	get    task = "get"    // job.name, into the file job.local
	putOn  task = "putOn"  // goes on where the server's part of job.name ends
	getOn  task = "getOn"  // goes on where the file job.local ends
	rename task = "rename" // job.name to job.to
	remove task = "remove"
	mkdir  task = "mkdir"
	rmdir  task = "rmdir"

	putTree task = "putTree" // the folder job.Local, as job.Name
	getTree task = "getTree" // job.Name, as the folder job.Local of the same name
)

// job is a task and its objects.
type job struct {
	Task   task   `json:"task"`
	Folder string `json:"folder"` // on the server, below its root; without slashes
	Name   string `json:"name"`   // in the folder
	To     string `json:"to"`
	Local  string `json:"local"` // an absolute path here
}

// path is the object's on the server.
func (j job) path() string { return "/" + j.Folder + "/" + j.Name }

// form is how control and data connections are protected.
type form struct {
	name     string
	version  string // of TLS, "1.2" or "1.3"; empty is none
	implicit bool
}

func forms() []form {
	return []form{
		{"plain", "", false},
		{"TLS 1.2", "1.2", false},
		{"TLS 1.3", "1.3", false},
		{"implicit TLS 1.2", "1.2", true},
		{"implicit TLS 1.3", "1.3", true},
	}
}

// scheme is that of addresses: ftps stands for implicit TLS.
func (f form) scheme() string {
	if f.implicit {
		return "ftps"
	}
	return "ftp"
}

// onlyPlain is facts.speak of clients without TLS.
func onlyPlain(why string) func(form) string {
	return func(f form) string {
		if f.version == "" {
			return ""
		}
		return why
	}
}

// cell is what a client is to do its jobs with: one cell of the matrix.
type cell struct {
	t      *testing.T
	client client
	house  *house
	door   door
	form   form   // door.form
	addr   string // where the client is to connect, HOST:PORT
	host   string
	port   string
	fault  fault
	folder string // this cell's on the server
	work   string // this cell's here
}

// must carries out jobs and fails the test with the client's words. What a known
// fault of the client spoils is tried again.
func (c *cell) must(jobs ...job) {
	c.t.Helper()
	err := c.client.do(c, jobs...)
	for tries := 1; tries < 20 && c.fault.explains(err); tries++ {
		err = c.client.do(c, jobs...)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// can reports whether the client has a function for a task.
func (c *cell) can(k task) bool { return c.client.facts().lacks[k] == "" }

// job makes one in the cell's folder.
func (c *cell) job(k task, name string) job {
	return job{Task: k, Folder: c.folder, Name: name}
}

// in returns the path of a name in the cell's folder, as this machine sees it.
func (c *cell) in(name string) string { return c.house.in(c.folder, name) }

// here returns the path of a file in the cell's work folder.
func (c *cell) here(name string) string { return filepath.Join(c.work, name) }

// url is the address of a path that is escaped already.
func (c *cell) url(escaped string) string {
	return c.form.scheme() + "://" + c.addr + escaped
}

// limit bounds what a client does at a time.
func (c *cell) limit() time.Duration {
	if full() {
		return patience()
	}
	return time.Minute
}

// exec runs a client program to its end. An exit code that is not 0 is an error,
// like a run that takes too long; both hold what the program said.
func (c *cell) exec(p program) (result, error) {
	within := c.limit()
	ctx, cancel := context.WithTimeout(c.t.Context(), within)
	defer cancel()
	if p.dir == "" {
		p.dir = c.work
	}
	cmd := p.command(ctx, c.t)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(p.stdin), &stdout, &stderr
	err := cmd.Run()
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("%s is not done after %v: %s", filepath.Base(p.name), within, r.both())
	case err != nil:
		err = c.said(p, r, err)
	}
	return r, err
}

// said is the error of a program that failed.
func (c *cell) said(p program, r result, err error) error {
	args := strings.ReplaceAll(strings.Join(p.args, " "), c.house.password, "PASSWORD")
	return fmt.Errorf("%s %s: %w\n%s", filepath.Base(p.name), args, err, r.both())
}

// errRefused is that of a client which says so by words alone.
var errRefused = errors.New("the server refused")

// oneByOne runs a program for each job.
func (c *cell) oneByOne(jobs []job, run func(job) (program, error)) error {
	for _, j := range jobs {
		p, err := run(j)
		if err != nil {
			return err
		}
		r, err := c.exec(p)
		if err != nil {
			return err
		}
		if j.Task == list {
			if err := os.WriteFile(j.Local, []byte(r.stdout), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// versionOf finds the version in what a program says of itself.
func versionOf(t *testing.T, form, name string, args ...string) string {
	t.Helper()
	said := program{name: needed(t, name), args: args, env: []string{"NCFTPDIR=" + t.TempDir()}}.run(t).both()
	version := regexp.MustCompile(form).FindString(said)
	if version == "" {
		t.Fatalf("%s %q tells no version: %s", name, args, said)
	}
	return version
}

// needed is need, but prefers the system's own program to one that somebody has
// put in front of it.
func needed(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath("/usr/bin/" + name); err == nil {
		return path
	}
	return need(t, name)
}

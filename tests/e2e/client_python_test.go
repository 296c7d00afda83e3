package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// ftplibClient is Python's ftplib, as shipped or with the subclass of
// docs/clients.md.
type ftplibClient struct{ resuming bool }

func (cl ftplibClient) facts() facts {
	f := facts{
		name:  "ftplib",
		lacks: noTrees("ftplib moves files one by one"),
		speak: func(f form) string {
			if f.implicit {
				return "ftplib has AUTH TLS alone"
			}
			return ""
		},
		fresh: "ftplib begins a new TLS session for every data connection and has no setting for it",
		notes: []string{"The certificate is verified in full (`ssl.create_default_context(cafile=…)`)."},
	}
	if !cl.resuming {
		f.notes = append(f.notes, "When an upload is refused, ftplib may find its data connection closed before it has read the reply: `EOF occurred in violation of protocol`. The 522 is then the next reply on the control connection (`getmultiline`).")
	} else {
		f.name, f.fresh = "ftplib, resuming", ""
		f.notes = append(f.notes, "ftplib with the class above.")
	}
	return f
}

// python is the system's interpreter.
func python(t *testing.T) string { return needed(t, "python3") }

func (ftplibClient) version(t *testing.T) string {
	return versionOf(t, `Python \S+`, "python3", "--version")
}

// errand is what the clients that are scripts read.
type errand struct {
	Host     string `json:"host"`
	Port     string `json:"port"`
	User     string `json:"user"`
	Password string `json:"password"`
	CA       string `json:"ca"`
	TLS      string `json:"tls"` // version, or empty
	Implicit bool   `json:"implicit"`
	Jobs     []job  `json:"jobs"`
}

// errand writes one for a cell.
func (c *cell) errand(jobs []job) string {
	c.t.Helper()
	text := must(json.Marshal(errand{c.host, c.port, c.house.user, c.house.password, c.house.ca, c.form.version, c.form.implicit, jobs}))(c.t)
	return string(text)
}

func (cl ftplibClient) do(c *cell, jobs ...job) error {
	script := c.here("jobs.py")
	copyFile(c.t, filepath.Join("testdata", "jobs.py"), script)
	if cl.resuming {
		ok(c.t, os.WriteFile(c.here("resuming.py"), []byte(documented(c.t)), 0o644))
	}
	_, err := c.exec(program{name: python(c.t), args: []string{script}, stdin: c.errand(jobs)})
	return err
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	ok(t, os.WriteFile(to, must(os.ReadFile(from))(t), 0o644))
}

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// basicFTP is the npm package basic-ftp, with all its jobs in one session.
type basicFTP struct{}

func (basicFTP) facts() facts {
	return facts{
		name: "basic-ftp",
		faults: map[string]fault{"upload of 0 bytes": {
			[]string{"426 The data connection ended without TLS close_notify", "522 The TLS handshake on the data connection failed"},
			"an upload of nothing may end before the handshake does; Node.js then closes the connection without close_notify or in the middle of the handshake, which cannot be told from a transfer that was cut: 426 or 522",
		}},
		notes: []string{
			"The certificate is verified in full (`secureOptions.ca`).",
			"An upload is resumed with `appendFrom` from where `size` says; a single directory is made with `send(\"MKD …\")`.",
		},
	}
}

// pinned is the version that testdata/basic-ftp asks for.
func (basicFTP) pinned(t *testing.T) string {
	t.Helper()
	var about struct{ Dependencies map[string]string }
	ok(t, json.Unmarshal(must(os.ReadFile(filepath.Join("testdata", "basic-ftp", "package.json")))(t), &about))
	return about.Dependencies["basic-ftp"]
}

// modules returns the folder with the package, where .ci/run puts it.
func (cl basicFTP) modules(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(must(os.UserCacheDir())(t), "edgeftp-clients", "basic-ftp-"+cl.pinned(t), "node_modules")
	if _, err := os.Stat(filepath.Join(dir, "basic-ftp", "package.json")); err != nil {
		cannot(t, "basic-ftp is not installed (.ci/run does it): "+err.Error())
	}
	return dir
}

func (cl basicFTP) version(t *testing.T) string {
	cl.modules(t)
	return "basic-ftp " + cl.pinned(t) + ", Node.js " + versionOf(t, `v\S+`, "node", "--version")
}

func (cl basicFTP) do(c *cell, jobs ...job) error {
	script := must(filepath.Abs(filepath.Join("testdata", "jobs.cjs")))(c.t)
	_, err := c.exec(program{name: needed(c.t, "node"), args: []string{script}, stdin: c.errand(jobs), env: []string{"NODE_PATH=" + cl.modules(c.t)}})
	return err
}

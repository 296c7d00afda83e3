package e2e

import (
	"strings"
	"testing"
)

// rcloneClient is rclone, with a session or more for each job.
type rcloneClient struct{}

func (rcloneClient) facts() facts {
	const again = "rclone has no resuming: it starts over, and removes what it has of an unfinished file"
	const shared = "with `--ftp-tls-cache-size 0` and so on the weaker proof, because the connections of this rclone share one cache of TLS sessions and present each other's tickets, which gives 522"
	return facts{
		name:    "rclone",
		lacks:   map[task]string{putOn: again, getOn: again},
		remarks: map[string]string{"upload of a tree": shared, "download of a tree": shared},
		notes: []string{
			"The certificate is verified in full (`SSL_CERT_FILE`, as rclone's FTP has no setting for it).",
			"TLS 1.2 by `--ftp-disable-tls13`.",
			"`--multi-thread-streams 0`, or a file of 250 MiB would be fetched over four connections at once; see the remark on trees.",
		},
	}
}

func (rcloneClient) version(t *testing.T) string {
	return versionOf(t, `rclone \S+`, "rclone", "version")
}

func (cl rcloneClient) do(c *cell, jobs ...job) error {
	rclone := needed(c.t, "rclone")
	hidden := strings.TrimSpace(program{name: rclone, args: []string{"obscure", c.house.password}}.must(c.t).stdout)
	flags := []string{"--config", "", "--multi-thread-streams", "0", "--retries", "1", "--low-level-retries", "1", "--contimeout", "20s", "--timeout", "20s",
		"--ftp-host", c.host, "--ftp-port", c.port, "--ftp-user", c.house.user, "--ftp-pass", hidden}
	switch {
	case c.form.implicit:
		flags = append(flags, "--ftp-tls")
	case c.form.version != "":
		flags = append(flags, "--ftp-explicit-tls")
	}
	if c.form.version == "1.2" {
		flags = append(flags, "--ftp-disable-tls13")
	}
	return c.oneByOne(jobs, func(j job) (program, error) {
		args := append(cl.job(j), flags...)
		if j.Task == putTree || j.Task == getTree {
			args = append(args, "--transfers", "4", "--ftp-tls-cache-size", "0")
		}
		return program{name: rclone, args: args, env: []string{"SSL_CERT_FILE=" + c.house.ca, "SSL_CERT_DIR=/nowhere"}}, nil
	})
}

func (rcloneClient) job(j job) []string {
	const remote = ":ftp:"
	folder := remote + "/" + j.Folder
	file := folder + "/" + j.Name
	switch j.Task {
	case list:
		return []string{"lsf", "--format", "sp", "--separator", " ", folder}
	case put:
		return []string{"copyto", j.Local, file}
	case get:
		return []string{"copyto", file, j.Local}
	case putTree:
		return []string{"copy", j.Local, file}
	case getTree:
		return []string{"copy", file, j.Local}
	case rename:
		return []string{"moveto", file, folder + "/" + j.To}
	case remove:
		return []string{"deletefile", file}
	case mkdir:
		return []string{"mkdir", file}
	}
	return []string{"rmdir", file}
}

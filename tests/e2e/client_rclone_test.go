package e2e

import (
	"strings"
	"testing"
)

// rcloneClient is rclone, with a session or more for each job.
type rcloneClient struct{}

func (rcloneClient) facts() facts {
	const again = "rclone has no resuming: it starts over, and removes what it has of an unfinished file"
	return facts{
		name:  "rclone",
		lacks: map[task]string{putOn: again, getOn: again},
		notes: []string{
			"The certificate is verified in full (`SSL_CERT_FILE`, as rclone's FTP has no setting for it).",
			"TLS 1.2 by `--ftp-disable-tls13`.",
		},
	}
}

func (rcloneClient) version(t *testing.T) string {
	return versionOf(t, `rclone \S+`, "rclone", "version")
}

func (cl rcloneClient) do(c *cell, jobs ...job) error {
	rclone := needed(c.t, "rclone")
	hidden := strings.TrimSpace(program{name: rclone, args: []string{"obscure", c.house.password}}.must(c.t).stdout)
	flags := []string{"--config", "", "--retries", "1", "--low-level-retries", "1", "--contimeout", "20s", "--timeout", "20s",
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
	case rename:
		return []string{"moveto", file, folder + "/" + j.To}
	case remove:
		return []string{"deletefile", file}
	case mkdir:
		return []string{"mkdir", file}
	}
	return []string{"rmdir", file}
}

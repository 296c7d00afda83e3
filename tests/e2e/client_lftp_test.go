package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// lftpClient is lftp, with all its jobs in one session.
type lftpClient struct{}

func (lftpClient) facts() facts {
	return facts{
		name: "lftp",
		notes: []string{
			"The certificate is verified in full (`ssl:ca-file`).",
			"Trees go by `mirror --parallel=4`.",
			"Data connections are protected also when listing (`ftp:ssl-protect-list` is lftp's default).",
		},
	}
}

func (lftpClient) version(t *testing.T) string {
	return "lftp " + versionOf(t, `\d+\.\d[\w.]*`, "lftp", "--version")
}

func (cl lftpClient) do(c *cell, jobs ...job) error {
	lines := []string{
		"set cmd:fail-exit yes", "set net:max-retries 1", "set net:reconnect-interval-base 1", "set net:timeout 20",
		"set bmk:save-passwords no", "set xfer:log no",
	}
	switch {
	case c.form.version == "":
		lines = append(lines, "set ftp:ssl-allow no")
	default:
		lines = append(lines, "set ssl:ca-file "+cl.quote(c.house.ca), "set ftp:ssl-force yes", "set ftp:ssl-protect-data yes",
			"set ssl:priority NORMAL:-VERS-ALL:+VERS-TLS"+c.form.version)
	}
	lines = append(lines, fmt.Sprintf("open -u %s,%s %s", c.house.user, c.house.password, c.url("")))
	for _, j := range jobs {
		lines = append(lines, "cd "+cl.quote("/"+j.Folder), cl.job(j))
	}
	_, err := c.exec(program{name: needed(c.t, "lftp"), args: []string{"--norc", "-c", strings.Join(lines, "\n")}})
	return err
}

// quote makes one word of a text.
func (lftpClient) quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func (cl lftpClient) job(j job) string {
	name, to, local := cl.quote(j.Name), cl.quote(j.To), cl.quote(j.Local)
	switch j.Task {
	case list:
		return "ls > " + local
	case put:
		return "put " + local + " -o " + name
	case putOn:
		return "put -c " + local + " -o " + name
	case get:
		return "get -- " + name + " -o " + local
	case getOn:
		return "get -c -- " + name + " -o " + local
	case putTree:
		return "mirror -R --parallel=4 " + local + " " + name
	case getTree:
		return "mirror --parallel=4 " + name + " " + local
	case rename:
		return "mv " + name + " " + to
	case remove:
		return "rm -- " + name
	case mkdir:
		return "mkdir -- " + name
	}
	return "rmdir -- " + name
}

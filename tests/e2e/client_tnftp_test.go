package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tnftpClient is tnftp, the BSD client. It reads its commands from standard
// input and ends with exit code 0 whatever the server says.
type tnftpClient struct{}

func (tnftpClient) facts() facts {
	return facts{
		name:  "tnftp",
		lacks: noTrees("tnftp's mput and mget do not go into directories"),
		speak: onlyPlain("tnftp has no TLS for FTP"),
		notes: []string{"An upload is resumed by hand: `size`, `restart`, `put`."},
	}
}

func (tnftpClient) version(t *testing.T) string {
	// It tells nobody but web servers.
	version := regexp.MustCompile(`\x00(20\d{6})\x00`).FindSubmatch(must(os.ReadFile(needed(t, "tnftp")))(t))
	if version == nil {
		return "tnftp"
	}
	return "tnftp " + string(version[1])
}

func (cl tnftpClient) do(c *cell, jobs ...job) error {
	lines := []string{"user " + c.house.user + " " + c.house.password, "binary"}
	for _, j := range jobs {
		lines = append(lines, "cd "+escape("/"+j.Folder))
		if j.Task == putOn {
			at, err := cl.size(c, j)
			if err != nil {
				return err
			}
			lines = append(lines, "restart "+at)
		}
		lines = append(lines, cl.job(j))
	}
	_, err := cl.session(c, lines)
	return err
}

// failure is what tnftp says when something went wrong.
var failure = regexp.MustCompile(`(?m)^([45]\d\d[ -]|usage: |\(.*\) usage: |tnftp: |ftp: |\?|Not connected|421|.*: (Connection reset|Broken pipe))`)

func (cl tnftpClient) session(c *cell, lines []string) (string, error) {
	p := program{name: needed(c.t, "tnftp"), args: []string{"-n", "-v", "-i", "-p", c.host, c.port}, stdin: strings.Join(append(lines, "quit", ""), "\n")}
	r, err := c.exec(p)
	if err == nil && failure.MatchString(r.both()) {
		err = c.said(p, r, errRefused)
	}
	return r.stdout, err
}

// size asks how long the server's part of an upload is.
func (cl tnftpClient) size(c *cell, j job) (string, error) {
	lines := []string{"user " + c.house.user + " " + c.house.password, "binary", "size " + escape(j.path())}
	text, err := cl.session(c, lines)
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(j.path()) + `\t(\d+)`).FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("tnftp tells no size: %s", text)
	}
	return m[1], nil
}

// escape makes one word of a text, for a client that knows the backslash.
func escape(text string) string {
	return regexp.MustCompile("[ \t'\"\\\\`$*?\\[\\]{}|;<>!#&]").ReplaceAllString(text, `\$0`)
}

func (tnftpClient) job(j job) string {
	name, local := escape(j.Name), escape(filepath.ToSlash(j.Local))
	switch j.Task {
	case list:
		return "ls . " + local
	case put, putOn:
		return "put " + local + " " + name
	case get:
		return "get " + name + " " + local
	case getOn:
		return "reget " + name + " " + local
	case rename:
		return "rename " + name + " " + escape(j.To)
	case remove:
		return "delete " + name
	case mkdir:
		return "mkdir " + name
	}
	return "rmdir " + name
}
